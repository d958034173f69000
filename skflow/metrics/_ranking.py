"""Ranking figures of merit: how well scores put the anomalies first.

All take labels with -1 for anomalies and +1 for the bulk, the anomalies being the positive
class, and scores that are higher for the more anomalous. A row whose score is NaN counts as
lost: whatever its class, it ranks below every other row and is never a candidate.
"""

from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score as sklearn_average_precision
from sklearn.metrics import roc_auc_score as sklearn_roc_auc

from ._checks import at_prevalence, check_share, checked, lost_last
from ._curves import roc_curve


def roc_auc_score(
    y_true: Any,
    anomaly_score: Any,
    *,
    max_fpr: float | None = None,
    sample_weight: Any = None,
) -> float:
    """Area under the ROC curve: chance that an anomaly outranks a bulk row.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        -1 for anomalies, +1 for the bulk.
    anomaly_score : array-like of shape (n_samples,)
        Higher means more anomalous.
    max_fpr : float in (0, 1) or None, default=None
        None is the whole curve; else the area up to this false-positive rate, standardised so
        that 0.5 is a random order and 1 a perfect one (McClish 1989), as in scikit-learn.
    sample_weight : array-like of shape (n_samples,), default=None
        How much each row counts; None is 1 for all.

    Returns
    -------
    auc : float
        0.5 for a random order, 1 for a perfect one.

    Raises
    ------
    ValueError
        If the labels are not -1 and +1, or only one of them; if a weight is negative or not
        finite, or those of a class are all zero; if `max_fpr` is not in (0, 1).

    Examples
    --------
    >>> from skflow.metrics import roc_auc_score
    >>> roc_auc_score([1, 1, -1, -1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    is_anomaly, score, weight = checked(y_true, anomaly_score, sample_weight)
    if max_fpr is not None:
        check_share("max_fpr", max_fpr)
    ranks = lost_last(score)
    return float(sklearn_roc_auc(is_anomaly, ranks, max_fpr=max_fpr, sample_weight=weight))


def average_precision_score(
    y_true: Any,
    anomaly_score: Any,
    *,
    prevalence: float | None = None,
    sample_weight: Any = None,
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
    sample_weight : array-like of shape (n_samples,), default=None
        How much each row counts; None is 1 for all.

    Returns
    -------
    precision : float
        The share of anomalies for a random order, 1 for a perfect one.

    Raises
    ------
    ValueError
        If the labels are not -1 and +1, or only one of them; if a weight is negative or not
        finite, or those of a class are all zero; if `prevalence` is not in (0, 1).

    Examples
    --------
    >>> from skflow.metrics import average_precision_score
    >>> round(average_precision_score([1, 1, -1, -1], [0.1, 0.4, 0.35, 0.8]), 3)
    0.833
    >>> round(average_precision_score([1, 1, -1, -1], [0.1, 0.4, 0.35, 0.8], prevalence=0.01), 3)
    0.51
    """
    is_anomaly, score, weight = checked(y_true, anomaly_score, sample_weight)
    if prevalence is not None:
        weight = np.ones(len(score)) if weight is None else weight
        weight = at_prevalence(is_anomaly, weight, prevalence)
    return float(sklearn_average_precision(is_anomaly, lost_last(score), sample_weight=weight))


def precision_score(
    y_true: Any,
    y_pred: Any,
    *,
    prevalence: float | None = None,
    sample_weight: Any = None,
) -> float:
    """Share of anomalies among the flagged rows, where they may be rarer than here.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        -1 for anomalies, +1 for the bulk.
    y_pred : array-like of shape (n_samples,)
        Predictions: -1 is flagged, anything else is not.
    prevalence : float in (0, 1) or None, default=None
        Share of anomalies for which to restate it: with a true-positive rate of 0.8 and a
        false-positive rate of 0.01 nearly half of the flagged rows are anomalies at 0.01, and
        7 % at 0.001. None is their share in `y_true`.
    sample_weight : array-like of shape (n_samples,), default=None
        How much each row counts; None is 1 for all.

    Returns
    -------
    precision : float
        0 where nothing is flagged.

    Raises
    ------
    ValueError
        If the labels are not -1 and +1, or only one of them; if a weight is negative or not
        finite, or those of a class are all zero; if `prevalence` is not in (0, 1).

    Examples
    --------
    >>> from skflow.metrics import precision_score
    >>> precision_score([1, 1, 1, -1], [1, 1, -1, -1])
    0.5
    >>> round(precision_score([1, 1, 1, -1], [1, 1, -1, -1], prevalence=0.01), 3)
    0.029
    """
    is_anomaly, predicted, weight = checked(y_true, y_pred, sample_weight)
    weight = np.ones(len(predicted)) if weight is None else weight
    if prevalence is not None:
        weight = at_prevalence(is_anomaly, weight, prevalence)
    flagged = predicted == -1
    found = weight[flagged & is_anomaly].sum()
    return float(found / weight[flagged].sum()) if found else 0.0


def tpr_at_fpr_score(
    y_true: Any, anomaly_score: Any, *, max_fpr: float = 0.01, sample_weight: Any = None
) -> float:
    """Share of the anomalies found at a false-positive rate of at most `max_fpr`.

    For a telescope: the efficiency for gammas at an efficiency for hadrons of 1 %.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        -1 for anomalies, +1 for the bulk.
    anomaly_score : array-like of shape (n_samples,)
        Higher means more anomalous.
    max_fpr : float in (0, 1), default=0.01
        Largest share of the bulk that may be flagged.
    sample_weight : array-like of shape (n_samples,), default=None
        How much each row counts; None is 1 for all.

    Returns
    -------
    tpr : float
        At the lowest threshold on the scores that keeps to `max_fpr`; no interpolation, and
        rows with one and the same score are flagged together.

    Raises
    ------
    ValueError
        If the labels are not -1 and +1, or only one of them; if a weight is negative or not
        finite, or those of a class are all zero; if `max_fpr` is not in (0, 1).

    Examples
    --------
    >>> from skflow.metrics import tpr_at_fpr_score
    >>> tpr_at_fpr_score([1, 1, -1, -1], [0.1, 0.4, 0.35, 0.8], max_fpr=0.1)
    0.5
    """
    check_share("max_fpr", max_fpr)
    fpr, tpr, _ = roc_curve(y_true, anomaly_score, sample_weight=sample_weight)
    # Weights are summed: their rounding must not shut out a row that is just allowed.
    return float(tpr[fpr <= max_fpr * (1 + 1e-12)].max())


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
    is_anomaly, score, _ = checked(y_true, anomaly_score)
    score = lost_last(score)
    n = int(is_anomaly.sum()) if n is None else n
    if not 1 <= n <= len(score):
        raise ValueError(f"n must be between 1 and the {len(score)} rows; got {n}")
    cut = np.sort(score)[-n]
    above, tied = score > cut, (score == cut) & (score >= 0)
    found = is_anomaly[above].sum()
    if tied.any():
        found = found + (n - above.sum()) * is_anomaly[tied].mean()
    return float(found / n)
