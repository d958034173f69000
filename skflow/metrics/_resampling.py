"""Intervals for any metric, and the paired comparison of two detectors on the same rows."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_consistent_length, check_random_state, column_or_1d

from ._checks import check_share, checked_weight


class Interval(NamedTuple):
    """A figure on all rows, and the ends of its bootstrap interval."""

    value: float
    low: float
    high: float


class PairedDifference(NamedTuple):
    """First minus second on all rows, the ends of its interval, and a two-sided p-value."""

    difference: float
    low: float
    high: float
    p_value: float


def bootstrap_interval(
    metric: Callable[..., float],
    y_true: Any,
    anomaly_score: Any,
    *,
    sample_weight: Any = None,
    n_resamples: int = 1000,
    confidence_level: float = 0.95,
    random_state: Any = None,
) -> Interval:
    """Bootstrap interval of a metric: how much it depends on the rows that happened to be there.

    Rows are drawn with replacement within each class (their numbers are usually chosen, not
    found), and the percentiles of the metric's values are the ends. It covers the choice of test
    rows, not that of training rows or seeds.

    Parameters
    ----------
    metric : callable
        ``metric(y_true, anomaly_score)`` returns a float; with weights it is called with
        ``sample_weight=``, too. `functools.partial` sets options.
    y_true : array-like of shape (n_samples,)
        -1 for anomalies, +1 for the bulk.
    anomaly_score : array-like of shape (n_samples,)
        Higher means more anomalous.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights, which are drawn with their rows.
    n_resamples : int, default=1000
        Number of draws.
    confidence_level : float in (0, 1), default=0.95
        Share of the draws between the ends.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    Returns
    -------
    interval : Interval
        ``value``, ``low`` and ``high``.

    Raises
    ------
    ValueError
        If `confidence_level` is not in (0, 1), `n_resamples` is below 2, or `metric` refuses the
        rows.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.metrics import bootstrap_interval, roc_auc_score
    >>> rng = np.random.RandomState(0)
    >>> y = np.repeat([1, -1], [200, 50])
    >>> score = rng.normal(size=250) + (y == -1)
    >>> value, low, high = bootstrap_interval(roc_auc_score, y, score, random_state=0)
    >>> print(f"{value:.2f}, between {low:.2f} and {high:.2f}")
    0.72, between 0.65 and 0.79
    """
    columns = _columns(y_true, sample_weight, anomaly_score)
    value = _value(metric, *columns)
    draws = _draws(columns[0], n_resamples, confidence_level, random_state)
    values = [_value(metric, *(c if c is None else c[rows] for c in columns)) for rows in draws]
    return Interval(value, *_ends(values, confidence_level))


def paired_difference(
    metric: Callable[..., float],
    y_true: Any,
    anomaly_score: Any,
    other_score: Any,
    *,
    sample_weight: Any = None,
    n_resamples: int = 1000,
    confidence_level: float = 0.95,
    random_state: Any = None,
) -> PairedDifference:
    """Difference of a metric between two detectors that scored the same rows.

    Both are judged on the same bootstrap draws, so that what makes rows easy or hard for both
    cancels: two intervals that overlap may well belong to detectors that differ.

    Parameters
    ----------
    metric : callable
        As for `bootstrap_interval`.
    y_true : array-like of shape (n_samples,)
        -1 for anomalies, +1 for the bulk.
    anomaly_score, other_score : array-like of shape (n_samples,)
        Scores of both detectors; higher means more anomalous.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights, which are drawn with their rows.
    n_resamples : int, default=1000
        Number of draws.
    confidence_level : float in (0, 1), default=0.95
        Share of the draws between the ends.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    Returns
    -------
    difference : PairedDifference
        ``difference`` (the first minus the other), ``low``, ``high`` and ``p_value``: twice the
        share of draws in which the sign is the other one, at least 2 / (n_resamples + 1).

    Raises
    ------
    ValueError
        If `confidence_level` is not in (0, 1), `n_resamples` is below 2, or `metric` refuses the
        rows.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.metrics import paired_difference, roc_auc_score
    >>> rng = np.random.RandomState(0)
    >>> y = np.repeat([1, -1], [200, 50])
    >>> score = rng.normal(size=250) + (y == -1)
    >>> worse = score + 2 * rng.normal(size=250)
    >>> result = paired_difference(roc_auc_score, y, score, worse, random_state=0)
    >>> print(f"{result.difference:.2f}, between {result.low:.2f} and {result.high:.2f}")
    0.09, between -0.00 and 0.19
    """
    y, weight, *scores = _columns(y_true, sample_weight, anomaly_score, other_score)
    first, second = (_value(metric, y, weight, score) for score in scores)
    differences = []
    for rows in _draws(y, n_resamples, confidence_level, random_state):
        drawn = weight if weight is None else weight[rows]
        one, two = (_value(metric, y[rows], drawn, score[rows]) for score in scores)
        differences.append(one - two)
    lower = np.sum(np.asarray(differences) <= 0)
    higher = np.sum(np.asarray(differences) >= 0)
    p_value = min(1.0, 2 * (min(lower, higher) + 1) / (n_resamples + 1))
    return PairedDifference(first - second, *_ends(differences, confidence_level), float(p_value))


def _columns(y_true: Any, sample_weight: Any, *scores: Any) -> list[Any]:
    y, *given = (column_or_1d(column) for column in (y_true, *scores))
    check_consistent_length(y, *given)
    if sample_weight is None:
        return [y, None, *given]
    weight = checked_weight(sample_weight, len(y))
    # Rows of weight 0 must not be all that a draw has of a class.
    return [column[weight > 0] for column in (y, weight, *given)]


def _value(metric: Callable[..., float], y: Any, weight: Any, score: Any) -> float:
    options = {} if weight is None else {"sample_weight": weight}
    return float(metric(y, score, **options))


def _draws(y: np.ndarray, n_resamples: int, confidence_level: float, random_state: Any) -> Any:
    """Rows of every draw: as many of each class as there are."""
    check_share("confidence_level", confidence_level)
    if n_resamples < 2:
        raise ValueError(f"n_resamples must be at least 2; got {n_resamples}")
    rng = check_random_state(random_state)
    classes = [np.flatnonzero(y == label) for label in np.unique(y)]
    for _ in range(n_resamples):
        yield np.concatenate([rng.choice(rows, len(rows)) for rows in classes])


def _ends(values: list[float], confidence_level: float) -> tuple[float, float]:
    tail = (1 - confidence_level) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)
