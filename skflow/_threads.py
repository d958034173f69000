"""Threads: torch's, one for small work and one after a fork, and what all threads share."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch
from joblib.parallel import get_active_backend

#: Reentrant: a PyOD detector may hold a skflow one.
_lock = threading.RLock()


def _after_fork() -> None:
    """Forget the parent's other threads: a forked child would wait for them for ever."""
    global _lock
    _lock = threading.RLock()
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def alone() -> Iterator[None]:
    """Keep other threads out, for what they share: the global generators."""
    with _lock:
        yield


def in_joblib_worker() -> bool:
    """Whether the caller is one of joblib's workers, which share the cores already."""
    return bool(get_active_backend()[0].nesting_level)


@contextmanager
def one_thread() -> Iterator[int]:
    """Let torch use one thread for a while; yields how many it had.

    Threads that wait for each other after every small operation gain little on idle cores and
    lose tenfold on busy ones. Torch's number belongs to the calling thread; a thread that starts
    meanwhile takes it over and keeps it.
    """
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield n_threads
    finally:
        torch.set_num_threads(n_threads)


def map_in_threads(compute: Callable[[Any], Any], parts: list[Any]) -> list[Any]:
    """Apply `compute` to all parts, in as many threads as torch has, with one of torch's each."""
    with one_thread() as n_threads:
        n_workers = min(n_threads, len(parts))
        if n_workers < 2 or in_joblib_worker():
            return [compute(part) for part in parts]
        with ThreadPoolExecutor(
            n_workers, initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            return list(pool.map(compute, parts))
