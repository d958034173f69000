"""A flow is a chain of invertible layers with a standard normal base density."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ._layers import ActNorm, AffineCoupling, Permutation, Rotation, Standardize

#: A rotation stores d * d numbers; beyond this many features a permutation stands in for it.
MAX_ROTATED_FEATURES = 512


class Flow(nn.Module):
    r"""Density of a chain of invertible layers ``T: x -> z``.

    .. math:: \log p(x) = \log N(T(x); 0, I) + \log |\det dT/dx|

    Parameters
    ----------
    layers : iterable of torch.nn.Module
        Layers after the standardising one, first to last; see the layers of this package.
    n_features : int
        Number of features d.

    Notes
    -----
    Standardising and all log-densities are computed in float64; the other layers work in the
    dtype of their parameters (call ``double()`` for exact scores).
    """

    def __init__(self, layers: Iterable[nn.Module], n_features: int):
        super().__init__()
        self.n_features = n_features
        self.standardize = Standardize(n_features)
        self.layers = nn.ModuleList(layers)

    @torch.no_grad()
    def initialize(self, x: Tensor, max_rows: int = 8192) -> None:
        """Set the data-dependent layers: standardising by all rows, ActNorm by the first ones."""
        self.standardize.initialize(x)
        z, _ = self.standardize(x[:max_rows], next(self.parameters()).dtype)
        for layer in self.layers:
            if hasattr(layer, "initialize"):
                layer.initialize(z)  # type: ignore[operator]
            z, _ = layer(z)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map rows (n, d) to latent rows (n, d) and log-determinants (n,)."""
        z, log_det = self.standardize(x, next(self.parameters()).dtype)
        log_det = log_det.expand(len(x))
        for layer in self.layers:
            z, layer_log_det = layer(z)
            log_det = log_det + layer_log_det
        return z, log_det

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density of the rows, in nats, float64, shape (n,)."""
        z, log_det = self(x)
        log_base = -0.5 * (z.square().sum(dim=1) + self.n_features * math.log(2 * math.pi))
        return log_base + log_det

    def latent(self, x: Tensor) -> Tensor:
        """Latent coordinates of the rows, shape (n, d): standard normal under the flow."""
        return self(x)[0]

    def inverse(self, z: Tensor) -> Tensor:
        """Rows whose latent coordinates are ``z``."""
        for layer in reversed(self.layers):
            z = layer.inverse(z)  # type: ignore[operator]
        return self.standardize.inverse(z)

    def sample(self, n_samples: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw rows from the flow's density, shape (n_samples, d)."""
        weight = next(self.parameters())
        # Drawn on the CPU: the same seed gives the same rows on every device.
        z = torch.randn(n_samples, self.n_features, generator=generator, dtype=torch.float64)
        return self.inverse(z.to(weight.device, weight.dtype))


def realnvp(
    n_features: int,
    *,
    n_blocks: int = 8,
    hidden_features: int = 128,
    generator: torch.Generator | None = None,
) -> Flow:
    """Make a RealNVP flow: blocks of ActNorm, fixed rotation and affine coupling.

    Dinh et al. 2017, arXiv:1605.08803. One feature leaves nothing to couple: the flow is then
    a normal distribution with learned mean and width.

    Parameters
    ----------
    n_features : int
        Number of features d, at least 1.
    n_blocks : int, default=8
        Number of blocks.
    hidden_features : int, default=128
        Width of the two hidden layers of every coupling network.
    generator : torch.Generator or None
        Where rotations and initial weights are drawn from; torch's global one if None.

    Examples
    --------
    >>> import torch
    >>> from skflow.flows import realnvp
    >>> flow = realnvp(3, n_blocks=2, generator=torch.Generator().manual_seed(0))
    >>> flow.log_prob(torch.zeros(5, 3)).shape
    torch.Size([5])
    """
    mix = Rotation if n_features <= MAX_ROTATED_FEATURES else Permutation
    layers: list[nn.Module] = []
    for _ in range(n_blocks):
        layers.append(ActNorm(n_features))
        if n_features > 1:
            layers.append(mix(n_features, generator))
            layers.append(AffineCoupling(n_features, hidden_features, generator=generator))
    return Flow(layers, n_features)
