"""Calibration rows by group and weight, and the comparison of new rows with them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_consistent_length, column_or_1d

from .._sklearn import num_samples, safe_indexing
from ._p_values import Counts, break_ties, count_below


class CalibrationRows(NamedTuple):
    """Scores of rows that a detector did not train on, their groups and weights, (n,) each."""

    scores: np.ndarray
    groups: np.ndarray
    weights: np.ndarray

    def compare(self, scores: np.ndarray, groups: np.ndarray, ties: Any = None) -> Counts:
        """Compare scores (m,) with those of the same group.

        `ties` is None, or how to break them: a seed for these rows, a generator for new ones.
        """
        counts = Counts(*np.zeros((3, len(scores))))
        for group in np.unique(groups):
            rows, same = groups == group, self.groups == group
            new, old = scores[rows], self.scores[same]
            if ties is not None:
                # From the seed in every group: whichever others are there.
                seed, of_new = ties
                new, old = break_ties(new, old, np.random.RandomState(seed), of_new)
            for column, of_group in zip(
                counts, count_below(new, old, self.weights[same]), strict=True
            ):
                column[rows] = of_group
        return counts


def checked_groups(X: Any, groups: Any) -> np.ndarray:
    """Groups of the rows of X, one for all if there are none."""
    if groups is None:
        return np.zeros(num_samples(X), dtype=int)
    groups = column_or_1d(groups)
    check_consistent_length(X, groups)
    kinds = {type(group) for group in groups.tolist()}
    if len(kinds) > 1 or any(group is None or group != group for group in groups.tolist()):
        raise ValueError(
            "calibration_groups must be of one kind, none missing; got "
            f"{sorted(kind.__name__ for kind in kinds)}"
        )
    return groups


def groups_of_new(X: Any, groups: Any, known: np.ndarray | None) -> np.ndarray:
    """Groups of new rows, of which `known` has all; None where there are none."""
    if (groups is None) != (known is None):
        given = "fit got none" if known is None else "fit got some"
        raise ValueError(f"calibration_groups must be given to fit and here; {given}")
    groups = checked_groups(X, groups)
    if known is None:
        return groups
    # NumPy would compare numbers with their strings.
    unknown = sorted(set(groups.tolist()) - set(known.tolist()), key=str)
    if unknown:
        raise ValueError(
            f"calibration_groups must be among the {len(known)} groups of fit; got {unknown[:5]}"
        )
    return groups


def shift_weights(
    covariate_shift: Callable[[Any], Any] | None, X: Any, judged: np.ndarray
) -> np.ndarray:
    """Weights of rows by the covariate shift, 1 without one and for rows that are not judged."""
    all_weights, n_rows = np.ones(len(judged)), int(judged.sum())
    if covariate_shift is None or not n_rows:
        return all_weights
    rows = safe_indexing(X, np.flatnonzero(judged))
    weights = np.asarray(covariate_shift(rows), dtype=np.float64)
    if weights.shape != (n_rows,) or not (np.isfinite(weights) & (weights > 0)).all():
        raise ValueError(
            f"covariate_shift must return {n_rows} finite weights above 0; got "
            f"{np.array2string(weights, threshold=5)} of shape {weights.shape}"
        )
    all_weights[judged] = weights
    return all_weights
