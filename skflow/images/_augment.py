"""Random views of images: shifted, turned, stretched, thicker or thinner, brighter, noisier."""

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, max_pool2d


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
    zoom : float
        Largest change of size, in parts of it.
    shear : float
        Largest shear and, in parts of it, change of the ratio of height and width.
    morphology : float
        Largest part by which pixels become the brightest of their neighbours, or the darkest:
        dilation and erosion, which make strokes thicker and thinner.
    """

    def __init__(
        self,
        shift: float,
        rotation: float,
        intensity: float,
        noise: float,
        generator: torch.Generator,
        *,
        zoom: float = 0.0,
        shear: float = 0.0,
        morphology: float = 0.0,
    ):
        self.shift, self.rotation = shift, rotation
        self.zoom, self.shear, self.morphology = zoom, shear, morphology
        self.intensity, self.noise = intensity, noise
        self.generator = generator

    def state_dict(self) -> dict[str, Tensor]:
        """What a checkpoint keeps."""
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on as a checkpoint was left."""
        self.generator.set_state(state["generator"])

    def _uniform(self, x: Tensor, *shape: int, limit: float) -> Tensor:
        draw = torch.rand(len(x), *shape, generator=self.generator, device=x.device, dtype=x.dtype)
        return limit * (2 * draw - 1)

    def __call__(self, x: Tensor) -> Tensor:
        """Views of standardised images (n, c, h, w)."""
        if self.shift or self.rotation or self.zoom or self.shear:
            x = self._moved(x)
        if self.morphology:
            part = self._uniform(x, 1, 1, 1, limit=self.morphology)
            brightest, darkest = max_pool2d(x, 3, 1, 1), -max_pool2d(-x, 3, 1, 1)
            x = torch.lerp(x, torch.where(part > 0, brightest, darkest), part.abs())
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
        width = height = torch.ones_like(angle)
        shear = torch.zeros_like(angle)
        if self.zoom:
            width = height = self._uniform(x, limit=math.log1p(self.zoom)).exp()
        if self.shear:
            height = height * self._uniform(x, limit=self.shear).exp()
            shear = self._uniform(x, limit=self.shear)
        cos, sin = angle.cos(), angle.sin()
        ratio = x.shape[2] / x.shape[3]
        # Coordinates run from -1 to 1 along both axes, whatever their lengths.
        shift = self._uniform(x, 2, limit=2 * self.shift)
        rows = [
            *(cos * width, (shear - sin) * height * ratio, shift[:, 0]),
            *(sin * width / ratio, cos * height, shift[:, 1]),
        ]
        matrix = torch.stack(rows, dim=1).reshape(-1, 2, 3)
        grid = affine_grid(matrix, list(x.shape), align_corners=False)
        return grid_sample(x, grid, padding_mode="border", align_corners=False)
