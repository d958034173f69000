"""lazily: a fitted estimator's methods on Dask's arrays and data frames, block by block."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np


def lazily(method: Callable[[Any], Any], X: Any) -> Any:
    """Apply a method of a fitted estimator to a Dask array or data frame, without computing it.

    Every block of rows is one task, on whichever worker of the cluster; nobody holds all rows.
    For what looks at every row by itself: ``score_samples``, ``decision_function``, ``predict``,
    ``transform`` of detectors, of `HillasTransformer` and of pipelines of such.

    Parameters
    ----------
    method : callable
        Bound method of a fitted estimator; the estimator travels to the workers.
    X : dask.array.Array of shape (n_samples, ...) or dask.dataframe.DataFrame
        Rows. Arrays may have chunks along the rows alone; others are joined. Their number need not
        be known.

    Returns
    -------
    result : dask.array.Array, dask.dataframe.Series or dask.dataframe.DataFrame
        What the method returns for all rows: an array for an array; a series or, for several
        columns, a frame for a frame, with its index and the names of
        ``get_feature_names_out``.

    Raises
    ------
    ImportError
        If Dask is not installed.
    TypeError
        If X is neither.

    Examples
    --------
    >>> import dask.array as da
    >>> import numpy as np
    >>> from skflow import MahalanobisDetector
    >>> from skflow.interop import lazily
    >>> X = np.random.RandomState(0).normal(size=(1000, 2))
    >>> detector = MahalanobisDetector().fit(X)
    >>> scores = lazily(detector.score_samples, da.from_array(X, chunks=(100, 2)))
    >>> scores
    dask.array<_block, shape=(1000,), dtype=float64, chunksize=(100,), chunktype=numpy.ndarray>
    >>> bool((scores.compute() == detector.score_samples(X)).all())
    True
    """
    try:
        array = import_module("dask.array")
    except ImportError as error:
        raise ImportError(
            "lazily needs Dask; install it with: pip install skflow-detect[dask]"
        ) from error
    if isinstance(X, array.Array):
        return _on_array(method, X)
    if hasattr(X, "map_partitions") and hasattr(X, "_meta"):
        return _on_frame(method, X)
    raise TypeError(
        f"X must be a Dask array or data frame; got {type(X).__name__}: call the method itself"
    )


def _on_array(method: Any, X: Any) -> Any:
    X = X.rechunk(dict.fromkeys(range(1, X.ndim), -1))
    empty = _example(method, np.zeros((1, *X.shape[1:]), X.dtype))
    return X.map_blocks(
        _block,
        method=method,
        empty=empty,
        dtype=empty.dtype,
        meta=empty,
        drop_axis=list(range(1, X.ndim)),
        new_axis=list(range(1, empty.ndim)) or None,
        chunks=(X.chunks[0], *empty.shape[1:]),
    )


def _on_frame(method: Any, X: Any) -> Any:
    pandas = import_module("pandas")
    example = X._meta.astype(float, errors="ignore").reindex([0]).fillna(0.0)
    empty = _example(method, example)
    if empty.ndim == 1:
        meta = pandas.Series(empty, index=X._meta.index)
    else:
        names = _names(method, empty.shape[1])
        meta = pandas.DataFrame(empty, index=X._meta.index, columns=names)
    return X.map_partitions(_partition, method=method, empty=empty, like=meta, meta=meta)


def _example(method: Any, row: Any) -> np.ndarray:
    """What the method returns, of no rows."""
    return np.asarray(method(row))[:0]


def _names(method: Any, n_columns: int) -> list[Any]:
    estimator: Any = getattr(method, "__self__", None)
    if hasattr(estimator, "get_feature_names_out"):
        names = list(estimator.get_feature_names_out())
        if len(names) == n_columns:
            return names
    return list(range(n_columns))


def _block(X: np.ndarray, method: Any, empty: np.ndarray) -> np.ndarray:
    return np.asarray(method(X)) if len(X) else empty


def _partition(X: Any, method: Any, empty: np.ndarray, like: Any) -> Any:
    values = _block(X, method, empty)
    if values.ndim == 1:
        return type(like)(values, index=X.index)
    return type(like)(values, index=X.index, columns=like.columns)
