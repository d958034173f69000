"""The networks of AutoencoderDetector: dense, and convolutional for images."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

from ..flows import Standardize, conv, mlp
from ._images import as_maps


class Autoencoder(nn.Module, ABC):
    """A standardising layer, and a reconstruction of what comes out of it."""

    def __init__(self, n_features: int):
        super().__init__()
        self.standardize = Standardize(n_features)

    def initialize(self, x: Tensor) -> None:
        self.standardize.initialize(x)

    @abstractmethod
    def reconstructed(self, z: Tensor) -> Tensor:
        """Squeeze standardised rows (n, d) and bring them back."""

    def squared_errors(self, x: Tensor) -> Tensor:
        """Squared error of every feature, in squared standard deviations, shape (n, d)."""
        z, _ = self.standardize(x, next(self.parameters()).dtype)
        return (self.reconstructed(z) - z).square()

    def reconstruction_error(self, x: Tensor) -> Tensor:
        """Mean squared error of every row, in squared standard deviations, shape (n,)."""
        return self.squared_errors(x).mean(dim=1)


class DenseAutoencoder(Autoencoder):
    """Encoder and decoder with one hidden layer each."""

    def __init__(
        self,
        n_features: int,
        hidden_features: int,
        latent_features: int,
        generator: torch.Generator | None,
    ):
        super().__init__(n_features)
        self.encoder = mlp([n_features, hidden_features, latent_features], generator)
        self.decoder = mlp([latent_features, hidden_features, n_features], generator)

    def reconstructed(self, z: Tensor) -> Tensor:
        return self.decoder(self.encoder(z))


class ConvAutoencoder(Autoencoder):
    """Two convolutions that halve images, a narrow layer, and two that enlarge them again.

    All pixels are standardised alike, so that what is dark in all training images does not count
    more than the rest.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        hidden_features: int,
        latent_features: int,
        generator: torch.Generator | None,
    ):
        height, width, channels = image_shape
        super().__init__(height * width * channels)
        self.image_shape = image_shape
        self.size_half = -(-height // 2), -(-width // 2)
        self.size_quarter = -(-height // 4), -(-width // 4)
        first, second = max(hidden_features // 2, 1), hidden_features
        n_small = second * self.size_quarter[0] * self.size_quarter[1]
        self.encoder = nn.Sequential(
            conv(channels, first, 3, generator, stride=2),
            nn.ReLU(inplace=True),
            conv(first, second, 3, generator, stride=2),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            *mlp([n_small, latent_features], generator),
        )
        self.decoder = mlp([latent_features, n_small], generator)
        self.enlarge = nn.ModuleList(
            [conv(second, first, 3, generator), conv(first, channels, 3, generator)]
        )

    def initialize(self, x: Tensor) -> None:
        self.standardize.initialize_as_one(x)

    def reconstructed(self, z: Tensor) -> Tensor:
        small = relu(self.decoder(self.encoder(as_maps(z, self.image_shape))))
        maps = interpolate(small.unflatten(1, (-1, *self.size_quarter)), self.size_half)
        maps = interpolate(relu(self.enlarge[0](maps)), self.image_shape[:2])
        return self.enlarge[1](maps).movedim(1, -1).flatten(1)
