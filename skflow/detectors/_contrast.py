"""Contrast rows: where they come from, how sources are mixed, how much of them is bulk."""

from typing import NamedTuple

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import roc_auc_score

from ._scaling import for_trees, scaling

#: Rows of each kind that `overlap` looks at, and how few say nothing.
MAX_COMPARED, MIN_COMPARED = 1000, 200
#: AUROC below which contrast rows count as bulk; its standard error is 0.03 for the fewest rows.
CHANCE = 0.55


class ContrastRows(NamedTuple):
    """Rows that are not bulk: known rare events (m, d) and auxiliary rows (k, d)."""

    rare: np.ndarray
    auxiliary: np.ndarray
    #: Weights of the bulk rows and of the rare rows, where `fit` got any.
    weights: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def sources(self) -> list[np.ndarray]:
        """Known rare events and auxiliary rows."""
        return [self.rare, self.auxiliary]

    @property
    def n_rows(self) -> int:
        """How many there are."""
        return len(self.rare) + len(self.auxiliary)


def balanced(sources: list[np.ndarray]) -> np.ndarray:
    """Mix sources of rows (m_i, d), one at least, so that all count alike.

    Smaller ones are repeated.
    """
    n_rows = max(map(len, sources))
    return np.concatenate([np.resize(source, (n_rows, source.shape[1])) for source in sources])


class Overlap(NamedTuple):
    """How far contrast rows are bulk rows, by trees that learned others of both."""

    #: How well the trees tell the two apart.
    auroc: float = 1.0
    #: Share of the contrast rows that are bulk.
    bulk_share: float = 0.0

    @property
    def is_all(self) -> bool:
        """Whether the trees cannot tell contrast rows from bulk rows at all."""
        return self.auroc < CHANCE


def overlap(bulk: np.ndarray, contrast: np.ndarray, seed: int) -> Overlap:
    """Find out how much of a contrast sample is bulk.

    Half of the bulk that hides in the sample looks more like bulk, to trees that have not seen it,
    than the median bulk row does, and little else does. So the share of bulk is twice that of
    such rows.

    Parameters
    ----------
    bulk : ndarray of shape (n, d)
        Bulk rows.
    contrast : ndarray of shape (m, d)
        Contrast rows; fewer than 200 rows of either kind say nothing.
    seed : int
        Of the trees and the rows that are compared.

    Returns
    -------
    overlap : Overlap
        None at all where there are too few rows.
    """
    n = min(len(bulk), len(contrast), MAX_COMPARED)
    if n < MIN_COMPARED:
        return Overlap()
    rng = np.random.RandomState(seed)
    units = scaling(bulk)
    rows = [
        for_trees(kind[rng.choice(len(kind), n, replace=False)], *units)
        for kind in (bulk, contrast)
    ]
    labels = np.repeat([0, 1], n)
    trees = ExtraTreesClassifier(
        50, min_samples_leaf=5, bootstrap=True, oob_score=True, random_state=rng
    )
    trees.fit(np.concatenate(rows), labels)
    unlike = trees.oob_decision_function_[:, 1]
    below = np.mean(unlike[n:] < np.median(unlike[:n]))
    return Overlap(float(roc_auc_score(labels, unlike)), min(2 * float(below), 1.0))
