"""Random views of images: shifted, turned, brighter or darker, noisier."""

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample


class Augment:
    """Draw a view of every image of a batch.

    Parameters
    ----------
    shift : float
        Largest shift, in parts of the image's height and width.
    rotation : float
        Largest angle, in degrees.
    intensity : float
        Largest change of contrast, in parts of it, and of brightness, in standard deviations.
    noise : float
        Largest standard deviation of the noise, in those of the images.
    generator : torch.Generator
        Source of all draws, on the device of the images.
    """

    def __init__(
        self,
        shift: float,
        rotation: float,
        intensity: float,
        noise: float,
        generator: torch.Generator,
    ):
        self.shift, self.rotation = shift, rotation
        self.intensity, self.noise = intensity, noise
        self.generator = generator

    def _uniform(self, x: Tensor, *shape: int, limit: float) -> Tensor:
        draw = torch.rand(len(x), *shape, generator=self.generator, device=x.device, dtype=x.dtype)
        return limit * (2 * draw - 1)

    def __call__(self, x: Tensor) -> Tensor:
        """Views of standardised images (n, c, h, w)."""
        if self.shift or self.rotation:
            x = self._moved(x)
        if self.intensity:
            contrast = 1 + self._uniform(x, 1, 1, 1, limit=self.intensity)
            x = contrast * x + self._uniform(x, 1, 1, 1, limit=self.intensity)
        if self.noise:
            size = self._uniform(x, 1, 1, 1, limit=self.noise)
            normal = torch.randn(x.shape, generator=self.generator, device=x.device, dtype=x.dtype)
            x = x + size * normal
        return x

    def _moved(self, x: Tensor) -> Tensor:
        angle = self._uniform(x, limit=math.radians(self.rotation))
        cos, sin = angle.cos(), angle.sin()
        ratio = x.shape[2] / x.shape[3]
        # Coordinates run from -1 to 1 along both axes, whatever their lengths.
        shift = self._uniform(x, 2, limit=2 * self.shift)
        rows = [cos, -sin * ratio, shift[:, 0], sin / ratio, cos, shift[:, 1]]
        matrix = torch.stack(rows, dim=1).reshape(-1, 2, 3)
        grid = affine_grid(matrix, list(x.shape), align_corners=False)
        return grid_sample(x, grid, padding_mode="border", align_corners=False)
