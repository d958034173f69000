"""Cross-fitting: both classes in one table, their weights, and what is held out in turn."""

from typing import NamedTuple

import numpy as np

from ._contrast import ContrastRows


class Rows(NamedTuple):
    """Training rows of both classes, bulk first, with weights by which both count alike."""

    X: np.ndarray
    is_rare: np.ndarray
    weight: np.ndarray

    def chosen(self, mask: np.ndarray) -> "Rows":
        return Rows(*(part[mask] for part in self))


def weighted_rows(X: np.ndarray, contrast: ContrastRows) -> Rows:
    """All rows, with weights so that the classes, and the sources of rare rows, count alike."""
    sources = [X, *contrast.sources]
    given = contrast.weights or (np.ones(len(X)), np.ones(len(contrast.rare)))
    scaled = [weight / weight.max() for weight in given if len(weight)]
    weights = [weight / weight.sum() for weight in scaled]
    if len(contrast.auxiliary):
        weights.append(np.full(len(contrast.auxiliary), 1 / len(contrast.auxiliary)))
    is_rare = np.arange(sum(map(len, sources))) >= len(X)
    weight = np.concatenate(weights)
    if is_rare.any():
        weight[is_rare] /= weight[is_rare].sum()
    return Rows(np.concatenate(sources), is_rare, weight * len(weight) / weight.sum())


def make_folds(is_rare: np.ndarray, n_folds: int, rng: np.random.RandomState) -> np.ndarray:
    """Fold of every row, each class spread evenly; -1 for rows that are never held out."""
    n_bulk, n_rare = int(np.sum(~is_rare)), int(np.sum(is_rare))
    n_folds = max(min(n_folds, n_bulk // 2), 1)
    folds = np.full(len(is_rare), -1)
    folds[~is_rare] = rng.permutation(n_bulk) % n_folds
    if n_rare > 1:
        folds[is_rare] = rng.permutation(n_rare) % n_folds
    return folds


def by_weight(weight: np.ndarray) -> np.ndarray:
    """Positions of as many rows, each as often as its weight says, rounded up or down."""
    share = np.cumsum(weight / weight.max())
    share /= share[-1]
    steps = (np.arange(len(weight)) + 0.5) / len(weight)
    return np.minimum(np.searchsorted(share, steps), len(weight) - 1)
