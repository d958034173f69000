"""Data-parallel training: processes that torch.distributed has joined train one module.

Every process draws the same batches and takes its share of each; gradients are averaged. Losses
that are means over rows are so the same as in one process.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, distributed


def n_processes() -> int:
    """How many processes train together; 1 unless torch.distributed has been set up."""
    joined = distributed.is_available() and distributed.is_initialized()
    return distributed.get_world_size() if joined else 1


def own_share(rows: Tensor) -> Tensor:
    """Every n-th row, as many in each of the n processes; all rows where they are fewer than n."""
    n = n_processes()
    if n == 1 or len(rows) < n:
        return rows
    return rows[: len(rows) // n * n][distributed.get_rank() :: n]


def average(parameters: Sequence[Tensor], loss: Tensor) -> Tensor:
    """Average the gradients, in place, and the loss over all processes; returns the loss."""
    n = n_processes()
    if n == 1:
        return loss
    gradients = [p.grad for p in parameters if p.grad is not None]
    parts = [*gradients, loss.detach().to(gradients[0].dtype)]
    flat = torch.cat([part.reshape(-1) for part in parts])  # one message instead of hundreds
    distributed.all_reduce(flat)
    flat /= n
    *averaged, loss = flat.split([part.numel() for part in parts])
    for gradient, values in zip(gradients, averaged, strict=True):
        gradient.copy_(values.view_as(gradient))
    return loss.squeeze()


def is_first() -> bool:
    """Whether this process is the one that writes for all."""
    return n_processes() == 1 or distributed.get_rank() == 0


def wait_for_all() -> None:
    """Go on when all processes have come here."""
    if n_processes() > 1:
        distributed.barrier()


def agree(text: str) -> bool:
    """Whether all processes have the same text."""
    n = n_processes()
    texts: list[Any] = [text] * n
    if n > 1:
        distributed.all_gather_object(texts, text)
    return len(set(texts)) == 1


def of_first(value: float) -> float:
    """The first process's value, for what all must agree on."""
    if n_processes() == 1:
        return value
    device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
    shared = torch.tensor(value, dtype=torch.float64, device=device)
    distributed.broadcast(shared, 0)
    return shared.item()
