"""Figures of merit of gamma-ray astronomy: quality factor, and the significance of Li and Ma."""

from typing import Any

import numpy as np
from scipy.special import xlogy

from ._checks import checked
from ._curves import significance_improvement_curve


def quality_factor_score(
    y_true: Any,
    anomaly_score: Any,
    *,
    threshold: float | None = None,
    min_background: int = 10,
    sample_weight: Any = None,
) -> float:
    r"""Quality factor of a cut, or of the best: :math:`Q = \epsilon_\gamma / \sqrt{\epsilon_h}`.

    The maximum over all cuts is that of `significance_improvement_curve`.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        -1 for the signal (gammas), +1 for the background (hadrons).
    anomaly_score : array-like of shape (n_samples,)
        Higher means more anomalous.
    threshold : float or None, default=None
        Rows whose score is at least this pass. None is the cut of the largest Q: a threshold
        that is chosen on the rows it is judged by looks better than it is.
    min_background : int, default=10
        Rows of the background that must pass a cut.
    sample_weight : array-like of shape (n_samples,), default=None
        How much each row counts, such as weights that turn a simulated spectrum into a real
        one; `min_background` counts rows.

    Returns
    -------
    quality : float
        1 without a cut.

    Raises
    ------
    ValueError
        If the labels are not -1 and +1, or only one of them; if a weight is negative or not
        finite, or those of a class are all zero; if `min_background` is below 1, or fewer rows
        of the background pass the cut.

    Examples
    --------
    >>> from skflow.metrics import quality_factor_score
    >>> y, score = [1, 1, 1, 1, -1, -1], [0, 1, 2, 3, 3, 4]
    >>> quality_factor_score(y, score, min_background=1)
    2.0
    """
    curve = significance_improvement_curve(
        y_true, anomaly_score, min_background=min_background, sample_weight=sample_weight
    )
    if threshold is None:
        return float(curve.improvement.max())
    is_anomaly, score, _ = checked(y_true, anomaly_score)
    n_passing = int(np.sum(score[~is_anomaly] >= threshold))
    # The cut at the lowest score that passes is the same cut.
    same = np.flatnonzero(curve.thresholds >= threshold)
    if n_passing < min_background or not len(same):
        raise ValueError(
            f"min_background={min_background} rows of the background must pass the cut; got "
            f"{n_passing} at threshold={threshold}"
        )
    return float(curve.improvement[same[-1]])


def li_ma_significance(n_on: Any, n_off: Any, alpha: Any) -> Any:
    r"""Significance of a signal in counts on and off the source (Li and Ma 1983, eq. 17 [1]_).

    .. math::

        S = \sqrt 2 \left\{
            N_{on} \ln\left[\frac{1 + \alpha}{\alpha} \frac{N_{on}}{N_{on} + N_{off}}\right]
            + N_{off} \ln\left[(1 + \alpha) \frac{N_{off}}{N_{on} + N_{off}}\right]
        \right\}^{1/2}

    Parameters
    ----------
    n_on, n_off : array-like of float
        Counts in the on and the off region, or sums of weights.
    alpha : array-like of float
        Exposure of the on region over that of the off region, above 0.

    Returns
    -------
    significance : float or ndarray
        In standard deviations; negative where there are fewer counts on the source than
        ``alpha * n_off``; 0 without any count.

    Raises
    ------
    ValueError
        If a count is negative or alpha is not above 0.

    References
    ----------
    .. [1] Li and Ma, "Analysis methods for results in gamma-ray astronomy", Astrophysical
       Journal 272, 1983.

    Examples
    --------
    >>> from skflow.metrics import li_ma_significance
    >>> round(li_ma_significance(10, 15, 0.2), 3)
    2.767
    """
    on, off, ratio = np.broadcast_arrays(*(np.asarray(v, float) for v in (n_on, n_off, alpha)))
    if not ((on >= 0) & (off >= 0)).all():
        raise ValueError(f"n_on and n_off must not be negative; got {n_on} and {n_off}")
    if not (ratio > 0).all():
        raise ValueError(f"alpha must be above 0; got {alpha}")
    total = np.maximum(on + off, np.finfo(float).tiny)
    terms = xlogy(on, (1 + ratio) / ratio * on / total) + xlogy(off, (1 + ratio) * off / total)
    # Both terms cancel where on = alpha off; rounding may leave less than nothing.
    significance = np.sign(on - ratio * off) * np.sqrt(2 * np.maximum(terms, 0))
    return float(significance) if significance.ndim == 0 else significance
