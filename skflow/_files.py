"""Files that are written whole or not at all."""

import os
import stat
import time
import uuid
from pathlib import Path

#: Seconds after which what a killed process had begun to write is nobody's any more.
STALE = 60


def write_whole(path: Path, data: bytes) -> None:
    """Write a file beside its place, then move it there: nobody sees half of one.

    A new file has the permissions that the process gives to new files, one that is replaced keeps
    its own.

    Raises
    ------
    ValueError
        If there is something at its place that is no file, such as a device.
    """
    mode = _mode(path)
    handle, half = _new_beside(path)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            os.chmod(half, mode)
        os.replace(half, path)
    except BaseException:
        os.unlink(half)
        raise


def check_writable(path: Path) -> None:
    """Refuse early, before hours of work, what `write_whole` would refuse at the end.

    Raises
    ------
    ValueError
        If there is something at its place that is no file.
    OSError
        If its folder is missing, or cannot be written to.
    """
    _mode(path)
    if not path.parent.is_dir():
        raise OSError(f"{path} cannot be written: there is no folder {path.parent}")
    try:
        handle, probe = _new_beside(path)
        os.close(handle)
        os.unlink(probe)
    except OSError as error:
        raise OSError(f"{path} cannot be written: {error}") from error


def remove_stale(folder: Path, name: str) -> None:
    """Remove what processes that were killed left half written of files, by a glob of names."""
    for path in folder.glob(f".{name}-{'[0-9a-f]' * 32}"):
        try:
            if time.time() - path.stat().st_mtime > STALE:
                path.unlink()
        except FileNotFoundError:  # whoever wrote it has moved it to its place
            continue


def _new_beside(path: Path) -> tuple[int, Path]:
    """Open a hidden file of the process's own permissions, with the name of another and more."""
    new = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
    return os.open(new, flags, 0o666), new


def _mode(path: Path) -> int | None:
    """Permissions of the file that is there, None if there is none."""
    if not path.exists():
        return None
    if not path.is_file():
        raise ValueError(f"{path} must be a file; there is something else at its place")
    return stat.S_IMODE(path.stat().st_mode)
