"""Rows of what is larger than memory, some at a time: files, arrays on disk, iterators."""

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from ._hdf5 import get_table, reading, table_batches
from ._hints import got_name
from ._parquet import (
    arrow_batches,
    as_frame,
    column_names,
    damaged,
    index_columns,
    join_types,
    open_dataset,
)

#: Numbers that are read at once, unless the caller says how many rows.
BATCH_VALUES = 2**20
PARQUET = {".parquet", ".pq"}
HDF5 = {".h5", ".hdf5", ".hdf"}
#: Where ctapipe's DL1 files have one table for each telescope.
DL1_PARAMETERS = "dl1/event/telescope/parameters"


def read_batches(
    path: str | os.PathLike[str],
    *,
    columns: Any = None,
    label: str | None = None,
    table: Any = None,
    batch_size: int | None = None,
) -> Iterator[Any]:
    """Read the rows of a file, some at a time.

    Parameters
    ----------
    path : path-like
        Parquet (``.parquet``, ``.pq``, or a folder of such files), CSV (``.csv``), an array of
        NumPy (``.npy``, or ``.npz`` with one array or one called X), or HDF5 (``.h5``, ``.hdf5``,
        ``.hdf``): a dataset of two dimensions, or a table as PyTables and ctapipe write them.
    columns : list of str, or str, default=None
        Columns to read; all by default, but of Parquet those that pandas saved as an index. A
        column of an HDF5 table that holds arrays, such as the images of ctapipe's DL1 files, is
        the only one, and comes as an array.
    label : str, default=None
        A column to yield apart, as y.
    table : str or list of str, default=None
        Of an HDF5 file: which table, or which tables, one after another. None is the only one;
        of a DL1 file of ctapipe, the image parameters of all telescopes.
    batch_size : int, default=None
        Rows at a time; None is as many as make about a million numbers.

    Yields
    ------
    X : DataFrame or ndarray of shape (n_rows, n_columns)
        Rows, in the order of the file; (X, y) where `label` is given.

    Raises
    ------
    ImportError
        If pyarrow, pandas or h5py is needed and not installed.
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is of another kind, damaged, or lacks a column or a table; if `batch_size` is
        below 1.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from skflow.io import read_batches
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(folder + "/rows.npy", np.arange(10.0).reshape(5, 2))
    ...     for X in read_batches(folder + "/rows.npy", batch_size=2):
    ...         print(X.tolist())
    [[0.0, 1.0], [2.0, 3.0]]
    [[4.0, 5.0], [6.0, 7.0]]
    [[8.0, 9.0]]
    """
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size must be None or at least 1; got {batch_size}")
    besides = () if label is None else (label,)
    for X in batches_of(path, columns, besides, table, batch_size):
        if label is None:
            yield X
        else:
            features = X.arrays if isinstance(X, ArrayRows) else X.drop(columns=[label])
            yield features, X[label].to_numpy()


class ArrayRows:
    """Rows that are arrays, such as images, and a data frame of columns beside them."""

    def __init__(self, arrays: np.ndarray, frame: Any):
        self.arrays, self.frame, self.columns = arrays, frame, frame.columns

    def __len__(self) -> int:
        return len(self.arrays)

    def __getitem__(self, which: Any) -> Any:
        """A column of the frame, or the rows of a mask."""
        if isinstance(which, str):
            return self.frame[which]
        return ArrayRows(self.arrays[which], self.frame[which])


def batches_of(
    path: str | os.PathLike[str],
    columns: Any = None,
    besides: Sequence[str] = (),
    table: Any = None,
    batch_size: int | None = None,
    exact: tuple[str, ...] = (),
) -> Iterator[Any]:
    """As `read_batches`, with columns besides the features among them.

    Beside a column of arrays they make `ArrayRows`. Of Parquet, the columns `exact` keep Arrow's
    types.
    """
    path = _existing(path)
    kind = path.suffix.lower()
    if table is not None and kind not in HDF5:
        raise ValueError(f"table is for HDF5 files; got {table!r} for {path}")
    if path.is_dir() or kind in PARQUET:
        return _parquet(path, columns, besides, batch_size, exact)
    elif kind == ".csv":
        return _csv(path, columns, besides, batch_size)
    elif kind in (".npy", ".npz"):
        if columns is not None or besides:
            raise ValueError(f"arrays of NumPy have no names of columns; {path} is one")
        return array_batches(_array(path), batch_size)
    elif kind in HDF5:
        return _hdf5(path, columns, besides, table, batch_size)
    raise ValueError(
        f"{path} must end in .parquet, .pq, .csv, .npy, .npz, .h5, .hdf5 or .hdf, or be a "
        "folder of Parquet files"
    )


