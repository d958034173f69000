"""Leak-free splits: equal rows on one side, labelled rare rows drawn nested."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.model_selection import GroupShuffleSplit
from sklearn.utils import check_array, check_random_state, column_or_1d


class Split(NamedTuple):
    """Row indices of the training and test rows."""

    train: np.ndarray
    test: np.ndarray


def rare_event_split(
    X: Any,
    y: Any,
    *,
    n_rare: int,
    random_state: Any = None,
) -> Split:
    """Split for rare events: about half of the bulk and `n_rare` labelled rare rows train.

    Rows that are equal in all features stay on one side. The other half of both classes tests,
    the same for every `n_rare`, and a draw of fewer rare rows is part of a larger one.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        All rows.
    y : array-like of shape (n_samples,)
        -1 for rare rows, +1 for the bulk.
    n_rare : int
        Labelled rare rows that train, at most about half of them.
    random_state : int, RandomState instance or None, default=None
        Seed of the split.

    Returns
    -------
    split : Split
        ``train`` (bulk and labelled rare) and ``test`` row indices.

    Raises
    ------
    ValueError
        If the training half has fewer than `n_rare` rare rows.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.benchmark import rare_event_split
    >>> X, y = np.arange(20.0).reshape(-1, 1), np.repeat([1, -1], [12, 8])
    >>> train, test = rare_event_split(X, y, n_rare=2, random_state=0)
    >>> int(np.sum(y[train] == -1))
    2
    """
    X, is_rare = check_array(X, dtype=None), column_or_1d(y) == -1
    rng = check_random_state(random_state)
    half, other = _halves(X, rng)
    rare = rng.permutation(half[is_rare[half]])
    if not 0 <= n_rare <= len(rare):
        raise ValueError(
            f"n_rare must be at most the {len(rare)} rare rows of the training half; got {n_rare}"
        )
    return Split(np.concatenate([half[~is_rare[half]], rare[:n_rare]]), other)


def one_class_split(X: Any, y: Any, *, random_state: Any = None) -> Split:
    """Split for one class: half of the bulk trains, the rest and every anomaly test.

    Bulk rows that are equal in all features stay on one side.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        All rows.
    y : array-like of shape (n_samples,)
        -1 for anomalies, +1 for the bulk.
    random_state : int, RandomState instance or None, default=None
        Seed of the split.

    Returns
    -------
    split : Split
        ``train`` (bulk only) and ``test`` row indices.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.benchmark import one_class_split
    >>> X, y = np.arange(20.0).reshape(-1, 1), np.repeat([1, -1], [12, 8])
    >>> train, test = one_class_split(X, y, random_state=0)
    >>> len(train), len(test)
    (6, 14)
    """
    X, is_anomaly = check_array(X, dtype=None), column_or_1d(y) == -1
    bulk = np.flatnonzero(~is_anomaly)
    half, other = _halves(X[bulk], check_random_state(random_state))
    return Split(bulk[half], np.sort(np.concatenate([bulk[other], np.flatnonzero(is_anomaly)])))


def _halves(X: np.ndarray, rng: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """Two halves of the groups of equal rows."""
    groups = np.unique(X, axis=0, return_inverse=True)[1].ravel()
    splitter = GroupShuffleSplit(n_splits=1, test_size=0.5, random_state=rng)
    return next(splitter.split(X, groups=groups))
