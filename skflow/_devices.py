"""Devices of torch: the one that a parameter names, and arithmetic that is the same on all."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch


class _SharedFlags:
    """Flags of a torch backend, which are the process's own.

    The first thread that comes in sets them, the last one that leaves puts them back.
    """

    def __init__(self, backend: Any, **values: bool):
        self.backend, self.values = backend, values
        self.lock, self.n_inside = threading.Lock(), 0

    def _set(self, values: dict[str, bool]) -> dict[str, bool]:
        former = {name: getattr(self.backend, name) for name in values}
        for name, value in values.items():
            setattr(self.backend, name, value)
        return former

    @contextmanager
    def hold(self) -> Iterator[None]:
        with self.lock:
            if self.n_inside == 0:
                self.former = self._set(self.values)
            self.n_inside += 1
        try:
            yield
        finally:
            with self.lock:
                self.n_inside -= 1
                if self.n_inside == 0:
                    self._set(self.former)


_cudnn = _SharedFlags(torch.backends.cudnn, benchmark=False, deterministic=True, allow_tf32=False)
# Not by torch.backends.mkldnn.flags, which warns of other processors.
_onednn = _SharedFlags(torch.backends.mkldnn, enabled=False)


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


def reproducible(device: torch.device) -> AbstractContextManager[None]:
    """Let convolutions on a GPU give the same bits each time, and be as exact as on the CPU.

    By default cuDNN takes whichever algorithm it likes, and rounds float32 to 10 bits (TF32).
    """
    return _cudnn.hold() if device.type == "cuda" else nullcontext()


def without_onednn() -> AbstractContextManager[None]:
    """Let torch compute convolutions on a CPU by its own code."""
    return _onednn.hold()
