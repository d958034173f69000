"""Files that are written whole or not at all."""

import os
import tempfile
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Write a file beside its place, then move it there: nobody sees half of one.

    Raises
    ------
    ValueError
        If there is something at its place that is no file, such as a device.
    """
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} must be a file; there is something else at its place")
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)  # mkstemp's files are private
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
