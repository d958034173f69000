"""Rows and their feature names as tables."""

from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline


def pandas(function: str) -> Any:
    """The package, or an error that says who needs it."""
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(f"{function} needs pandas: pip install pandas") from error
    return pd


def feature_names(estimator: Any, detector: Any, rows: Any) -> list[str]:
    """Names of the columns that the detector at the end of a pipeline sees."""
    if hasattr(detector, "feature_names_in_"):
        return list(detector.feature_names_in_)
    if hasattr(rows, "columns"):
        return [str(column) for column in rows.columns]
    while isinstance(estimator, FrozenEstimator):
        estimator = estimator.estimator
    if isinstance(estimator, Pipeline) and len(estimator) > 1:
        first = estimator[:-1]
        if hasattr(first, "get_feature_names_out"):
            return [str(name) for name in first.get_feature_names_out()]
    return [f"x{j}" for j in range(np.shape(rows)[1])]


def as_fitted(detector: Any, rows: np.ndarray, names: list[str]) -> Any:
    """Rows with column names, if the detector was fitted to such."""
    if not hasattr(detector, "feature_names_in_"):
        return rows
    return pandas("feature names").DataFrame(rows, columns=names)
