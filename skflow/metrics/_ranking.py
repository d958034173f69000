"""Ranking figures of merit: how well scores put the anomalies first.

All take labels with -1 for anomalies and +1 for the bulk, the anomalies being the positive
class, and scores that are higher for the more anomalous. A row whose score is NaN counts as
lost: whatever its class, it ranks below every other row and is never a candidate.
"""

from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score as sklearn_average_precision
from sklearn.metrics import roc_auc_score as sklearn_roc_auc
from sklearn.utils import check_consistent_length, column_or_1d


def _checked(y_true: Any, anomaly_score: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return (is anomaly, score) after checking labels and replacing NaN."""
    y_true = column_or_1d(y_true)
    score = column_or_1d(anomaly_score).astype(np.float64)
    check_consistent_length(y_true, score)
    labels = set(np.unique(y_true).tolist())
    if not labels <= {-1, 1}:
        raise ValueError(
            "y_true must hold only -1 (anomaly) and +1 (bulk); "
            f"got {sorted(labels, key=str)[:5]}. Labels with 1 for anomalies and 0 for the bulk "
            "become np.where(y == 1, -1, 1)"
        )
    if len(labels) < 2:
        present = "no rows" if not labels else f"only {int(labels.pop()):+d}"
        raise ValueError(
            f"y_true must hold both -1 (anomaly) and +1 (bulk); got {present}. In "
            "cross-validation, StratifiedKFold keeps both in every fold"
        )
    # Ranks instead of values, so that +-inf are welcome and NaN has a place below them.
    finite_order = np.unique(score[~np.isnan(score)], return_inverse=True)[1]
    ranks = np.full(len(score), -1.0)
    ranks[~np.isnan(score)] = finite_order
    return y_true == -1, ranks


def roc_auc_score(y_true: Any, anomaly_score: Any) -> float:
    """Area under the ROC curve: chance that an anomaly outranks a bulk row.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        -1 for anomalies, +1 for the bulk.
    anomaly_score : array-like of shape (n_samples,)
        Higher means more anomalous.

    Returns
    -------
    auc : float
        0.5 for a random order, 1 for a perfect one.

    Raises
    ------
    ValueError
        If the labels are not -1 and +1, or only one of them.

    Examples
    --------
    >>> from skflow.metrics import roc_auc_score
    >>> roc_auc_score([1, 1, -1, -1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    return float(sklearn_roc_auc(*_checked(y_true, anomaly_score)))


def average_precision_score(
    y_true: Any, anomaly_score: Any, *, prevalence: float | None = None
) -> float:
    """Average precision of the anomaly class.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        -1 for anomalies, +1 for the bulk.
    anomaly_score : array-like of shape (n_samples,)
        Higher means more anomalous.
    prevalence : float in (0, 1) or None, default=None
        Share of anomalies for which to restate it: 0.01 is what the same ranking would have
        where one row in a hundred is an anomaly. None is their share in `y_true`.

    Returns
    -------
    precision : float
        The share of anomalies for a random order, 1 for a perfect one.

    Raises
    ------
    ValueError
        If the labels are not -1 and +1, or only one of them; if `prevalence` is not in (0, 1).

    Examples
    --------
    >>> from skflow.metrics import average_precision_score
    >>> round(average_precision_score([1, 1, -1, -1], [0.1, 0.4, 0.35, 0.8]), 3)
    0.833
    >>> round(average_precision_score([1, 1, -1, -1], [0.1, 0.4, 0.35, 0.8], prevalence=0.01), 3)
    0.51
    """
    is_anomaly, score = _checked(y_true, anomaly_score)
    if prevalence is None:
        return float(sklearn_average_precision(is_anomaly, score))
    if not 0 < prevalence < 1:
        raise ValueError(f"prevalence must be between 0 and 1; got {prevalence}")
    share = is_anomaly.mean()
    weight = np.where(is_anomaly, prevalence / share, (1 - prevalence) / (1 - share))
    return float(sklearn_average_precision(is_anomaly, score, sample_weight=weight))


def tpr_at_fpr_score(y_true: Any, anomaly_score: Any, *, max_fpr: float = 0.01) -> float:
    """Share of the anomalies found at a false-positive rate of at most `max_fpr`.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        -1 for anomalies, +1 for the bulk.
    anomaly_score : array-like of shape (n_samples,)
        Higher means more anomalous.
    max_fpr : float in (0, 1), default=0.01
        Largest share of the bulk that may be flagged.

    Returns
    -------
    tpr : float
        At the lowest threshold on the scores that keeps to `max_fpr`; no interpolation, and
        rows with one and the same score are flagged together.

    Raises
    ------
    ValueError
        If the labels are not -1 and +1, or only one of them; if `max_fpr` is not in (0, 1).

    Examples
    --------
    >>> from skflow.metrics import tpr_at_fpr_score
    >>> tpr_at_fpr_score([1, 1, -1, -1], [0.1, 0.4, 0.35, 0.8], max_fpr=0.1)
    0.5
    """
    if not 0 < max_fpr < 1:
        raise ValueError(f"max_fpr must be between 0 and 1; got {max_fpr}")
    is_anomaly, score = _checked(y_true, anomaly_score)
    # A lost row is never flagged, whatever the threshold.
    judged = score >= 0
    if not judged.any():
        return 0.0
    thresholds = np.unique(score[judged])
    flagged_bulk = _n_at_least(score[judged & ~is_anomaly], thresholds)
    flagged_anomalies = _n_at_least(score[judged & is_anomaly], thresholds)
    allowed = flagged_bulk / (~is_anomaly).sum() <= max_fpr
    return float(max(flagged_anomalies[allowed], default=0) / is_anomaly.sum())


def _n_at_least(values: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    return len(values) - np.searchsorted(np.sort(values), thresholds, side="left")


def precision_at_n_score(y_true: Any, anomaly_score: Any, *, n: int | None = None) -> float:
    """Share of anomalies among the `n` most anomalous rows.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        -1 for anomalies, +1 for the bulk.
    anomaly_score : array-like of shape (n_samples,)
        Higher means more anomalous.
    n : int or None, default=None
        How many rows are looked at; None for as many as there are anomalies.

    Returns
    -------
    precision : float
        Where rows with one and the same score straddle the cut, their expectation over a
        random order. Lost rows (NaN) are never looked at.

    Raises
    ------
    ValueError
        If the labels are not -1 and +1, or only one of them; if `n` is not between 1 and the
        number of rows.

    Examples
    --------
    >>> from skflow.metrics import precision_at_n_score
    >>> precision_at_n_score([1, 1, -1, -1], [0.1, 0.4, 0.35, 0.8])
    0.5
    """
    is_anomaly, score = _checked(y_true, anomaly_score)
    n = int(is_anomaly.sum()) if n is None else n
    if not 1 <= n <= len(score):
        raise ValueError(f"n must be between 1 and the {len(score)} rows; got {n}")
    cut = np.sort(score)[-n]
    above, tied = score > cut, (score == cut) & (score >= 0)
    found = is_anomaly[above].sum()
    if tied.any():
        found = found + (n - above.sum()) * is_anomaly[tied].mean()
    return float(found / n)
