"""Features and feature maps of images by a torch module: what backbones have in common."""

import copy
from collections.abc import Sequence
from contextlib import ExitStack
from numbers import Integral
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from .._sklearn import Interval, fit_context
from .._threads import alone
from ..detectors._images import as_maps, as_table, resolve_image_shape
from ..detectors._validation import unchanged_on_error

#: Pixels of images that go through a module at once: bounds memory.
CHUNK_PIXELS = 2**20


class ImageFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Base of transformers with a torch module that sees images.

    A subclass sets ``image_shape_`` and ``n_features_out_`` in `fit`, and tells the features in
    ``_features`` and the maps in ``_maps``.
    """

    image_shape_: tuple[int, int, int]
    n_features_out_: int

    def _checked(self, X: Any, *, reset: bool, least: int = 1) -> np.ndarray:
        """X as finite rows (n, h * w * c); sets the image's shape in `fit`."""
        if not reset:
            check_is_fitted(self)
        rows = validate_data(
            self,
            as_table(X, None if reset else self.image_shape_),
            dtype=[np.float32, np.float64],
            ensure_min_samples=least,
            reset=reset,
        )
        if reset:
            self.image_shape_ = resolve_image_shape(self.image_shape, X, rows.shape[1])
        return rows

    def _in_chunks(self, compute: Any, rows: np.ndarray) -> list[Any]:
        """Apply ``compute(images)`` to chunks of rows, as torch images (n, c, h, w)."""
        n_rows = max(CHUNK_PIXELS // rows.shape[1], 1)
        with torch.no_grad():
            return [
                compute(as_maps(torch.tensor(rows[start : start + n_rows]), self.image_shape_))
                for start in range(0, len(rows), n_rows)
            ]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _features(self, images: Tensor) -> Tensor:
        """Features (n, k) of images (n, c, h, w): by default the means of all maps."""
        return torch.cat([pooled(maps) for maps in self._maps(images)], dim=1)

    def _maps(self, images: Tensor) -> list[Tensor]:
        """Feature maps of images (n, c, h, w)."""
        raise NotImplementedError

    def transform(self, X: Any) -> np.ndarray:
        """Features of images.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_pixels), (n, h, w) or (n, h, w, c)
            Images of the shape of those in `fit`.

        Returns
        -------
        features : ndarray of shape (n_samples, n_features_out)
            Of the dtype of X, float32 or float64.
        """
        rows = self._checked(X, reset=False)
        features = torch.cat(self._in_chunks(self._features, rows)).cpu().numpy()
        return features.astype(rows.dtype, copy=False)

    def feature_maps(self, X: Any) -> list[np.ndarray]:
        """Maps of images, layer by layer.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_pixels), (n, h, w) or (n, h, w, c)
            Images of the shape of those in `fit`.

        Returns
        -------
        maps : list of ndarray of shape (n_samples, c, h, w)
        """
        rows = self._checked(X, reset=False)
        chunks = self._in_chunks(self._maps, rows)
        return [torch.cat(level).cpu().numpy() for level in zip(*chunks, strict=True)]

    @property
    def _n_features_out(self) -> int:
        return self.n_features_out_


class FrozenFeatures(ImageFeatures):
    """Features of a pretrained torch module, which stays as it is.

    Any backbone that the user has, of torchvision, timm or their own: nothing is downloaded.
    Features are the output of the module, or those of chosen layers, maps averaged over all
    positions. For `FastFlowDetector` it is a backbone.

    Parameters
    ----------
    module : torch.nn.Module
        Called with images (n, channels, height, width), float32; put into evaluation mode.
    layers : sequence of str or None, default=None
        Names of submodules, as in ``dict(module.named_modules())``, whose outputs are the features;
        None is the output of the module.
    image_shape : tuple of two or three ints, or None, default=None
        (height, width) or (height, width, channels) of the images in the rows of X. None is the
        shape of X; for a table, that of square images with one or three channels, else one line.
    channels : int or None, default=None
        Repeat images of one channel so often, for modules that want colours.

    Attributes
    ----------
    module_ : torch.nn.Module
        A copy of the module, on its device.
    image_shape_ : tuple of three ints
        Height, width and channels.
    n_features_in_ : int
        Number of pixels, times channels.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from skflow.images import FrozenFeatures
    >>> module = torch.nn.Sequential(torch.nn.Conv2d(1, 8, 3), torch.nn.ReLU())
    >>> X = np.zeros((5, 12, 12))
    >>> FrozenFeatures(module).fit_transform(X).shape
    (5, 8)
    >>> [maps.shape for maps in FrozenFeatures(module, layers=["0", "1"]).fit(X).feature_maps(X)]
    [(5, 8, 10, 10), (5, 8, 10, 10)]
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "module": [nn.Module],
        "layers": [None, list, tuple],
        "image_shape": [None, tuple, list],
        "channels": [None, Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        module: nn.Module,
        *,
        layers: Sequence[str] | None = None,
        image_shape: Any = None,
        channels: int | None = None,
    ):
        self.module = module
        self.layers = layers
        self.image_shape = image_shape
        self.channels = channels

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> "FrozenFeatures":
        """Learn the shape of the images; the module learns nothing.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_pixels), (n, h, w) or (n, h, w, c)
            Images.
        y : None
            Ignored.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a layer does not exist, or the module cannot take these images.
        """
        with unchanged_on_error(self):
            rows = self._checked(X, reset=True)
            named = dict(self.module.named_modules())
            missing = [name for name in self.layers or () if name not in named]
            if missing:
                raise ValueError(
                    f"layers must be names of submodules of module, such as {list(named)[1:6]}; "
                    f"got {missing}"
                )
            self.module_ = copy.deepcopy(self.module).eval().requires_grad_(False)
            try:
                (features,) = self._in_chunks(self._features, rows[:1])
            except (RuntimeError, AttributeError) as error:
                raise ValueError(
                    f"module cannot take images of shape {self.image_shape_} (height, width, "
                    f"channels): {error}"
                ) from error
            self.n_features_out_ = features.shape[1]
        return self

    def _maps(self, images: Tensor) -> list[Tensor]:
        like = next(self.module_.parameters(), torch.empty(0))
        images = images.to(like)
        if self.channels is not None and images.shape[1] == 1:
            images = images.expand(-1, self.channels, -1, -1)
        if self.layers is None:
            return as_levels(self.module_(images))
        found: dict[str, Tensor] = {}
        named = dict(self.module_.named_modules())
        # Hooks are the module's own, so that threads take turns.
        with alone(), ExitStack() as hooks:
            for name in self.layers:

                def keep(_module: Any, _inputs: Any, output: Tensor, name: str = name) -> None:
                    found[name] = _as_map(output, name).clone()

                handle = named[name].register_forward_hook(keep)
                hooks.callback(handle.remove)
            self.module_(images)
        missing = [name for name in self.layers if name not in found]
        if missing:
            raise ValueError(f"layers must be called by module; got {missing}, which are not")
        return [found[name] for name in self.layers]


def as_levels(output: Any) -> list[Tensor]:
    """The output of a module, one map or several, as a list."""
    levels = output if isinstance(output, list | tuple) else [output]
    return [_as_map(level, "module") for level in levels]


def _as_map(output: Any, name: str) -> Tensor:
    """Refuse what is neither features (n, k) nor maps (n, k, h, w)."""
    if not isinstance(output, Tensor) or output.ndim not in (2, 4):
        what = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise ValueError(
            f"the output of {name} must be features (n, k) or maps (n, k, h, w); got {what}"
        )
    return output


def pooled(maps: Tensor) -> Tensor:
    """Means over all positions of maps (n, c, h, w)."""
    return maps if maps.ndim == 2 else maps.flatten(2).mean(dim=2)


def fitted_backbone(
    backbone: Any, X: np.ndarray, image_shape: tuple[int, int, int], seed: int
) -> Any:
    """The transformer of a backbone, fitted to rows X; what is frozen stays as it is."""
    if isinstance(backbone, nn.Module):
        backbone = FrozenFeatures(backbone)
    backbone = clone(backbone)
    if "image_shape" in backbone.get_params(deep=False):
        backbone.set_params(image_shape=image_shape)
    if backbone.get_params(deep=False).get("random_state", seed) is None:
        backbone.set_params(random_state=seed % 2**32)
    fitted = backbone.fit(X, None)
    if fitted.image_shape_ != image_shape:
        raise ValueError(
            f"backbone must be for images of shape {image_shape}; got one that was fitted to "
            f"{fitted.image_shape_}"
        )
    shapes = [maps.shape for maps in fitted.feature_maps(X[:1])]
    if any(len(shape) != 4 for shape in shapes):
        raise ValueError(
            f"backbone must give feature maps (n, channels, height, width); got {shapes}"
        )
    return fitted