def row_batches(source: Any) -> Iterator[Any]:
    """Yield what `fit_stream` takes, batch by batch: X or (X, y).

    Parameters
    ----------
    source : path-like, array-like, pyarrow dataset or table, or iterable
        A file as for `read_batches`; rows that can be sliced, such as a memory-mapped array or an
        HDF5 dataset; what has ``to_batches``; or any iterable of such rows, or of pairs (X, y).
    """
    if isinstance(source, str | os.PathLike):
        return read_batches(source)
    if hasattr(source, "get_fragments"):  # pyarrow's datasets
        indices = index_columns(source)
        names = [name for name in source.schema.names if name not in indices]
        source = arrow_batches(source, names, _batch_size(None, len(names)))
    elif hasattr(source, "to_batches"):  # its tables
        source = source.to_batches()
    elif len(getattr(source, "shape", ())) > 1:
        return array_batches(source)
    if not isinstance(source, Iterable):
        raise TypeError(
            "batches must be a file, an array, a pyarrow dataset, or an iterable of rows; got "
            f"{type(source).__name__}"
        )
    return (batch.to_pandas() if _is_arrow(batch) else batch for batch in source)


def count_rows(path: str | os.PathLike[str], table: Any = None) -> int | None:
    """Rows of a file as for `read_batches`, where it tells them without being read."""
    path = _existing(path)
    kind = path.suffix.lower()
    if path.is_dir() or kind in PARQUET:
        return _parquet_dataset(path).count_rows()
    if kind == ".npy":
        return len(_array(path))
    if kind in HDF5:
        with reading(path, "an HDF5 file") as file:
            return sum(len(file[name]) for name in _tables(file, path, table))
    return None


def array_batches(rows: Any, batch_size: int | None = None) -> Iterator[Any]:
    """Slices of rows that need not be in memory."""
    step = _batch_size(batch_size, int(np.prod(rows.shape[1:])))
    sliced = getattr(rows, "iloc", rows)
    return (sliced[start : start + step] for start in range(0, len(rows), step))


def _existing(path: str | os.PathLike[str]) -> Path:
    if not os.path.exists(path):
        raise FileNotFoundError(f"there is no file {path}")
    return Path(path)


def _is_arrow(batch: Any) -> bool:
    return type(batch).__module__.partition(".")[0] == "pyarrow"


