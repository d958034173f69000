"""What detectors around detectors do to rows: which are bulk, which train, how fit is called."""

from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import check_cv
from sklearn.pipeline import Pipeline

from .._sklearn import check_method_params, num_samples, safe_indexing
from ._base import BaseDetector
from ._validation import bulk_mask


def bulk_rows(X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the bulk and of known anomalies (-1)."""
    is_bulk = bulk_mask(y, num_samples(X))
    return np.flatnonzero(is_bulk), np.flatnonzero(~is_bulk)


def fitted_on(
    estimator: Any, X: Any, bulk: np.ndarray, anomalies: np.ndarray, fit_params: dict[str, Any]
) -> Any:
    """Fit a copy to bulk rows, and to known anomalies if it knows what y = -1 is.

    scikit-learn's own detectors would train on anomalies as if they were bulk. Further arguments
    with a value for each row of X lose those that do not train, but for `X_contrast`, whose rows
    are others.
    """
    model, last = clone(estimator), estimator
    while not isinstance(last, BaseDetector) and (
        isinstance(last, Pipeline) or hasattr(last, "estimator")
    ):
        last = last.steps[-1][1] if isinstance(last, Pipeline) else last.estimator
    learns = len(anomalies) > 0 and isinstance(last, BaseDetector)
    rows = np.sort(np.concatenate([bulk, anomalies])) if learns else bulk
    of_rows = {name: value for name, value in fit_params.items() if name != "X_contrast"}
    params = fit_params | check_method_params(X, of_rows, indices=rows)
    if not learns:
        return model.fit(safe_indexing(X, rows), **params)
    return model.fit(safe_indexing(X, rows), np.where(np.isin(rows, anomalies), -1, 1), **params)


def copy_features(detector: Any, fitted: Any) -> None:
    """Take over what a fitted estimator says of its columns, if it does."""
    for name in ("n_features_in_", "feature_names_in_"):
        vars(detector).pop(name, None)
        if hasattr(fitted, name):
            setattr(detector, name, getattr(fitted, name))


def relative(scores: np.ndarray, offset: float) -> np.ndarray:
    """Scores less a threshold; 0 where both are the same infinity, NaN only without a score."""
    with np.errstate(invalid="ignore"):
        return np.where(scores == offset, 0.0, scores - offset)


def out_of_fold(
    estimator: Any,
    X: Any,
    bulk: np.ndarray,
    anomalies: np.ndarray,
    cv: Any,
    fit_params: dict[str, Any],
    n_jobs: int | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of all rows by detectors that did not train on them, and labels.

    A `FrozenEstimator` scores all rows, none of which it may have seen.
    """
    label = np.ones(num_samples(X), dtype=int)
    label[anomalies] = -1
    if isinstance(estimator, FrozenEstimator):
        return np.asarray(estimator.score_samples(X), dtype=np.float64), label
    splits = list(check_cv(cv, label, classifier=True).split(X, label))
    tested = np.sort(np.concatenate([test for _, test in splits]))
    if not np.array_equal(tested, np.arange(len(label))):
        raise ValueError("cv must be a partition: every row in the test part of one fold")

    def score(train: np.ndarray, test: np.ndarray) -> np.ndarray:
        parts = np.intersect1d(train, bulk), np.intersect1d(train, anomalies)
        model = fitted_on(estimator, X, *parts, fit_params)
        return np.asarray(model.score_samples(safe_indexing(X, test)), dtype=np.float64)

    scores = np.full(len(label), np.nan)
    found = Parallel(n_jobs=n_jobs)(delayed(score)(*split) for split in splits)
    for (_, test), own in zip(splits, found, strict=True):
        scores[test] = own
    return scores, label
