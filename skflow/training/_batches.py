"""Batches for training: tensors sliced on their device, without a per-row loader."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor


class Batch(NamedTuple):
    """Rows for one step: bulk rows (n, d) and, where the objective wants them, contrast rows."""

    bulk: Tensor
    contrast: Tensor | None = None

    def to(self, device: torch.device) -> "Batch":
        """Move the rows to a device."""
        contrast = None if self.contrast is None else self.contrast.to(device)
        return Batch(self.bulk.to(device), contrast)


def _slices(x: Tensor, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Endless random slices of ``size`` rows: epochs without repeats, less an incomplete rest."""
    while True:
        order = torch.randperm(len(x), generator=generator, device=x.device)
        for start in range(0, len(x) - size + 1, size):
            yield x[order[start : start + size]]


def batches(
    rows: Batch,
    batch_size: int,
    noise: tuple[Tensor | None, Tensor | None],
    generator: torch.Generator,
) -> Iterator[Batch]:
    """Endless batches of bulk rows and, where there are any, of contrast rows beside them.

    Parameters
    ----------
    rows : Batch
        All rows: bulk (n, d) and contrast (m, d) or None.
    batch_size : int
        Rows of each kind in a batch; all of them where there are fewer.
    noise : tuple of (Tensor or None)
        For bulk and contrast rows, the standard deviation (d,) of the normal noise added to
        every feature, drawn anew each time; None for no noise.
    generator : torch.Generator
        Source of order and noise, on the device of the rows.
    """

    def stream(x: Tensor, scale: Tensor | None) -> Iterator[Tensor]:
        for part in _slices(x, min(batch_size, len(x)), generator):
            if scale is not None:
                normal = torch.randn(
                    part.shape, generator=generator, device=part.device, dtype=part.dtype
                )
                largest = torch.finfo(part.dtype).max
                part = torch.addcmul(part, normal, scale).clamp_(-largest, largest)
            yield part

    bulk = stream(rows.bulk, noise[0])
    if rows.contrast is None:
        return map(Batch, bulk)
    return map(Batch, bulk, stream(rows.contrast, noise[1]))
