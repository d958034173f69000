"""Layers that shift and scale; and what all layers have in common.

``forward(x, condition)`` takes rows of shape (n, d) and returns ``(z, log_det)``; ``log_det``, of
shape (n,) or a scalar where it is the same for all rows, is ``log |det dz/dx|``.
``inverse(z, condition)`` returns the rows. The condition, rows (n, k) or None, matters to
couplings alone. Layers whose first values come from data have ``initialize(x)``.
"""

import torch
from torch import Tensor, nn


class Standardize(nn.Module):
    """Shift and scale every feature to mean 0 and standard deviation 1, in float64.

    A constant feature gets scale 1. ``forward(x, dtype)`` clips what would overflow when squared
    in the dtype of the layers that follow, so that any finite input has a finite density.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, n_features: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_features, dtype=torch.float64))
        self.register_buffer("scale", torch.ones(n_features, dtype=torch.float64))

    @torch.no_grad()
    def initialize(self, x: Tensor) -> None:
        x = x.double()
        # Powers of two near the largest value: exact, and sums of squares cannot overflow.
        unit = torch.exp2(torch.frexp(x.abs().amax(dim=0)).exponent.double() - 1.0)
        x = x / unit
        mean, std = x.mean(dim=0), x.std(dim=0, correction=0)
        scale = std * unit
        constant = std <= 10 * torch.finfo(x.dtype).eps * mean.abs()
        constant |= scale < torch.finfo(x.dtype).tiny
        self.mean.copy_(mean * unit)
        self.scale.copy_(torch.where(constant, torch.ones_like(scale), scale))

    def initialize_as_one(self, x: Tensor) -> None:
        """Shift and scale all features alike, as pixels."""
        alike = Standardize(1)
        alike.initialize(x.reshape(-1, 1))
        self.mean.fill_(alike.mean.item())
        self.scale.fill_(alike.scale.item())

    def forward(self, x: Tensor, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
        # Halves, so that the difference of two huge numbers does not overflow.
        z = (0.5 * x.double() - 0.5 * self.mean) / (0.5 * self.scale)
        limit = torch.finfo(dtype).max ** 0.25
        return z.clamp(-limit, limit).to(dtype), -self.scale.log().sum()

    def inverse(self, z: Tensor) -> Tensor:
        return z.double() * self.scale + self.mean


class ActNorm(nn.Module):
    """Learned shift and scale of every feature, starting from the data's mean and deviation.

    Kingma and Dhariwal 2018, arXiv:1807.03039, section 3.1.
    """

    def __init__(self, n_features: int):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(n_features))
        self.log_scale = nn.Parameter(torch.zeros(n_features))

    @torch.no_grad()
    def initialize(self, x: Tensor) -> None:
        std = x.std(dim=0, correction=0)
        # Directions without spread (constant, duplicate features) keep their scale: raising it in
        # block after block would overflow.
        self.log_scale.copy_(torch.where(std < 1e-2, 1.0, std).log().neg())
        self.shift.copy_(-x.mean(dim=0) * self.log_scale.exp())

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return torch.addcmul(self.shift, x, self.log_scale.exp()), self.log_scale.sum()

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        return (z - self.shift) * torch.exp(-self.log_scale)
