"""Parquet files and folders of them, row group by row group."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any


def open_dataset(path: Path) -> Any:
    """The dataset of a file or of a folder.

    Raises
    ------
    ValueError
        If a file is no Parquet, or damaged.
    """
    with damaged(path):
        return import_module("pyarrow.dataset").dataset(path, format="parquet")


def column_names(found: Any) -> list[str]:
    """Columns of any file of a dataset."""
    return list(dict.fromkeys(name for schema in _schemas(found) for name in schema.names))


def index_columns(found: Any) -> set[str]:
    """Columns in which pandas keeps an index."""
    noted = [(schema.pandas_metadata or {}).get("index_columns", []) for schema in _schemas(found)]
    return {name for names in noted for name in names if isinstance(name, str)}


def join_types(path: Path, found: Any, names: list[str]) -> Any:
    """The dataset of some columns of a folder, with types that hold those of all its files.

    Raises
    ------
    ValueError
        If a file lacks a column, which would be missing values else, or if two have types that
        nothing holds both of.
    """
    arrow, schemas = import_module("pyarrow"), []
    for fragment in found.get_fragments():
        missing = [name for name in names if name not in fragment.physical_schema.names]
        if missing:
            raise ValueError(f"all files of a folder must have {missing}; {fragment.path} has not")
        schemas.append(arrow.schema([_plain(fragment.physical_schema.field(n)) for n in names]))
    if len(schemas) < 2:
        return found
    with damaged(path):
        joined = arrow.unify_schemas(schemas, promote_options="permissive")
        return import_module("pyarrow.dataset").dataset(path, format="parquet", schema=joined)


def _schemas(found: Any) -> list[Any]:
    return [found.schema, *(fragment.physical_schema for fragment in found.get_fragments())]


def _plain(field: Any) -> Any:
    """A field with the type of its values: categories have it behind numbers of their own."""
    value_type = getattr(field.type, "value_type", field.type)
    is_category = import_module("pyarrow").types.is_dictionary(field.type)
    return field.with_type(value_type) if is_category else field


def arrow_batches(found: Any, names: list[str], batch_size: int) -> Iterator[Any]:
    """Batches of a dataset, one row group after another.

    Its own ``to_batches`` reads ahead of whoever uses the rows: all of a file of 800 MB.
    """
    for fragment in found.get_fragments():
        by_group = getattr(fragment, "split_by_row_group", lambda fragment=fragment: [fragment])
        for group in by_group():
            yield from group.to_batches(schema=found.schema, columns=names, batch_size=batch_size)


def as_frame(batch: Any, exact: tuple[str, ...] = ()) -> Any:
    """A batch as a DataFrame, whose columns `exact` stay Arrow's: nothing is rounded or lost."""
    pandas = import_module("pandas")
    # What pandas noted of an index or of its own types does not matter here.
    frame = batch.to_pandas(ignore_metadata=True)
    for name in exact:
        if name not in batch.schema.names:
            continue  # whoever wants it tells that it is not there
        column = batch.column(name)
        frame[name] = pandas.Series(column, dtype=pandas.ArrowDtype(column.type), index=frame.index)
    return frame


@contextmanager
def damaged(path: Path) -> Iterator[None]:
    """Tell of errors of pyarrow's in which file they were."""
    try:
        yield
    except (import_module("pyarrow").ArrowException, OSError) as error:
        raise ValueError(
            f"{path} must be Parquet; it is another file, damaged, or of types that do not go "
            f"together: {error}"
        ) from error
