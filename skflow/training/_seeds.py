"""Seeds: from scikit-learn's ``random_state`` to one number, without global generators."""

from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral

import numpy as np
import torch

from .._threads import alone
from ._processes import of_first


def resolve_seed(random_state: int | np.random.RandomState | None) -> int:
    """Draw a seed for a private generator.

    An int is its own seed. A `numpy.random.RandomState` is advanced by one draw, as in
    scikit-learn. None takes fresh entropy from the operating system: unlike in scikit-learn,
    the global generator is neither read nor moved.
    """
    if random_state is None:
        return int(of_first(np.random.SeedSequence().generate_state(1)[0]))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    if not isinstance(random_state, Integral):
        raise ValueError(
            f"random_state must be an int, a numpy.random.RandomState or None; got {random_state!r}"
        )
    return int(random_state)


@contextmanager
def seeded_torch(seed: int) -> Iterator[None]:
    """Seed torch's global generator for code that knows no other; it is put back afterwards."""
    with alone(), torch.random.fork_rng(devices=[]):
        # Not torch.random's: that also seeds accelerators, under locks of its own.
        torch.default_generator.manual_seed(seed)
        yield
