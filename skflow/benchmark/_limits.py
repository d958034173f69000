"""One call in a child process, ended when it takes too long or too much memory."""

import contextlib
import ctypes
import faulthandler
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

MIB = 2**20
#: Seconds between looks at the child's memory, and at the processes that it started itself (to
#: find those, the system's whole process table is read).
TICK, DESCENDANTS_TICK = 0.05, 1.0
#: macOS can fork, but its system libraries may crash in the child.
FORKS = "fork" in multiprocessing.get_all_start_methods() and sys.platform != "darwin"


class Outcome(NamedTuple):
    """What became of a call: its value or an error of one line, and the memory it took."""

    value: Any
    error: str | None
    peak_memory_mib: float | None
    timed_out: bool = False


def call_limited(
    function: Callable[..., Any],
    *args: Any,
    time_limit_s: float,
    memory_limit_mib: float,
    owner: int | None = None,
    start_method: str = "fork" if FORKS else "spawn",
) -> Outcome:
    """Call a function in a child process of its own, which never outlives the call.

    The child is forked where that is safe, so that it need not import anything again. Both
    limits count from the moment when it is ready to call. Its warnings and its standard output
    are dropped.

    Parameters
    ----------
    function : callable
        What to call; its value must pickle.
    *args : Any
        Its arguments.
    time_limit_s : float
        Wall-clock seconds.
    memory_limit_mib : float
        Growth of the resident memory of the child, and of the processes that it starts, in MiB.
    owner : int, default=None
        A process whose end also ends the child and the caller.
    start_method : {"fork", "spawn"}
        How the child is made.

    Returns
    -------
    outcome : Outcome
        The error is None, that of the call ("ValueError: ..."), "TimeLimit: over 600 s",
        "MemoryLimit: over 8000 MiB", or "Died: signal 11" for a child that ended by itself.
    """
    context: Any = multiprocessing.get_context(start_method)
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(sender, function, args))
    _return_free_memory()
    process.start()
    sender.close()
    watch = _Watch(process)
    baseline, deadline = None, float("inf")
    try:
        while True:
            if receiver.poll(TICK):
                try:
                    message = receiver.recv()
                except EOFError:
                    break
                if baseline is None:
                    baseline, deadline = message, time.monotonic() + time_limit_s
                    continue
                value, error, peak = message
                mib = max(0, peak - baseline, watch.peak - baseline) / MIB
                if mib > memory_limit_mib:
                    return Outcome(None, f"MemoryLimit: over {memory_limit_mib:g} MiB", mib)
                return Outcome(value, error, mib)
            if process.exitcode is not None and not receiver.poll():
                break
            if owner is not None and _ended(owner):
                watch.kill()
                os._exit(1)
            if baseline is None:
                continue
            mib = (watch.look() - baseline) / MIB
            if mib > memory_limit_mib:
                return Outcome(None, f"MemoryLimit: over {memory_limit_mib:g} MiB", mib)
            if time.monotonic() > deadline:
                return Outcome(None, f"TimeLimit: over {time_limit_s:g} s", mib, timed_out=True)
    finally:
        watch.kill()
        receiver.close()
    return Outcome(None, _death(process.exitcode), None)


def _return_free_memory() -> None:
    """Give what this process has freed back to the system.

    A forked child would use it up before it grows, and its peak would be too small by that.
    """
    with contextlib.suppress(AttributeError, OSError):  # where the C library is not glibc
        ctypes.CDLL(None).malloc_trim(0)


def exit_if_ended(owner: int) -> None:
    """End this process at once if the one it works for has ended."""
    if _ended(owner):
        os._exit(1)


def describe(error: BaseException) -> str:
    """An exception in one line of bearable length."""
    message = " ".join(str(error).split())
    text = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return text if len(text) <= 300 else f"{text[:297]}..."


class _Watch:
    """Memory and descendants of a child process, as far as they have been seen."""

    def __init__(self, process: BaseProcess):
        import psutil

        self._psutil = psutil
        self._process = process
        self._child = psutil.Process(process.pid)
        self._descendants: set[Any] = set()
        self._next = 0.0
        self.peak = 0

    def look(self) -> int:
        """Resident bytes of the child and its descendants."""
        if time.monotonic() >= self._next:
            self._find()
            self._next = time.monotonic() + DESCENDANTS_TICK
        total = 0
        for process in (self._child, *self._descendants):
            with contextlib.suppress(self._psutil.Error):
                total += process.memory_info().rss
        self.peak = max(self.peak, total)
        return total

    def _find(self) -> None:
        with contextlib.suppress(self._psutil.Error):
            self._descendants |= set(self._child.children(recursive=True))

    def kill(self) -> None:
        """End the child and all that it started."""
        self._find()
        self._process.kill()
        for process in self._descendants:
            with contextlib.suppress(self._psutil.Error):
                process.kill()
        self._process.join()


def _ended(pid: int) -> bool:
    """Whether the parent of this process has ended; an orphan gets another parent on POSIX."""
    import psutil

    return os.getppid() != pid or not psutil.pid_exists(pid)


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        return f"Died: signal {-code}"
    return f"Died: exit code {code}"


def _child(sender: Connection, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    """Call in the child, report, and wait to be killed with all that the call has started."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the runner's to handle
    faulthandler.disable()
    be_quiet()
    import psutil

    sender.send(psutil.Process().memory_info().rss)
    try:
        value, error = function(*args), None
    except Exception as raised:  # any failure of a detector is a result
        value, error = None, describe(raised)
    sender.send((value, error, _peak_rss()))
    _wait_for_parent()


def _end_with_parent() -> None:
    _wait_for_parent()
    os._exit(1)


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()


def be_quiet() -> None:
    """Drop warnings and standard output, also those of C code and of processes started later."""
    warnings.simplefilter("ignore")
    os.environ["PYTHONWARNINGS"] = "ignore"
    logging.disable(logging.WARNING)
    null = os.open(os.devnull, os.O_WRONLY)
    sys.stdout = os.fdopen(null, "w", encoding="utf-8")
    with contextlib.suppress(OSError):
        os.dup2(null, 1)


def _peak_rss() -> int:
    """Most resident bytes that this process has had."""
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    if sys.platform == "linux":
        # Not getrusage: its peak outlives exec, so that of the parent would count.
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
