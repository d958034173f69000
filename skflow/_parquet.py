"""Parquet files and folders of them, row group by row group."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

#: Columns in which pandas keeps an index that has no name.
NAMELESS_INDEX = "__index_level_"


def open_dataset(path: Path) -> Any:
    """The dataset of a file or of a folder, whose files' types are joined.

    Raises
    ------
    ValueError
        If a file is no Parquet or damaged, or if two have types that nothing holds both of.
    """
    arrow, dataset = import_module("pyarrow"), import_module("pyarrow.dataset").dataset
    with damaged(path):
        found = dataset(path, format="parquet")
        schemas = [fragment.physical_schema for fragment in found.get_fragments()]
        if len(schemas) < 2:
            return found
        joined = arrow.unify_schemas(schemas, promote_options="permissive")
        return dataset(path, format="parquet", schema=joined)


def column_names(found: Any) -> list[str]:
    """Columns of a dataset, less what pandas added to keep an index without a name."""
    return [name for name in found.schema.names if not name.startswith(NAMELESS_INDEX)]


def check_files(found: Any, names: list[str]) -> None:
    """Refuse files of a folder that lack a column, which would be missing values else."""
    for fragment in found.get_fragments():
        missing = [name for name in names if name not in fragment.physical_schema.names]
        if missing:
            raise ValueError(f"all files of a folder must have {missing}; {fragment.path} has not")


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
