"""Rows and their feature names as tables."""

from contextlib import suppress
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from ..detectors._latent import inside


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
    names = [f"x{j}" for j in range(np.shape(rows)[1])]
    while estimator is not None:
        if isinstance(estimator, Pipeline) and len(estimator) > 1:
            # Some transformers cannot say what they return.
            with suppress(AttributeError):
                names = [str(name) for name in estimator[:-1].get_feature_names_out()]
        estimator = inside(estimator)
    return names


def as_fitted(detector: Any, rows: np.ndarray, names: list[str]) -> Any:
    """Rows with column names, if the detector was fitted to such."""
    if not hasattr(detector, "feature_names_in_"):
        return rows
    return pandas("feature names").DataFrame(rows, columns=names)


def same_columns(X: Any, other: Any) -> None:
    """Refuse tables whose columns differ, by name where both have names."""
    if np.shape(X)[1:] != np.shape(other)[1:]:
        raise ValueError(
            f"both tables must have the same columns; got shapes {np.shape(X)} and "
            f"{np.shape(other)}"
        )
    if hasattr(X, "columns") and hasattr(other, "columns"):
        names, others = list(X.columns), list(other.columns)
        if names != others:
            raise ValueError(
                "both tables must have the same columns in the same order; got "
                f"{names[:5]} and {others[:5]}"
            )
