"""Devices of torch: the one that a parameter names, and arithmetic that is the same on all."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

_lock = threading.Lock()
_n_inside = 0
_former: tuple[bool, bool, bool]


def resolve_device(name: Any, *, scoring: bool = False) -> torch.device:
    """Return the torch device of the parameter `device`."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(
            f"device must be 'auto' or a torch device such as 'cpu' or 'cuda'; got {name!r}"
        ) from error
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"device must be a CPU or CUDA device; got {name!r}")
    if device.type == "cuda" and not torch.cuda.is_available():
        if scoring:  # trained elsewhere: the scores are the same here
            return torch.device("cpu")
        raise ValueError(f"device={name!r} needs CUDA, and torch finds none here")
    return device


@contextmanager
def reproducible(device: torch.device) -> Iterator[None]:
    """Let convolutions on a GPU give the same bits each time, and be as exact as on the CPU.

    By default cuDNN takes whichever algorithm it likes, and rounds float32 to 10 bits (TF32).
    """
    global _n_inside, _former
    if device.type != "cuda":
        yield
        return
    cudnn: Any = torch.backends.cudnn
    # The flags are the process's own: the first thread sets them, the last one puts them back.
    with _lock:
        if _n_inside == 0:
            _former = (cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32)
            cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32 = False, True, False
        _n_inside += 1
    try:
        yield
    finally:
        with _lock:
            _n_inside -= 1
            if _n_inside == 0:
                cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32 = _former
