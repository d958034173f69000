"""Seeds: from scikit-learn's ``random_state`` to one number, without global generators."""

import numpy as np


def resolve_seed(random_state: int | np.random.RandomState | None) -> int:
    """Draw a seed for a private generator.

    An int is its own seed. A `numpy.random.RandomState` is advanced by one draw, as in
    scikit-learn. None takes fresh entropy from the operating system: unlike in scikit-learn,
    the global generator is neither read nor moved.
    """
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    return int(random_state)
