"""How kernels are compiled: without the interpreter's lock, once for all runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit

#: NumPy's rules for division by zero. No fastmath: sums keep their order and NaN stays NaN.
#: Threads come from outside, since numba's own do not survive a fork.
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function by numba on its first call, and keep the result on disk."""
    try:
        return njit(cache=True, **OPTIONS)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written to
        return njit(**OPTIONS)(function)


def forget_stale_kernels(folder: Path) -> None:
    """Remove compiled kernels older than any source file of a folder.

    numba compiles a kernel anew when its own file changes, but not when a kernel that it calls
    does.
    """
    newest = max(path.stat().st_mtime for path in folder.glob("*.py"))
    for index in folder.glob("__pycache__/*.nbi"):
        try:
            if index.stat().st_mtime < newest:
                index.unlink()
        except OSError:  # another process removed it, or may and we may not
            continue


forget_stale_kernels(Path(__file__).parent)
