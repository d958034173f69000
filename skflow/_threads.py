"""Torch's threads: one for small work, and one after a fork."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch
from joblib.parallel import get_active_backend

_lock = threading.Lock()
#: How many threads are inside `one_thread`, and what torch had before the first of them.
_n_inside, _n_threads = 0, 1
#: What every thread knows: whether it is one of them.
_mine = threading.local()


def _after_fork() -> None:
    """Start anew in a forked child: OpenMP's threads, for which it would wait, are not in it."""
    global _lock, _n_inside, _n_threads
    _lock, _n_inside, _n_threads = threading.Lock(), 0, 1
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def in_joblib_worker() -> bool:
    """Whether the caller is one of joblib's workers, which share the cores already."""
    return bool(get_active_backend()[0].nesting_level)


@contextmanager
def one_thread() -> Iterator[int]:
    """Let torch use one thread for a while; yields how many it had.

    Threads that wait for each other after every small operation gain little on idle cores and
    lose tenfold on busy ones.
    """
    global _n_inside, _n_threads
    if getattr(_mine, "inside", False):
        yield _n_threads
        return
    with _lock:
        if _n_inside == 0:
            _n_threads = torch.get_num_threads()
        _n_inside += 1
        torch.set_num_threads(1)
    _mine.inside = True
    try:
        yield _n_threads
    finally:
        _mine.inside = False
        with _lock:
            _n_inside = max(_n_inside - 1, 0)  # 0 in a child that was forked meanwhile
            if _n_inside == 0:  # the number is partly global: not while others are inside
                torch.set_num_threads(_n_threads)


def map_in_threads(compute: Callable[[Any], Any], parts: list[Any]) -> list[Any]:
    """Apply `compute` to all parts, in as many threads as torch has, with one of torch's each."""
    with one_thread() as n_threads:
        n_workers = min(n_threads, len(parts))
        if n_workers < 2 or in_joblib_worker():
            return [compute(part) for part in parts]
        with ThreadPoolExecutor(n_workers) as pool:
            return list(pool.map(compute, parts))
