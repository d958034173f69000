"""compare_detectors: a table of detectors, with labels or without."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from scipy.stats import bootstrap
from sklearn.model_selection import check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state, indexable

from .._sklearn import num_samples, safe_indexing
from ..detectors._around import bulk_rows, fitted_on
from ..detectors._base import LOST_LOG_DENSITY, BaseDetector
from ..metrics import bootstrap_interval
from ..metrics._scorers import METRICS
from ._axes import name_of
from ._frames import pandas

#: Metrics of scores by their names in `get_scorer_names`.
RANKING = sorted(set(METRICS) - {"precision"})


def compare_detectors(
    estimators: Any,
    X: Any,
    y: Any = None,
    *,
    metrics: Sequence[str] = ("roc_auc", "average_precision"),
    cv: Any = 5,
    confidence_level: float = 0.95,
    n_resamples: int = 500,
    n_jobs: int | None = None,
    random_state: Any = None,
) -> Any:
    """Compare detectors by cross-validation.

    Every fold's rows are scored by detectors fitted to the others: to the bulk alone, and to known
    anomalies where they are skflow's, which know what -1 means. With labels the figures are
    ranking metrics. Without any the one honest figure is the mean log-density of held-out rows, and
    it compares only densities of the same features: all estimators must be density detectors
    behind the same preprocessing steps, because a change of units alone changes a density. A
    higher density of the bulk is a better model of the bulk; it is no promise that anomalies
    rank higher.

    Parameters
    ----------
    estimators : mapping of str to detector, or sequence of detectors
        Outlier detectors of scikit-learn's kind with ``score_samples``, or pipelines. In a sequence
        their classes name them.
    X : array-like of shape (n_samples, n_features)
        Rows.
    y : array-like of shape (n_samples,), default=None
        -1 for anomalies, +1 for the bulk.
    metrics : sequence of str, default=("roc_auc", "average_precision")
        Names of `skflow.metrics.get_scorer_names`, but "precision"; used where y holds anomalies.
    cv : int, cross-validator or iterable, default=5
        Folds, stratified and shuffled if a number.
    confidence_level : float in (0, 1), default=0.95
        Of the intervals, which are bootstraps of the rows of each fold.
    n_resamples : int, default=500
        Draws of each bootstrap.
    n_jobs : int or None, default=None
        Fits at a time, through joblib. Seconds are longer where fits share processors.
    random_state : int, RandomState instance or None, default=None
        Seed of folds and intervals; estimators have their own.

    Returns
    -------
    table : pandas.DataFrame
        One row for each detector and metric, the best first: ``detector``, ``metric``, ``value``
        (mean over folds), ``low`` and ``high``, ``fit_seconds`` and ``score_seconds`` (median over
        folds).

    Raises
    ------
    ImportError
        If pandas is not installed.
    ValueError
        If a metric is not known, names are not unique, or, without anomalies, log-densities
        cannot be compared.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import IsolationForest
    >>> from skflow import MahalanobisDetector
    >>> from skflow.inspection import compare_detectors
    >>> rng = np.random.RandomState(0)
    >>> X, y = rng.normal(size=(500, 2)), np.repeat([1, -1], [450, 50])
    >>> X[y == -1] *= 3
    >>> table = compare_detectors(
    ...     [MahalanobisDetector(), IsolationForest(random_state=0)],
    ...     X,
    ...     y,
    ...     n_resamples=50,
    ...     random_state=0,
    ... )
    >>> list(table.columns)
    ['detector', 'metric', 'value', 'low', 'high', 'fit_seconds', 'score_seconds']
    >>> compare_detectors([MahalanobisDetector()], X, random_state=0)["metric"].tolist()
    ['log_density']
    """
    pd = pandas("compare_detectors")
    named = _named(estimators)
    (X,) = indexable(X)
    label = np.ones(num_samples(X), dtype=int)
    label[bulk_rows(X, y)[1]] = -1
    unlabelled = bool((label == 1).all())
    if unlabelled:
        _check_comparable(named)
    unknown = set(metrics) - set(RANKING)
    if unknown:
        raise ValueError(f"metrics must be among {RANKING}; got {sorted(unknown)}")
    rng = check_random_state(random_state)
    folds = _folds(cv, label, rng)
    fits = Parallel(n_jobs=n_jobs)(
        delayed(_fit_and_score)(estimator, X, label, train, test)
        for estimator in named.values()
        for train, test in folds
    )
    seed = int(rng.randint(2**31 - 1))
    rows = []
    for i, name in enumerate(named):
        own = fits[i * len(folds) : (i + 1) * len(folds)]
        seconds = {
            key: float(np.median([fit[key] for fit in own]))
            for key in ("fit_seconds", "score_seconds")
        }
        scores = [fit["scores"] for fit in own]
        tests = [label[test] for _, test in folds]
        if unlabelled:
            figures = {"log_density": _mean_interval(scores, confidence_level, n_resamples, seed)}
        else:
            figures = {
                metric: _fold_interval(metric, tests, scores, confidence_level, n_resamples, seed)
                for metric in metrics
            }
        for metric, (value, low, high) in figures.items():
            row = {"detector": name, "metric": metric, "value": value, "low": low, "high": high}
            rows.append(row | seconds)
    table = pd.DataFrame(rows)
    order = {metric: i for i, metric in enumerate(dict.fromkeys(table["metric"]))}
    table["place"] = table["metric"].map(order)
    table = table.sort_values(["place", "value"], ascending=[True, False], kind="stable")
    return table.drop(columns="place").reset_index(drop=True)


def _named(estimators: Any) -> dict[str, Any]:
    if isinstance(estimators, Mapping):
        return dict(estimators)
    named = {name_of(estimator): estimator for estimator in estimators}
    if len(named) < len(estimators):
        raise ValueError("estimators of one class must have names: pass a mapping")
    return named


def _folds(cv: Any, label: np.ndarray, rng: np.random.RandomState) -> list[Any]:
    folds = check_cv(cv, label, classifier=True)
    if isinstance(cv, int):
        folds = type(folds)(cv, shuffle=True, random_state=rng)
    return list(folds.split(label, label))


def _last(estimator: Any) -> tuple[Any, list[Any]]:
    """The detector at the end of a pipeline, and the steps before it."""
    steps: list[Any] = []
    while isinstance(estimator, Pipeline):
        steps += [step for _, step in estimator.steps[:-1] if step not in (None, "passthrough")]
        estimator = estimator.steps[-1][1]
    return estimator, steps


def _check_comparable(named: Mapping[str, Any]) -> None:
    """Refuse to compare log-densities that are none, or of different features."""
    preprocessing = {}
    for name, estimator in named.items():
        detector, steps = _last(estimator)
        if not (isinstance(detector, BaseDetector) and detector._is_log_density):
            raise ValueError(
                f"without anomalies in y only log-densities can be compared, and those of {name} "
                "are none; give labels, or leave it out"
            )
        preprocessing[name] = [repr(step) for step in steps]
    first = next(iter(preprocessing))
    for name, steps in preprocessing.items():
        if steps != preprocessing[first]:
            raise ValueError(
                "log-densities compare only behind the same preprocessing; "
                f"{first} has {preprocessing[first] or 'none'}, {name} has {steps or 'none'}"
            )


def _fit_and_score(
    estimator: Any, X: Any, label: np.ndarray, train: np.ndarray, test: np.ndarray
) -> dict[str, Any]:
    of_train = label[train]
    start = time.perf_counter()
    model = fitted_on(estimator, X, train[of_train == 1], train[of_train == -1], {})
    fitted = time.perf_counter()
    scores = np.asarray(model.score_samples(safe_indexing(X, test)), dtype=np.float64)
    scored = time.perf_counter()
    return {"scores": scores, "fit_seconds": fitted - start, "score_seconds": scored - fitted}


def _fold_interval(
    name: str,
    tests: list[np.ndarray],
    scores: list[np.ndarray],
    confidence_level: float,
    n_resamples: int,
    seed: int,
) -> tuple[float, float, float]:
    """Mean of a metric over folds; scores of different folds are not compared with each other."""
    metric = METRICS[name]
    fold = np.repeat(np.arange(len(tests)), [len(test) for test in tests])
    anomaly_score = -np.concatenate(scores)

    def over_folds(strata: np.ndarray, rows: np.ndarray) -> float:
        label, own = np.sign(strata), fold[rows]
        folds = [own == k for k in range(len(tests))]
        return float(np.mean([metric(label[k], anomaly_score[rows[k]]) for k in folds]))

    return bootstrap_interval(
        over_folds,
        np.concatenate(tests) * (fold + 1),  # each class of each fold is drawn from by itself
        np.arange(len(fold)),
        n_resamples=n_resamples,
        confidence_level=confidence_level,
        random_state=seed,
    )


def _mean_interval(
    scores: list[np.ndarray], confidence_level: float, n_resamples: int, seed: int
) -> tuple[float, float, float]:
    values = np.concatenate(scores)
    values = np.where(np.isnan(values), LOST_LOG_DENSITY, values)  # as in `score`
    interval = bootstrap(
        (values,),
        np.mean,
        n_resamples=n_resamples,
        confidence_level=confidence_level,
        method="percentile",
        random_state=np.random.default_rng(seed),
    ).confidence_interval
    return float(values.mean()), float(interval.low), float(interval.high)
