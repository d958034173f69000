"""Contrast rows: where they come from, how sources are mixed, and whether they are of any use."""

from typing import NamedTuple

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import roc_auc_score

#: Rows of each kind that `resembles_bulk` looks at, and how few say nothing.
MAX_COMPARED, MIN_COMPARED = 1000, 50


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


def resembles_bulk(bulk: np.ndarray, contrast: np.ndarray, seed: int) -> bool:
    """Whether trees cannot tell contrast rows from bulk rows, of which they learn the others.

    Parameters
    ----------
    bulk : ndarray of shape (n, d)
        Bulk rows.
    contrast : ndarray of shape (m, d)
        Contrast rows; fewer than 50 rows of either kind say nothing.
    seed : int
        Of the trees and the rows that are compared.

    Returns
    -------
    resembles : bool
        True if the AUROC is within three standard errors of chance.
    """
    n = min(len(bulk), len(contrast), MAX_COMPARED)
    if n < MIN_COMPARED:
        return False
    rng = np.random.RandomState(seed)
    rows = [kind[rng.choice(len(kind), n, replace=False)] for kind in (bulk, contrast)]
    labels = np.repeat([0, 1], n)
    trees = ExtraTreesClassifier(
        50, min_samples_leaf=5, bootstrap=True, oob_score=True, random_state=rng
    )
    trees.fit(np.concatenate(rows), labels)
    standard_error = np.sqrt((2 * n + 1) / (12 * n * n))
    auroc = roc_auc_score(labels, trees.oob_decision_function_[:, 1])
    return bool(auroc < 0.5 + 3 * standard_error)
