"""The rules for y: which rows are bulk, and when labels are refused."""

import warnings
from typing import Any

import numpy as np
from sklearn.utils import check_consistent_length, column_or_1d


def bulk_mask(y: Any, n_samples: int) -> np.ndarray:
    """Tell bulk rows from labelled anomalies: the bulk is every row whose y is not -1.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or None
        Labels. If any is -1, all others must be +1; without a -1, y changes nothing.
    n_samples : int
        Number of rows.

    Returns
    -------
    mask : ndarray of bool, shape (n_samples,)

    Raises
    ------
    ValueError
        If y has another length, NaN, or labels other than +1 beside -1.
    """
    if y is None:
        return np.ones(n_samples, dtype=bool)
    y = column_or_1d(y, warn=True)
    check_consistent_length(np.empty(n_samples), y)
    if y.dtype.kind == "f" and np.isnan(y).any():
        raise ValueError(f"y must not contain NaN; got NaN at row {np.isnan(y).argmax()}")
    if y.dtype.kind in "US":
        if (y == "-1").any():
            raise ValueError("y marks anomalies with the number -1; got the text '-1'")
        return np.ones(n_samples, dtype=bool)
    is_bulk = np.asarray(y != -1, dtype=bool)
    labels = list(dict.fromkeys(y[is_bulk].tolist()))
    if not is_bulk.all() and any(label != 1 for label in labels):
        others = [label for label in labels if label != 1]
        raise ValueError(
            "y marks anomalies with -1, so every other label must be +1 (bulk); "
            f"got {others[:5]} as well"
        )
    if set(labels) == {0, 1}:
        warnings.warn(
            "y holds 0 and 1, which changes nothing: detectors take +1 for bulk and -1 for "
            "anomalies. If 1 marks the anomalies, pass np.where(y == 1, -1, 1)",
            UserWarning,
            stacklevel=2,
        )
    return is_bulk
