"""Checks that all metrics share."""

from typing import Any

import numpy as np
from sklearn.utils import check_consistent_length, column_or_1d


def checked(
    y_true: Any, anomaly_score: Any, sample_weight: Any = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return whether each row is an anomaly, its score, and its weight if there are weights."""
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
    is_anomaly = y_true == -1
    if sample_weight is None:
        return is_anomaly, score, None
    weight = checked_weight(sample_weight, len(score))
    if not weight[is_anomaly].any() or not weight[~is_anomaly].any():
        empty = "+1 (bulk)" if weight[is_anomaly].any() else "-1 (anomaly)"
        raise ValueError(f"sample_weight must be positive somewhere in each class; {empty} has 0")
    return is_anomaly, score, weight


def checked_weight(sample_weight: Any, n_rows: int) -> np.ndarray:
    """Weights as floats, ones if there are none."""
    if sample_weight is None:
        return np.ones(n_rows)
    weight = column_or_1d(sample_weight).astype(np.float64)
    check_consistent_length(np.empty(n_rows), weight)
    if not np.isfinite(weight).all() or (weight < 0).any():
        bad = weight[~(np.isfinite(weight) & (weight >= 0))][0]
        raise ValueError(f"sample_weight must be finite and not negative; got {bad}")
    return weight


def check_share(name: str, value: float) -> None:
    """Refuse what is not between 0 and 1."""
    if not 0 < value < 1:
        raise ValueError(f"{name} must be between 0 and 1; got {value}")


def lost_last(score: np.ndarray) -> np.ndarray:
    """Ranks instead of scores, so that +-inf are welcome and NaN has a place below them."""
    ranks = np.full(len(score), -1.0)
    judged = ~np.isnan(score)
    ranks[judged] = np.unique(score[judged], return_inverse=True)[1]
    return ranks


def at_prevalence(is_anomaly: np.ndarray, weight: np.ndarray, prevalence: float) -> np.ndarray:
    """Weights of rows under which a share `prevalence` of all are anomalies."""
    check_share("prevalence", prevalence)
    share = weight[is_anomaly].sum() / weight.sum()
    return weight * np.where(is_anomaly, prevalence / share, (1 - prevalence) / (1 - share))
