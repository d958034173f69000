"""Batches for training: tensors sliced on their device, without a per-row loader."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ._processes import own_share


class Batch(NamedTuple):
    """Rows for one step: bulk rows (n, d) and, where the objective wants them, contrast rows."""

    bulk: Tensor
    contrast: Tensor | None = None

    @classmethod
    def of(cls, bulk: np.ndarray, contrast: np.ndarray | None) -> "Batch":
        """Rows as tensors."""
        return cls(torch.from_numpy(bulk), None if contrast is None else torch.from_numpy(contrast))

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


class Noise(NamedTuple):
    """What is added to rows each time they are drawn, for every feature; None for nothing."""

    #: Standard deviation (d,) of normal noise.
    std: Tensor | None = None
    #: Width (d,) of noise uniform around 0: the step of a discrete feature.
    width: Tensor | None = None

    def added(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Rows (n, d) with noise; what would overflow is clipped."""
        largest = torch.finfo(x.dtype).max
        like: dict[str, Any] = {"generator": generator, "device": x.device, "dtype": x.dtype}
        if self.std is not None:
            normal = torch.randn(x.shape, **like)
            x = torch.addcmul(x, normal, self.std).clamp_(-largest, largest)
        if self.width is not None:
            uniform = torch.rand(x.shape, **like).sub_(0.5)
            x = torch.addcmul(x, uniform, self.width).clamp_(-largest, largest)
        return x


def batches(
    rows: Batch,
    batch_size: int,
    noise: tuple[Noise, Noise],
    generator: torch.Generator,
) -> Iterator[Batch]:
    """Endless batches of bulk rows and, where there are any, of contrast rows beside them.

    Where several processes train together, each gets its share.

    Parameters
    ----------
    rows : Batch
        All rows: bulk (n, d) and contrast (m, d) or None.
    batch_size : int
        Rows of each kind in a batch; all of them where there are fewer.
    noise : tuple of Noise
        What is added to bulk rows and to contrast rows, drawn anew each time.
    generator : torch.Generator
        Source of order and noise, on the device of the rows.
    """

    def stream(x: Tensor, noise: Noise) -> Iterator[Tensor]:
        for part in _slices(x, min(batch_size, len(x)), generator):
            yield own_share(noise.added(part, generator))

    bulk = stream(rows.bulk, noise[0])
    if rows.contrast is None:
        return map(Batch, bulk)
    return map(Batch, bulk, stream(rows.contrast, noise[1]))
