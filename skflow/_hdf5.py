"""Tables of ctapipe's HDF5 files (PyTables format), read and written with h5py."""

import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

CHUNK_BYTES = 2**16
#: Read at once.
BLOCK_BYTES = 2**24


def needed(module: str) -> Any:
    """Import a module of the iact extra."""
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"HDF5 files need {module}; install it with: pip install skflow-detect[iact]"
        ) from error


@contextmanager
def reading(path: str | os.PathLike[str], kind: str) -> Iterator[Any]:
    """Open a file; what h5py says of a file that it cannot read becomes a ValueError."""
    h5py = needed("h5py")
    if not os.path.exists(path):
        raise FileNotFoundError(f"{path} must be {kind}; there is no such file")
    if os.path.isdir(path):
        raise IsADirectoryError(f"{path} must be {kind}; it is a folder")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except PermissionError:
        raise
    except (OSError, RuntimeError, TypeError) as error:
        raise ValueError(
            f"{path} must be {kind}; it is another file, cut short or damaged: {error}"
        ) from error


@contextmanager
def replacing(path: Path) -> Iterator[Any]:
    """Open a copy of a file, or a new one, that takes its place when all is written."""
    h5py = needed("h5py")
    new = not path.exists()
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        if not new:
            shutil.copyfile(path, temporary)
        with h5py.File(temporary, "x" if new else "r+") as file:
            yield file
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        if not new:
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def get_table(file: Any, path: str) -> Any:
    """The table at a path, None where there is none."""
    found = file.get(path)
    return found if getattr(getattr(found, "dtype", None), "names", None) else None


def read_table(table: Any, columns: Any = None) -> dict[str, np.ndarray]:
    """Read columns (all by default) as ctapipe would: scaled ones as floats, strings decoded."""
    names = [name for name in table.dtype.names if columns is None or name in columns]
    stored = {
        name: np.zeros((len(table), *table.dtype[name].shape), table.dtype[name].base)
        for name in names
    }
    for start, rows in _blocks(table, max(1, BLOCK_BYTES // table.dtype.itemsize)):
        for name in names:
            stored[name][start : start + len(rows)] = rows[name]
    return {name: _decode(table, name, column) for name, column in stored.items()}


def table_batches(
    table: Any, columns: Sequence[str], batch_size: int
) -> Iterator[dict[str, np.ndarray]]:
    """Columns of a table, as from `read_table`, so many rows at once."""
    for _, rows in _blocks(table, batch_size):
        yield {name: _decode(table, name, rows[name]) for name in columns}


def column_attribute(table: Any, name: str, key: str) -> Any:
    """What ctapipe notes about a column, None where it notes nothing."""
    value = table.attrs.get(f"CTAFIELD_{table.dtype.names.index(name)}_{key}")
    if isinstance(value, bytes):
        return value.decode()
    return value.item() if isinstance(value, np.generic) else value


def _decode(table: Any, name: str, column: np.ndarray) -> np.ndarray:
    """Undo what was done to a column on writing."""
    if column.dtype.kind == "S":
        return np.char.decode(column, "utf-8")
    if _is_bitfield(table, name):
        return column.astype(bool)
    scale = column_attribute(table, name, "TRANSFORM_SCALE")
    if scale is None or column.dtype.kind not in "iu":
        return column
    offset = column_attribute(table, name, "TRANSFORM_OFFSET") or 0
    dtype = column_attribute(table, name, "TRANSFORM_DTYPE") or "float32"
    value = (column.astype(dtype) - offset) / scale
    limits = np.iinfo(column.dtype)
    # The three integers that stand for -inf, NaN and inf.
    low, nan = (limits.min, limits.min + 1) if limits.min else (limits.max - 2, limits.max - 1)
    for integer, special in ((low, -np.inf), (nan, np.nan), (limits.max, np.inf)):
        value[column == integer] = special
    return value


def _is_bitfield(table: Any, name: str) -> bool:
    """Whether a column is PyTables' kind of bool, which h5py takes for an integer."""
    h5t = needed("h5py").h5t
    kind = table.id.get_type().get_member_type(table.dtype.names.index(name))
    kind = kind.get_super() if kind.get_class() == h5t.ARRAY else kind
    return kind.get_class() == h5t.BITFIELD


def _blocks(table: Any, n_rows: int) -> Iterator[tuple[int, np.ndarray]]:
    """Rows of a table in blocks, each with the number of its first row."""
    h5z = needed("h5py").h5z
    plist = table.id.get_create_plist()
    codes = [plist.get_filter(i)[0] for i in range(plist.get_nfilters())]
    if not all(map(h5z.filter_avail, codes)):
        needed("hdf5plugin")  # brings Blosc, by which ctapipe compresses
    for start in range(0, len(table), n_rows):
        yield start, table[start : start + n_rows]


def write_table(
    file: Any,
    path: str,
    columns: Mapping[str, np.ndarray],
    fields: Mapping[str, tuple[str, str]],
    title: str,
) -> None:
    """Write a table that PyTables takes for its own; `fields` has ctapipe's name and text."""
    h5py = needed("h5py")
    h5t = h5py.h5t
    rows = np.zeros(
        len(next(iter(columns.values()))),
        [
            (name, "u1" if values.dtype == bool else values.dtype, values.shape[1:])
            for name, values in columns.items()
        ],
    )
    kind = h5t.create(h5t.COMPOUND, rows.dtype.itemsize)
    offsets: Any = rows.dtype.fields
    for name, values in columns.items():
        rows[name] = values
        base = h5t.STD_B8LE if values.dtype == bool else h5t.py_create(values.dtype)
        member = h5t.array_create(base, values.shape[1:]) if values.ndim > 1 else base
        kind.insert(name.encode(), offsets[name][1], member)
    layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    layout.set_chunk((max(1, CHUNK_BYTES // rows.dtype.itemsize),))
    layout.set_shuffle()
    layout.set_deflate(5)
    parent, _, last = path.strip("/").rpartition("/")
    group = file
    for part in parent.split("/"):
        created = part not in group
        group = group.require_group(part)
        if created:
            for key, text in (("CLASS", "GROUP"), ("TITLE", part), ("VERSION", "1.0")):
                _write_text(group.attrs, key, text)
    space = h5py.h5s.create_simple(rows.shape, (h5py.h5s.UNLIMITED,))
    dataset = h5py.h5d.create(group.id, last.encode(), kind, space, layout)
    # In the type of the file: HDF5 converts no integers to a bit field.
    dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, rows, kind)
    attrs = group[last].attrs
    for key, text in (("CLASS", "TABLE"), ("TITLE", title), ("VERSION", "2.7")):
        _write_text(attrs, key, text)
    attrs["NROWS"] = np.int64(len(rows))
    for number, name in enumerate(columns):
        _write_text(attrs, f"FIELD_{number}_NAME", name)
        attrs[f"FIELD_{number}_FILL"] = np.zeros((), rows.dtype[name].base)[()]
        label, text = fields[name]
        _write_text(attrs, f"CTAFIELD_{number}_NAME", label)
        _write_text(attrs, f"CTAFIELD_{number}_DESC", text)


def _write_text(attrs: Any, key: str, text: str) -> None:
    """Write an attribute as PyTables does, which takes only UTF-8 of fixed length for a str."""
    data = text.encode()
    attrs.create(key, data, dtype=needed("h5py").string_dtype("utf-8", len(data)))
