"""What detectors do before they look at data: check rows and labels, and keep their state."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.validation import validate_data


@contextmanager
def unchanged_on_error(estimator: Any) -> Iterator[None]:
    """Put every attribute back if the block fails: a failed fit loses nothing."""
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def predicted(decision: np.ndarray) -> np.ndarray:
    """Labels: -1 where the decision is negative, 0 where there is none (NaN), else +1."""
    return np.where(np.isnan(decision), 0, np.where(decision < 0, -1, 1))


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


def check_labels_so_far(y: Any, is_bulk: np.ndarray, seen: dict[str, Any]) -> None:
    """Refuse what `bulk_mask` refuses where it comes in several batches.

    `seen` tells of the former ones, and of this one afterwards.
    """
    if y is not None:
        y = np.ravel(y)
        others = y[is_bulk & (y != 1)][:1].tolist()
        if others:
            seen.setdefault("other", others[0])
    seen["rare"] = seen.get("rare", False) or not is_bulk.all()
    if seen["rare"] and "other" in seen:
        raise ValueError(
            "y marks anomalies with -1, so every other label must be +1 (bulk), in all batches; "
            f"got {seen['other']!r} as well"
        )


def resolve_columns(detector: Any, columns: Any, name: str) -> list[int]:
    """Return the positions of chosen columns.

    Parameters
    ----------
    detector : BaseDetector
        Being fitted: its ``n_features_in_`` and, for names, ``feature_names_in_`` count.
    columns : None, or array-like of str, int or bool
        Names, positions (negative ones count from the end), or a mask.
    name : str
        The parameter, for errors.

    Returns
    -------
    positions : list of int

    Raises
    ------
    ValueError
        If a column does not exist, is chosen twice, or cannot be told by its name.
    """
    n_features = detector.n_features_in_
    chosen = np.asarray([] if columns is None else columns)
    if chosen.size == 0:
        return []
    if chosen.ndim != 1 or chosen.dtype.kind not in "biuUO":
        raise ValueError(
            f"{name} must be a list of column names, positions or bools; got {columns!r}"
        )
    if chosen.dtype.kind == "b":
        if len(chosen) != n_features:
            raise ValueError(
                f"{name} must have one bool for each of the {n_features} columns; got {len(chosen)}"
            )
        return np.flatnonzero(chosen).tolist()
    if chosen.dtype.kind in "UO":
        names = list(getattr(detector, "feature_names_in_", []))
        missing = [column for column in chosen.tolist() if column not in names]
        if missing:
            known = names or "no names: X must be a DataFrame, or columns chosen by position"
            raise ValueError(f"{name} must be columns of X; got {missing}, and X has {known}")
        positions = [names.index(column) for column in chosen.tolist()]
    else:
        if (chosen < -n_features).any() or (chosen >= n_features).any():
            raise ValueError(
                f"{name} must be positions within the {n_features} columns of X; got {columns!r}"
            )
        positions = (chosen % n_features).tolist()
    if len(set(positions)) < len(positions):
        raise ValueError(f"{name} must not repeat a column; got {columns!r}")
    return positions


def resolve_noise(noise: Any, n_features: int, name: str) -> np.ndarray:
    """Return the noise of every column.

    Parameters
    ----------
    noise : float or array-like of shape (n_features,)
        One number for all columns, or one for each.
    n_features : int
        Number of columns.
    name : str
        The parameter, for errors.

    Returns
    -------
    noise : ndarray of shape (n_features,), float64

    Raises
    ------
    ValueError
        If there are not as many numbers as columns, or one is negative or not finite.
    """
    values = np.asarray(noise, dtype=np.float64)
    if values.shape not in ((), (n_features,)) or not (np.isfinite(values) & (values >= 0)).all():
        raise ValueError(
            f"{name} must be a number of at least 0, or one for each of the {n_features} columns; "
            f"got {noise!r}"
        )
    return np.array(np.broadcast_to(values, n_features))


def check_rows(
    detector: Any, X: Any, *, reset: bool, input_name: str = "X", min_rows: int = 1
) -> np.ndarray:
    """Return X as a float64 array; refuse infinity and, unless omitted, NaN.

    Parameters
    ----------
    detector : BaseDetector
        Whose columns (set if `reset`, else compared) and ``nan_policy`` count.
    X : array-like of shape (n_samples, n_features)
        Rows.
    reset : bool
        Whether this is the first X of a fit.
    input_name : str, default="X"
        What errors call it.
    min_rows : int, default=1
        Rows that X must have.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features), float64
        By rows in memory, so that a table gives the same bits in any container; masked entries
        are NaN.
    """
    try:
        X = validate_data(
            detector,
            _table_of_numbers(detector._as_table(X, reset), input_name),
            dtype=np.float64,
            order="C",  # sums, so last bits, depend on it; and torch takes no reversed views
            ensure_all_finite=False,
            ensure_min_samples=min_rows,
            reset=reset,
        )
    except ValueError as error:
        if str(error).startswith("could not convert string"):
            raise ValueError(
                f"{error}; {input_name} must hold numbers: encode columns of text, for example "
                "with sklearn.preprocessing.OneHotEncoder"
            ) from error
        if input_name == "X":
            raise
        raise ValueError(f"{input_name} does not match X: {error}") from error
    except TypeError as error:
        if not str(error).startswith("float() argument"):
            raise
        raise TypeError(f"{error}; {input_name} must hold numbers alone") from error
    except OverflowError as error:  # whole numbers beyond the largest float
        raise ValueError(f"{input_name} must hold numbers below 1.8e308: {error}") from error
    # One pass in the ordinary case: a sum is finite unless something is wrong.
    with np.errstate(over="ignore", invalid="ignore"):
        suspicious = not np.isfinite(X.sum())
    if suspicious:
        _refuse(detector, np.isinf(X), "infinity", input_name)
        if detector.nan_policy == "raise":
            _refuse(detector, np.isnan(X), "NaN", input_name)
    return X


def _table_of_numbers(X: Any, input_name: str) -> Any:
    """X, masked entries made NaN; refuse dates and columns of one name.

    NumPy would take dates for numbers, in a unit that depends on how they were stored.
    """
    if isinstance(X, np.ma.MaskedArray):
        return np.ma.filled(X.astype(np.float64), np.nan)
    if hasattr(X, "collect"):
        raise TypeError(f"{input_name} must be in memory; got a {type(X).__name__}: collect() it")
    if not hasattr(X, "columns"):
        dtypes = {"it": getattr(X, "dtype", None)}
    else:
        names = list(X.columns)
        repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        if repeated:
            raise ValueError(f"columns of {input_name} must have different names; got {repeated}")
        dtypes = {f"column {name!r}": kind for name, kind in zip(names, X.dtypes, strict=True)}
    for place, dtype in dtypes.items():
        # NumPy and pandas have kinds of dtypes, polars asks the dtype itself.
        if getattr(dtype, "kind", "O") in "mM" or getattr(dtype, "is_temporal", bool)():
            raise ValueError(
                f"{input_name} must hold numbers, and {place} holds dates or durations ({dtype}); "
                "make numbers of a stated unit of them first, such as seconds since an epoch"
            )
    return X


def _refuse(detector: Any, bad: np.ndarray, what: str, input_name: str) -> None:
    if not bad.any():
        return
    rows, columns = np.nonzero(bad)
    names = getattr(detector, "feature_names_in_", None)
    places = [
        f"row {row}, column {column if names is None else repr(str(names[column]))}"
        for row, column in zip(rows[:5], columns[:5], strict=True)
    ]
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    hint = "; nan_policy='omit' leaves rows with NaN out" if what == "NaN" else ""
    raise ValueError(
        f"Input {input_name} contains {what} at {'; '.join(places)}{more}. "
        f"{type(detector).__name__} needs finite numbers{hint}."
    )
