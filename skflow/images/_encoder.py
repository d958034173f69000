"""A small residual network for images, whose rows do not depend on each other."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, interpolate, relu

from ..detectors._images import as_maps
from ..flows import ActNorm, Standardize, conv, mlp

#: Channels in a group that is normalised as one.
GROUP = 8
#: Parts of the height and of the width that are averaged each.
N_PARTS = 2
#: About so many images set the first scales of features.
N_INITIAL = 512


def initial_rows(rows: Tensor) -> Tensor:
    """Rows that features are first scaled by, evenly drawn."""
    return rows[:: math.ceil(len(rows) / N_INITIAL)]


class _Residual(nn.Module):
    """Two 3x3 convolutions beside the identity: He et al. 2016, arXiv:1512.03385.

    With group normalisation (Wu and He 2018, arXiv:1803.08494): batch normalisation would make the
    features of an image depend on the others, and lets momentum contrast cheat.
    """

    def __init__(self, n_in: int, n_out: int, stride: int, generator: torch.Generator | None):
        super().__init__()
        self.first = conv(n_in, n_out, 3, generator, stride=stride)
        self.second = conv(n_out, n_out, 3, generator)
        self.norms = nn.ModuleList(nn.GroupNorm(max(n_out // GROUP, 1), n_out) for _ in range(2))
        keeps = n_in == n_out and stride == 1
        self.shortcut = nn.Identity() if keeps else conv(n_in, n_out, 1, generator, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        h = relu(self.norms[0](self.first(x)))
        return relu(self.norms[1](self.second(h)) + self.shortcut(x))


class SmallResNet(nn.Module):
    """Three stages of residual blocks, each half as fine and twice as wide, and a projection.

    The last maps are averaged over each quarter of the image, which tells a loop above from one
    below. Averages are centred and scaled before the projection, at first by the data: rectified as
    they are, they are nearly parallel for all images, and contrast would have to part them first.

    Parameters
    ----------
    in_channels : int
        Channels of the images.
    n_features : int
        Number of features.
    width : int
        Channels of the first stage.
    generator : torch.Generator or None
        Where the initial weights are drawn from.
    """

    def __init__(
        self, in_channels: int, n_features: int, width: int, generator: torch.Generator | None
    ):
        super().__init__()
        self.stem = conv(in_channels, width, 3, generator)
        self.stages = nn.ModuleList(
            _Residual(n_in, n_out, 2, generator)
            for n_in, n_out in ((width, width), (width, 2 * width), (2 * width, 4 * width))
        )
        self.n_averages = N_PARTS**2 * 4 * width
        self.centre = ActNorm(self.n_averages)
        self.projection = mlp([self.n_averages, 4 * width, n_features], generator)

    def initialize(self, x: Tensor) -> None:
        """Centre and scale the averages by those of some images."""
        with torch.no_grad():
            self.centre.initialize(self._averages(x))

    def _averages(self, x: Tensor) -> Tensor:
        return adaptive_avg_pool2d(self.maps(x)[-1], N_PARTS).flatten(start_dim=1)

    def maps(self, x: Tensor) -> list[Tensor]:
        """Output of every stage."""
        x, out = relu(self.stem(x)), []
        for stage in self.stages:
            x = stage(x)
            out.append(x)
        return out

    def averages(self, x: Tensor) -> Tensor:
        """Centred averages of the last maps, (n, n_averages)."""
        centred, _ = self.centre(self._averages(x))
        return centred

    def forward(self, x: Tensor) -> Tensor:
        return self.projection(self.averages(x))


class SquareNetwork(nn.Module):
    """Base of networks that turn images: rows become standardised square images.

    Parameters
    ----------
    image_shape : tuple of three ints
        Height, width and channels; images that are not square are stretched.
    n_features, width, generator
        As for `SmallResNet`, the ``encoder``.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        n_features: int,
        width: int,
        generator: torch.Generator | None,
    ):
        super().__init__()
        self.image_shape = image_shape
        self.standardize = Standardize(math.prod(image_shape))
        self.encoder = SmallResNet(image_shape[2], n_features, width, generator)

    def initialize(self, x: Tensor) -> None:
        self.standardize.initialize_as_one(x)
        self.encoder.initialize(self.images(initial_rows(x)))

    def images(self, x: Tensor) -> Tensor:
        """Standardised square images of rows."""
        z, _ = self.standardize(x, next(self.parameters()).dtype)
        maps = as_maps(z, self.image_shape)
        side = max(self.image_shape[:2])
        return maps if maps.shape[2] == maps.shape[3] else interpolate(maps, (side, side))


class Standardized(nn.Module):
    """An encoder behind standardised, and perhaps coarsened and enlarged, images.

    Parameters
    ----------
    encoder : torch.nn.Module
        Gets images (n, c, h, w).
    resolution : int or None
        Shrink images to so many pixels a side first: what the encoder learns is then what can be
        seen in small images.
    input_size : int or None
        Enlarge images to so many pixels a side, bilinearly.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, encoder: nn.Module, resolution: int | None, input_size: int | None):
        super().__init__()
        self.encoder = encoder
        self.sizes = [size for size in (resolution, input_size) if size is not None]
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("scale", torch.ones(()))

    def initialize(self, x: Tensor) -> None:
        """Mean and standard deviation of all values."""
        self.mean.copy_(x.mean())
        self.scale.copy_(x.std(correction=0).clamp(min=torch.finfo(x.dtype).tiny))

    def images(self, x: Tensor) -> Tensor:
        """What the encoder sees."""
        for size in self.sizes:
            x = interpolate(x, (size, size), mode="bilinear", antialias=True)
        return x

    def standardized(self, x: Tensor) -> Tensor:
        """Images in standard deviations from the mean; far outliers are clipped."""
        return ((x - self.mean) / self.scale).clamp(-1e6, 1e6)

    def forward(self, x: Tensor) -> Tensor:
        return self.encoder(self.images(x))
