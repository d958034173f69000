"""Curves over all thresholds: ROC, and the significance improvement of gamma-ray astronomy."""

from typing import Any, NamedTuple

import numpy as np

from ._checks import checked


class RocCurve(NamedTuple):
    """Shares of flagged rows at every threshold, from none flagged to all judged rows."""

    fpr: np.ndarray
    tpr: np.ndarray
    thresholds: np.ndarray


class SignificanceImprovement(NamedTuple):
    """By how much each cut improves the significance of a signal over a large background."""

    tpr: np.ndarray
    improvement: np.ndarray
    thresholds: np.ndarray


def roc_curve(y_true: Any, anomaly_score: Any, *, sample_weight: Any = None) -> RocCurve:
    """Efficiencies for the bulk and for anomalies at every threshold.

    As scikit-learn's, but lost rows (NaN) count in both classes and are never flagged, so that
    the curve ends below (1, 1) where there are some.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        -1 for anomalies, +1 for the bulk.
    anomaly_score : array-like of shape (n_samples,)
        Higher means more anomalous.
    sample_weight : array-like of shape (n_samples,), default=None
        How much each row counts; None is 1 for all.

    Returns
    -------
    fpr, tpr : ndarray of shape (n_thresholds,)
        Shares of the bulk and of the anomalies whose score is at least the threshold.
    thresholds : ndarray of shape (n_thresholds,)
        Falling; infinity first, then every score there is.

    Raises
    ------
    ValueError
        If the labels are not -1 and +1, or only one of them; if a weight is negative or not
        finite, or those of a class are all zero.

    Examples
    --------
    >>> from skflow.metrics import roc_curve
    >>> roc_curve([1, 1, -1, -1], [0.1, 0.4, 0.35, 0.8]).tpr
    array([0. , 0.5, 0.5, 1. , 1. ])
    """
    is_anomaly, score, weight = checked(y_true, anomaly_score, sample_weight)
    weight = np.ones(len(score)) if weight is None else weight
    judged = ~np.isnan(score)
    values, place = np.unique(score[judged], return_inverse=True)

    def share(own: np.ndarray) -> np.ndarray:
        at = np.bincount(place, weights=np.where(own, weight, 0.0)[judged], minlength=len(values))
        return np.append(0.0, np.cumsum(at[::-1])) / weight[own].sum()

    return RocCurve(share(~is_anomaly), share(is_anomaly), np.append(np.inf, values[::-1]))


def significance_improvement_curve(
    y_true: Any,
    anomaly_score: Any,
    *,
    min_background: int = 10,
    sample_weight: Any = None,
) -> SignificanceImprovement:
    r"""Significance improvement characteristic, or quality factor: :math:`Q = TPR / \sqrt{FPR}`.

    A signal of S events over a background of B has a significance near :math:`S / \sqrt B`, and
    a cut changes it by Q.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        -1 for the signal (gammas), +1 for the background (hadrons).
    anomaly_score : array-like of shape (n_samples,)
        Higher means more anomalous.
    min_background : int, default=10
        Cuts that fewer rows of the background pass are left out: there Q is large by chance.
    sample_weight : array-like of shape (n_samples,), default=None
        How much each row counts, such as weights that turn a simulated spectrum into a real
        one; `min_background` counts rows.

    Returns
    -------
    tpr : ndarray of shape (n_cuts,)
        Efficiency for the signal.
    improvement : ndarray of shape (n_cuts,)
        Q of each cut.
    thresholds : ndarray of shape (n_cuts,)
        Falling; rows whose score is at least the threshold pass.

    Raises
    ------
    ValueError
        If the labels are not -1 and +1, or only one of them; if a weight is negative or not
        finite, or those of a class are all zero; if `min_background` is below 1, or fewer rows of
        the background pass any cut.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.metrics import significance_improvement_curve
    >>> rng = np.random.RandomState(0)
    >>> y = np.repeat([1, -1], [1000, 100])
    >>> curve = significance_improvement_curve(y, rng.normal(size=1100) + 2 * (y == -1))
    >>> round(float(curve.improvement.max()), 1)
    3.7
    """
    if min_background < 1:
        raise ValueError(f"min_background must be at least 1; got {min_background}")
    fpr, tpr, thresholds = roc_curve(y_true, anomaly_score, sample_weight=sample_weight)
    is_anomaly, score, _ = checked(y_true, anomaly_score)
    background = np.sort(score[~is_anomaly])  # NaN, which passes no cut, comes last
    n_judged = int(np.sum(~np.isnan(background)))
    n_passing = n_judged - np.searchsorted(background[:n_judged], thresholds)
    enough = (n_passing >= min_background) & (fpr > 0)
    if not enough.any():
        raise ValueError(
            f"min_background={min_background} rows of the background must pass some cut; got "
            f"{n_judged} that have a score"
        )
    fpr, tpr, thresholds = fpr[enough], tpr[enough], thresholds[enough]
    return SignificanceImprovement(tpr, tpr / np.sqrt(fpr), thresholds)
