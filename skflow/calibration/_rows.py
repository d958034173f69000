"""What detectors around detectors do to rows: which are bulk, which train, how fit is called."""

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from .._sklearn import num_samples, safe_indexing
from ..detectors._base import BaseDetector
from ..detectors._validation import bulk_mask


def bulk_rows(X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the bulk and of known anomalies (-1)."""
    is_bulk = bulk_mask(y, num_samples(X))
    return np.flatnonzero(is_bulk), np.flatnonzero(~is_bulk)


def fitted_on(
    estimator: Any, X: Any, bulk: np.ndarray, anomalies: np.ndarray, fit_params: dict[str, Any]
) -> Any:
    """Fit a copy to bulk rows, and to known anomalies if it knows what y = -1 is.

    scikit-learn's own detectors would train on anomalies as if they were bulk.
    """
    model = clone(estimator)
    last = model
    while isinstance(last, Pipeline):
        last = last.steps[-1][1]
    if not len(anomalies) or not isinstance(last, BaseDetector):
        return model.fit(safe_indexing(X, bulk), **fit_params)
    rows = np.concatenate([bulk, anomalies])
    y = np.where(np.arange(len(rows)) < len(bulk), 1, -1)
    return model.fit(safe_indexing(X, rows), y, **fit_params)
