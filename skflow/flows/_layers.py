"""Invertible layers: each maps a batch to (batch, log-determinant) and back.

``forward(x)`` takes rows of shape (n, d) and returns ``(z, log_det)``; ``log_det``, of shape
(n,) or a scalar where it is the same for all rows, is ``log |det dz/dx|``. ``inverse(z)``
returns the rows. Layers whose first values come from data have ``initialize(x)``.
"""

import torch
from torch import Tensor, nn

from ._networks import mlp


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

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.addcmul(self.shift, x, self.log_scale.exp()), self.log_scale.sum()

    def inverse(self, z: Tensor) -> Tensor:
        return (z - self.shift) * torch.exp(-self.log_scale)


class Rotation(nn.Module):
    """Fixed random rotation, drawn uniformly: every coupling sees other directions.

    The matrix is kept in float64: rounded to float32 it would not quite be a rotation.
    """

    matrix: Tensor

    def __init__(self, n_features: int, generator: torch.Generator | None = None):
        super().__init__()
        normal = torch.randn(n_features, n_features, generator=generator, dtype=torch.float64)
        q, r = torch.linalg.qr(normal)
        self.register_buffer("matrix", q * r.diagonal().sign())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x @ self.matrix.T.to(x.dtype), x.new_zeros(())

    def inverse(self, z: Tensor) -> Tensor:
        return z @ self.matrix.to(z.dtype)


class Permutation(nn.Module):
    """Fixed random order of the features: a rotation for where its matrix is too large."""

    order: Tensor

    def __init__(self, n_features: int, generator: torch.Generator | None = None):
        super().__init__()
        self.register_buffer("order", torch.randperm(n_features, generator=generator))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x[:, self.order], x.new_zeros(())

    def inverse(self, z: Tensor) -> Tensor:
        return z[:, self.order.argsort()]


class AffineCoupling(nn.Module):
    """Affine coupling: the first half of the features shifts and scales the second half.

    ``z_2 = x_2 * exp(s(x_1)) + t(x_1)``, Dinh et al. 2017, arXiv:1605.08803, eqs. 4-5, with the
    log-scale softly clamped, ``s = c tanh(r / c)``, so that no row can make it overflow. Starts
    as the identity.

    Parameters
    ----------
    n_features : int
        At least 2.
    hidden_features : int
        Width of the two hidden layers of the network that computes ``r`` and ``t``.
    clamp : float, default=2.0
        Largest absolute log-scale ``c``.
    generator : torch.Generator or None
        Where the initial weights are drawn from.
    """

    def __init__(
        self,
        n_features: int,
        hidden_features: int,
        *,
        clamp: float = 2.0,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        self.n_passed = n_features // 2
        self.clamp = clamp
        n_moved = n_features - self.n_passed
        self.network = mlp(
            [self.n_passed, hidden_features, hidden_features, 2 * n_moved],
            generator,
            zero_output=True,
        )

    def _shift_and_log_scale(self, passed: Tensor) -> tuple[Tensor, Tensor]:
        shift, raw = self.network(passed).chunk(2, dim=1)
        return shift, self.clamp * torch.tanh(raw / self.clamp)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        passed, moved = x[:, : self.n_passed], x[:, self.n_passed :]
        shift, log_scale = self._shift_and_log_scale(passed)
        z = torch.cat([passed, torch.addcmul(shift, moved, log_scale.exp())], dim=1)
        return z, log_scale.sum(dim=1)

    def inverse(self, z: Tensor) -> Tensor:
        passed, moved = z[:, : self.n_passed], z[:, self.n_passed :]
        shift, log_scale = self._shift_and_log_scale(passed)
        return torch.cat([passed, (moved - shift) * torch.exp(-log_scale)], dim=1)
