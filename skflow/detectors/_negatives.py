"""Synthetic negatives: contrast rows made from the bulk where there are no others."""

from collections.abc import Callable
from typing import Any

import numpy as np

#: Local noise: smallest and largest standard deviation, in those of each feature.
NOISE_SCALES = 0.1, 3.0
#: The box of all bulk rows grows by so much of its width on every side.
INFLATION = 0.1


def permuted_subsets(X: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Break the dependence between features in a copy of the bulk.

    In every row a random subset of the features, of any size but none and all, takes its values
    from other random rows, each feature from its own.

    Raises
    ------
    ValueError
        If there is one feature, which has no subset to permute.
    """
    n, d = X.shape
    if d == 1:
        raise ValueError("negatives='permuted' needs at least 2 features; got 1")
    donors = rng.randint(n, size=(n, d))
    rank = rng.rand(n, d).argsort(axis=1)
    size = rng.randint(1, d, size=(n, 1))
    return np.where(rank < size, np.take_along_axis(X, donors, axis=0), X)


def local_noise(X: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Move every bulk row, some a little and some far.

    Normal noise of 0.1 to 3 standard deviations of each feature, one scale a row, drawn uniformly
    on a log scale.
    """
    low, high = np.log(NOISE_SCALES)
    scale = np.exp(rng.uniform(low, high, size=(len(X), 1)))
    return X + scale * X.std(axis=0) * rng.normal(size=X.shape)


def inflated_box(X: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Fill the box around the bulk, a tenth of its width wider on every side, evenly."""
    low, high = X.min(axis=0), X.max(axis=0)
    share = rng.uniform(-INFLATION, 1 + INFLATION, size=X.shape)
    return (1 - share) * low + share * high


#: Kinds of negatives by name: each makes n rows of the bulk rows X (n, d) and a random state.
NEGATIVES: dict[str, Callable[[np.ndarray, np.random.RandomState], np.ndarray]] = {
    "permuted": permuted_subsets,
    "noise": local_noise,
    "box": inflated_box,
}


def make_negatives(kind: Any, X: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Make negatives of the kind that a detector asks for.

    Parameters
    ----------
    kind : str or callable
        A name of `NEGATIVES`, or a function like these; it may return any number of rows.
    X : ndarray of shape (n, d)
        Bulk rows.
    rng : RandomState
        Source of all draws.

    Returns
    -------
    negatives : ndarray of shape (m, d)

    Raises
    ------
    ValueError
        If they are anything but finite rows of d columns, one at least.
    """
    make = NEGATIVES[kind] if isinstance(kind, str) else kind
    with np.errstate(over="ignore", invalid="ignore"):
        made = np.asarray(make(X.copy(), rng), dtype=np.float64)
    if made.ndim != 2 or made.shape[1] != X.shape[1] or len(made) == 0:
        raise ValueError(
            f"negatives must return rows of {X.shape[1]} columns, one at least; "
            f"got an array of shape {made.shape}"
        )
    if not np.isfinite(made).all():
        raise ValueError("negatives must return finite rows; got NaN or infinity")
    return made
