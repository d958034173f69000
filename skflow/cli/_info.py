"""skflow info: what a model file or a data file holds."""

from pathlib import Path
from typing import Any

from .._rows import count_rows, read_batches
from ..io import info


def describe(path: Path) -> dict[str, Any]:
    """Header of a model file; of a data file the rows and, where it has names, the columns."""
    if path.is_file():
        with path.open("rb") as file:
            if file.read(13) == b"skflow model ":
                return info(path)
    first = next(read_batches(path), None)
    if first is None:
        raise ValueError(f"{path} must hold rows; there are none")
    if hasattr(first, "columns"):
        columns: Any = {name: str(first[name].dtype) for name in first.columns}
    else:
        columns = [str(first.dtype), *first.shape[1:]]
    return {"rows": count_rows(path), "columns": columns}
