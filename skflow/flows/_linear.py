"""Linear layers that mix the features: fixed rotations and permutations, learned LU products."""

import torch
from torch import Tensor, nn


class Rotation(nn.Module):
    """Fixed random rotation, drawn uniformly: every coupling sees other directions.

    The matrix is kept in float64: rounded to float32 it would not quite be a rotation.
    """

    matrix: Tensor

    def __init__(self, n_features: int, generator: torch.Generator | None = None):
        super().__init__()
        self.register_buffer("matrix", _random_rotation(n_features, generator))

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        with _exactly(x):
            return x @ self.matrix.T.to(x.dtype), x.new_zeros(())

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        with _exactly(z):
            return z @ self.matrix.to(z.dtype)


class Permutation(nn.Module):
    """Fixed order of the features: random, or the two halves exchanged.

    After an exchange a coupling moves what the one before it passed unchanged.
    """

    order: Tensor

    def __init__(
        self,
        n_features: int,
        generator: torch.Generator | None = None,
        *,
        exchange: bool = False,
    ):
        super().__init__()
        order = torch.arange(n_features).roll(n_features // 2)
        if not exchange:
            order = torch.randperm(n_features, generator=generator)
        self.register_buffer("order", order)

    @property
    def matrix(self) -> Tensor:
        """The permutation as a matrix, float64."""
        return torch.eye(len(self.order), dtype=torch.float64, device=self.order.device)[self.order]

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return x[:, self.order], x.new_zeros(())

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        return z[:, self.order.argsort()]


class LULinear(nn.Module):
    r"""Learned linear map, starting as a random rotation.

    .. math:: z = W x, \qquad W = P L (U + \operatorname{diag}(s))

    Kingma and Dhariwal 2018, arXiv:1807.03039, section 3.2: P is a fixed permutation, L unit lower
    and U strictly upper triangular, and s keeps its signs, so that W stays invertible and
    ``log |det W|`` is the sum of ``log |s|``.
    """

    permutation: Tensor
    signs: Tensor

    def __init__(self, n_features: int, generator: torch.Generator | None = None):
        super().__init__()
        permutation, lower, upper = torch.linalg.lu(_random_rotation(n_features, generator))
        diagonal = upper.diagonal()
        self.register_buffer("permutation", permutation)
        self.register_buffer("signs", diagonal.sign())
        dtype = torch.get_default_dtype()
        self.lower = nn.Parameter(lower.tril(-1).to(dtype))
        self.upper = nn.Parameter(upper.triu(1).to(dtype))
        self.log_diagonal = nn.Parameter(diagonal.abs().log().to(dtype))

    def _factors(self) -> tuple[Tensor, Tensor, Tensor]:
        dtype = self.lower.dtype
        diagonal = self.signs.to(dtype) * self.log_diagonal.exp()
        identity = torch.eye(len(diagonal), dtype=dtype, device=diagonal.device)
        lower = self.lower.tril(-1) + identity
        return self.permutation.to(dtype), lower, self.upper.triu(1) + diagonal.diag()

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        permutation, lower, upper = self._factors()
        with _exactly(x):
            return x @ (permutation @ lower @ upper).T, self.log_diagonal.sum()

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        permutation, lower, upper = self._factors()
        with _exactly(z):
            z = torch.linalg.solve_triangular(lower, permutation.T @ z.T, upper=False)
            return torch.linalg.solve_triangular(upper, z, upper=True).T


def _exactly(x: Tensor) -> torch.autocast:
    """Without autocast: what is rounded to bfloat16 is no rotation."""
    return torch.autocast(x.device.type, enabled=False)


def _random_rotation(n_features: int, generator: torch.Generator | None) -> Tensor:
    """Orthogonal matrix drawn uniformly (Haar measure), float64."""
    normal = torch.randn(n_features, n_features, generator=generator, dtype=torch.float64)
    q, r = torch.linalg.qr(normal)
    return q * r.diagonal().sign()
