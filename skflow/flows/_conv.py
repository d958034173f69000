"""Flows of feature maps: couplings of channels whose networks are convolutions."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from ._coupling import AffineCoupling
from ._layers import ActNorm
from ._linear import Rotation
from ._networks import conv


class ConvCoupling(AffineCoupling):
    """Affine coupling of the channels of maps (n, c, h, w); its network sees the neighbourhood.

    Parameters
    ----------
    n_channels : int
        At least 2.
    hidden_channels : int
        Channels of the hidden layer of the network.
    kernel_size : int
        Side of the network's convolutions, odd.
    n_conditions : int, default=0
        Channels of the condition.
    generator : torch.Generator or None
        Where the initial weights are drawn from.
    """

    def __init__(
        self,
        n_channels: int,
        hidden_channels: int,
        kernel_size: int,
        *,
        n_conditions: int = 0,
        generator: torch.Generator | None = None,
    ):
        self.kernel_size = kernel_size
        super().__init__(
            n_channels, hidden_channels, n_conditions=n_conditions, generator=generator
        )

    def _make_network(self, widths: list[int], generator: torch.Generator | None) -> Any:
        n_in, hidden, *_, n_out = widths
        return [
            conv(n_in, hidden, self.kernel_size, generator),
            nn.ReLU(inplace=True),
            conv(hidden, n_out, self.kernel_size, generator, zero=True),
        ]


class ConvFlow(nn.Module):
    r"""Density of feature maps, position by position: the flow of FastFlow.

    .. math::
        \log p(x) = \sum_{ij} \log p_{ij}, \qquad
        \log p_{ij} = \log N(z_{ij}; 0, I) + \log |\det|_{ij}

    Yu et al. 2021, arXiv:2111.07677: couplings split the channels, and their networks have 3x3
    and 1x1 convolutions in turn, so that z has the size of x and tells where x is improbable. Each
    coupling sees the coordinates of a position, too: what is ordinary depends on where.

    Parameters
    ----------
    n_channels : int
        Channels of the maps, at least 2.
    n_blocks : int
        Number of couplings, each behind an `ActNorm` and a `Rotation` of the channels.
    hidden_channels : int
        Channels of the networks' hidden layer.
    generator : torch.Generator or None
        Where the initial weights are drawn from.

    Examples
    --------
    >>> import torch
    >>> from skflow.flows import ConvFlow
    >>> flow = ConvFlow(4, n_blocks=2, hidden_channels=8)
    >>> flow.log_prob_map(torch.zeros(3, 4, 5, 6)).shape
    torch.Size([3, 5, 6])
    """

    def __init__(
        self,
        n_channels: int,
        n_blocks: int,
        hidden_channels: int,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        self.n_channels = n_channels
        self.norms = nn.ModuleList(ActNorm(n_channels) for _ in range(n_blocks))
        self.rotations = nn.ModuleList(Rotation(n_channels, generator) for _ in range(n_blocks))
        self.couplings = nn.ModuleList(
            ConvCoupling(
                n_channels,
                hidden_channels,
                1 if i % 2 else 3,
                n_conditions=2,
                generator=generator,
            )
            for i in range(n_blocks)
        )

    def _blocks(self) -> list[tuple[Any, Any, Any]]:
        return list(zip(self.norms, self.rotations, self.couplings, strict=True))

    @torch.no_grad()
    def initialize(self, x: Tensor) -> None:
        """Set the `ActNorm` layers by maps (n, c, h, w)."""
        where = coordinates(x)
        for norm, rotation, coupling in self._blocks():
            norm.initialize(x.movedim(1, -1).reshape(-1, self.n_channels))
            x = coupling(_mixed(x, norm, rotation), where)[0]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map x (n, c, h, w) to z of the same shape and log-determinants (n, h, w)."""
        where = coordinates(x)
        log_det = x.new_zeros(len(x), *x.shape[2:])
        for norm, rotation, coupling in self._blocks():
            x, of_coupling = coupling(_mixed(x, norm, rotation), where)
            log_det = log_det + of_coupling + norm.log_scale.sum()
        return x, log_det

    def log_prob_map(self, x: Tensor) -> Tensor:
        """Share of every position in the log-density, shape (n, h, w), in nats."""
        z, log_det = self(x)
        return log_det - 0.5 * (z.square().sum(dim=1) + self.n_channels * math.log(2 * math.pi))

    def inverse(self, z: Tensor) -> Tensor:
        """Maps whose latent maps are z."""
        where = coordinates(z)
        for norm, rotation, coupling in reversed(self._blocks()):
            rows = coupling.inverse(z, where).movedim(1, -1)
            z = norm.inverse(rotation.inverse(rows)).movedim(-1, 1)
        return z


def _mixed(x: Tensor, norm: ActNorm, rotation: Rotation) -> Tensor:
    """`ActNorm` and rotation of the channels, as one convolution."""
    matrix = rotation.matrix.to(x.dtype)
    weight = matrix * norm.log_scale.exp()
    with torch.autocast(x.device.type, enabled=False):  # what is rounded is no rotation
        return conv2d(x, weight[:, :, None, None], matrix @ norm.shift)


def coordinates(x: Tensor) -> Tensor:
    """Where every position of maps (n, c, h, w) is, from -2 to 2, shape (n, 2, h, w)."""
    axes = [torch.linspace(-2, 2, size, dtype=x.dtype, device=x.device) for size in x.shape[2:]]
    return torch.stack(torch.meshgrid(*axes, indexing="ij")).expand(len(x), -1, -1, -1)
