"""The network of FastFlowDetector: one `ConvFlow` for each level of feature maps."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from ..flows import ConvFlow, Standardize

Shape = tuple[int, int, int]
#: A position belongs to a mask that covers so much of it.
COVERED = 0.25


class FastFlow(nn.Module):
    """Flows of the levels of feature maps, which lie in a row one after another.

    Parameters
    ----------
    shapes : list of (c, h, w)
        Maps of each level.
    n_blocks, hidden_channels, generator
        As for `ConvFlow`.
    mask_shape : tuple of two ints
        Size of the masks at the end of contrast rows: where something was planted.
    """

    def __init__(
        self,
        shapes: list[Shape],
        n_blocks: int,
        hidden_channels: int,
        mask_shape: tuple[int, int],
        generator: torch.Generator | None,
    ):
        super().__init__()
        self.shapes, self.mask_shape = shapes, mask_shape
        self.n_maps = sum(map(math.prod, shapes))
        self.standardize = Standardize(self.n_maps)
        self.flows = nn.ModuleList(
            ConvFlow(shape[0], n_blocks, hidden_channels, generator) for shape in shapes
        )

    @torch.no_grad()
    def initialize(self, x: Tensor) -> None:
        """Standardise every level as a whole, so that what is dark everywhere stays quiet."""
        start = 0
        for shape in self.shapes:
            part = slice(start, start + math.prod(shape))
            values = Standardize(1)
            values.initialize(x[:, part].reshape(-1, 1))
            self.standardize.mean[part], self.standardize.scale[part] = values.mean, values.scale
            start = part.stop
        for flow, maps in zip(self.flows, self._levels(x[:1024]), strict=True):
            flow.initialize(maps)  # type: ignore[operator]

    def _levels(self, x: Tensor) -> list[Tensor]:
        """Standardised maps (n, c, h, w) of every level."""
        z, _ = self.standardize(x[:, : self.n_maps], next(self.parameters()).dtype)
        parts = z.split([math.prod(shape) for shape in self.shapes], dim=1)
        return [part.reshape(-1, *shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def log_prob_maps(self, x: Tensor) -> list[Tensor]:
        """Log-density of a channel at every position, (n, h, w) for each level, float64, in nats.

        Of standardised maps: positions and levels of other units could not be compared.
        """
        levels = zip(self.flows, self._levels(x), strict=True)
        return [flow.log_prob_map(maps).double() / flow.n_channels for flow, maps in levels]  # type: ignore[operator]

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density of a channel at all positions of all levels, (n, n_positions)."""
        return torch.cat([maps.flatten(1) for maps in self.log_prob_maps(x)], dim=1)

    def planted(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Positions (n, n_positions) inside and outside the masks of rows."""
        mask = x[:, self.n_maps :].reshape(-1, 1, *self.mask_shape)
        parts = [adaptive_avg_pool2d(mask, shape[1:]).flatten(1) for shape in self.shapes]
        covered = torch.cat(parts, dim=1)
        # A mask smaller than a position is at least where most of it is.
        least = covered.amax(dim=1, keepdim=True).clamp(min=1e-6, max=COVERED)
        return covered >= least, covered == 0
