"""Ready scorers for model selection: the ranking figures with any outlier detector."""

from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import Any

from ._ranking import (
    average_precision_score,
    precision_at_n_score,
    precision_score,
    roc_auc_score,
    tpr_at_fpr_score,
)
from ._significance import quality_factor_score

METRICS: dict[str, Callable[..., float]] = {
    "average_precision": average_precision_score,
    "precision": precision_score,
    "precision_at_n": precision_at_n_score,
    "quality_factor": quality_factor_score,
    "roc_auc": roc_auc_score,
    "tpr_at_fpr": tpr_at_fpr_score,
}


def _score(
    estimator: Any, X: Any, y_true: Any, *, metric: Callable[..., float], **options: Any
) -> float:
    if metric is precision_score:
        return metric(y_true, estimator.predict(X), **options)
    # Every scikit-learn outlier detector has score_samples, higher for the more normal.
    return metric(y_true, -estimator.score_samples(X), **options)


def get_scorer_names() -> list[str]:
    """Names that `get_scorer` knows.

    Returns
    -------
    names : list of str

    Examples
    --------
    >>> from skflow.metrics import get_scorer_names
    >>> get_scorer_names()
    ['average_precision', 'precision', 'precision_at_n', 'quality_factor', 'roc_auc', 'tpr_at_fpr']
    """
    return sorted(METRICS)


def get_scorer(name: str, **options: Any) -> Callable[[Any, Any, Any], float]:
    """Get a scorer for ``scoring=`` of `GridSearchCV` and `cross_val_score`.

    It ranks the rows by ``score_samples`` of any scikit-learn outlier detector or pipeline and
    takes y with -1 for anomalies, the positive class, and +1 for the bulk. (scikit-learn's own
    "average_precision" would rank the bulk, and its "roc_auc" is upside down for labels in
    {0, 1}, which are refused here.)

    Parameters
    ----------
    name : str
        "roc_auc" (up to ``max_fpr=`` if given), "average_precision" (of the anomaly class;
        ``prevalence=``), "tpr_at_fpr" (at 1 % unless ``max_fpr=`` is given), "precision_at_n"
        (``n=`` rows; else as many as anomalies), "quality_factor" (``min_background=``) or
        "precision" (of ``predict`` instead of the ranking; ``prevalence=``).
    **options : dict
        Options of the metric.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y)`` returns a float, higher is better; all but "precision_at_n"
        take ``sample_weight=``, too.

    Raises
    ------
    ValueError
        If the name or an option is not known.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skflow import MahalanobisDetector
    >>> from skflow.metrics import get_scorer
    >>> X = np.random.RandomState(0).normal(size=(200, 2)) * [1, 5]
    >>> y = np.where(abs(X[:, 0]) > 2, -1, 1)
    >>> search = GridSearchCV(
    ...     MahalanobisDetector(),
    ...     {"covariance": ["full", "spherical"]},
    ...     scoring=get_scorer("roc_auc"),
    ... )
    >>> search.fit(X, y).best_params_
    {'covariance': 'full'}
    """
    if name not in METRICS:
        raise ValueError(f"name must be one of {get_scorer_names()}; got {name!r}")
    metric = METRICS[name]
    unknown = set(options) - set(signature(metric).parameters)
    if unknown:
        raise ValueError(f"{name} has no option {sorted(unknown)}")
    return partial(_score, metric=metric, **options)