def _batch_size(batch_size: int | None, n_columns: int) -> int:
    return batch_size or max(1, BATCH_VALUES // max(1, n_columns))


def _wanted(columns: Any, besides: Sequence[str], known: list[str], path: Path) -> list[str]:
    """Columns to read, if all of them are known."""
    names = list(known) if columns is None else [columns] if isinstance(columns, str) else columns
    names = list(dict.fromkeys([*names, *besides]))
    for name in names:
        if name not in known:
            raise ValueError(f"columns must be of {path}; {got_name(str(name), known)}")
    return names


def _needed(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"this file needs {module}; install it with: pip install skflow-detect[io]"
        ) from error


def _parquet_dataset(path: Path) -> Any:
    _needed("pyarrow")
    return open_dataset(path)


def _parquet(
    path: Path, columns: Any, besides: Sequence[str], batch_size: int | None, exact: tuple[str, ...]
) -> Iterator[Any]:
    _needed("pandas")
    found = _parquet_dataset(path)
    indices = index_columns(found) if columns is None else set()
    known = [name for name in column_names(found) if name not in indices]
    names = _wanted(columns, besides, known, path)
    found = join_types(path, found, names)
    with damaged(path):
        for batch in arrow_batches(found, names, _batch_size(batch_size, len(names))):
            if len(batch):
                yield as_frame(batch, exact)


def _csv(path: Path, columns: Any, besides: Sequence[str], batch_size: int | None) -> Iterator[Any]:
    pandas = _needed("pandas")
    try:
        known = list(pandas.read_csv(path, nrows=0).columns)
        names = _wanted(columns, besides, known, path)
        # What the first line has too much pandas drops, or takes for an index. With all columns it
        # refuses the others.
        with path.open(newline="", encoding="utf-8") as file:
            n_fields = [len(line) for line in islice(filter(None, csv.reader(file)), 2)]
        if n_fields[-1] > n_fields[0]:
            raise ValueError(
                f"{path} must have as many fields in every line as its header, {n_fields[0]}; the "
                f"first line of rows has {n_fields[-1]}"
            )
        step = _batch_size(batch_size, len(known))
        options: dict[str, Any] = {"index_col": False, "chunksize": step}
        if int(pandas.__version__.partition(".")[0]) < 3:  # later ones lose no digit by default
            options["float_precision"] = "round_trip"
        with pandas.read_csv(path, **options) as batches:
            for batch in batches:
                yield batch[names]
    except (
        pandas.errors.ParserError,
        pandas.errors.EmptyDataError,
        UnicodeDecodeError,
        csv.Error,
    ) as error:
        raise ValueError(f"{path} must be a table of CSV: {error}") from error


def _array(path: Path) -> np.ndarray:
    """A memory-mapped array, or one of an archive."""
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(found, np.ndarray):  # an archive, whatever it is called
            with found:
                names = found.files
                if len(names) != 1 and "X" not in names:
                    raise ValueError(f"it must hold one array, or one called X; it holds {names}")
                found = found["X" if "X" in names else names[0]]
    except (ValueError, OSError, EOFError, KeyError, BadZipFile) as error:
        raise ValueError(f"{path} must be an array of numbers: {error}") from error
    if found.ndim < 2:
        raise ValueError(f"{path} must be an array of rows; it has shape {found.shape}")
    return found


def _hdf5(
    path: Path, columns: Any, besides: Sequence[str], table: Any, batch_size: int | None
) -> Iterator[Any]:
    with reading(path, "an HDF5 file") as file:
        for name in _tables(file, path, table):
            found = file[name]
            if not found.dtype.names:
                if columns is not None or besides:
                    raise ValueError(f"{name} of {path} has no names of columns")
                yield from array_batches(found, batch_size)
                continue
            # ctapipe's tables have columns of arrays beside those of numbers.
            arrays = [n for n in found.dtype.names if found.dtype[n].shape]
            numbers = [n for n in found.dtype.names if n not in arrays]
            features = [columns] if isinstance(columns, str) else columns
            alone = features if features and len(features) == 1 and features[0] in arrays else []
            named = [*(features or []), *besides]
            misread = [n for n in (besides if alone else named) if n in arrays]
            if misread:
                raise ValueError(
                    f"columns of arrays, {misread}, must be the only feature, and no label; got "
                    f"columns {named}"
                )
            names = _wanted(features, besides, [*numbers, *alone], path)
            if not names:
                raise ValueError(f"{name} of {path} holds arrays: columns must be one of {arrays}")
            width = sum(int(np.prod(found.dtype[n].shape)) for n in names)
            for batch in table_batches(found, names, _batch_size(batch_size, width)):
                if not alone:
                    yield _needed("pandas").DataFrame(batch)
                    continue
                images = batch.pop(alone[0])
                yield ArrayRows(images, _needed("pandas").DataFrame(batch)) if batch else images


def _tables(file: Any, path: Path, table: Any) -> list[str]:
    """Names of the tables to read, if they are there."""
    known: list[str] = []

    def visit(name: str, item: Any) -> None:
        if get_table(file, name) is not None or len(getattr(item, "shape", ())) > 1:
            known.append(name)

    file.visititems(visit)
    if table is not None:
        names = [name.strip("/") for name in ([table] if isinstance(table, str) else table)]
        for name in names:
            if name not in known:
                raise ValueError(f"table must be one of {path}; {got_name(name, known)}")
        return names
    of_telescopes = [name for name in known if name.startswith(DL1_PARAMETERS)]
    if not of_telescopes and len(known) != 1:
        raise ValueError(f"{path} must have one table, or say which by table=; it has {known}")
    return of_telescopes or known
