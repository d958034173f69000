"""Devices of torch: the one that a parameter names, and arithmetic that is the same on all."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


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
    if device.type != "cuda":
        yield
        return
    with torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    ):
        yield
