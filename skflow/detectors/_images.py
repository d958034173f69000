"""Images as rows: their shape, and rows that were given as images."""

import math
from numbers import Integral
from typing import Any

import numpy as np
from torch import Tensor

from ._torch import SMALL_STEP

#: Colours that a table of square images may have.
CHANNELS = (1, 3)


def resolve_image_shape(image_shape: Any, X: Any, n_features: int) -> tuple[int, int, int]:
    """Return rows, columns and channels of the images in the rows of X.

    Parameters
    ----------
    image_shape : tuple of two or three ints, or None
        (height, width) or (height, width, channels). None is the shape that X has; for a table,
        that of a square image with one channel or three, else an image of one line.
    X : array-like
        What `fit` was given.
    n_features : int
        Number of columns.

    Returns
    -------
    shape : tuple of three ints
        Height, width and channels.

    Raises
    ------
    ValueError
        If the shape is not one of positive whole numbers, or not that of X.
    """
    given = shape_of(X)[1:] if len(shape_of(X)) > 2 else None
    if image_shape is None:
        if given is not None:
            return _with_channels(given)
        for channels in CHANNELS:
            side = math.isqrt(n_features // channels)
            if channels * side**2 == n_features:
                return side, side, channels
        return 1, n_features, 1
    sizes = tuple(image_shape) if isinstance(image_shape, tuple | list) else ()
    if len(sizes) not in (2, 3) or not all(
        isinstance(size, Integral) and int(size) > 0 for size in sizes
    ):
        raise ValueError(
            "image_shape must be (height, width) or (height, width, channels), whole numbers of "
            f"at least 1; got {image_shape!r}"
        )
    shape = _with_channels(sizes)
    if given is not None and _with_channels(given) != shape:
        raise ValueError(f"image_shape={image_shape} must be the shape of the images in X; {given}")
    if math.prod(shape) != n_features:
        raise ValueError(
            f"image_shape={image_shape} has {math.prod(shape)} pixels, as many as X must have "
            f"columns; got {n_features}"
        )
    return shape


def _with_channels(sizes: Any) -> tuple[int, int, int]:
    height, width, channels = (*sizes, 1)[:3]
    return int(height), int(width), int(channels)


def shape_of(X: Any) -> tuple[int, ...]:
    """Shape of what is an array, a table, or can become one."""
    return tuple(getattr(X, "shape", None) or np.asarray(X).shape)


def as_table(X: Any, shape: tuple[int, int, int] | None) -> Any:
    """Rows of images (n, h, w) or (n, h, w, c), flattened; a table is returned as it is.

    Raises
    ------
    ValueError
        If the images have another shape than those of `fit`.
    """
    if len(shape_of(X)) not in (3, 4):
        return X
    X = np.asarray(X)
    if shape is not None and _with_channels(X.shape[1:]) != shape:
        raise ValueError(f"images must have the shape {shape} of those in fit; got {X.shape[1:]}")
    return X.reshape(len(X), math.prod(X.shape[1:]))


def as_maps(rows: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Rows (n, h * w * c) as maps (n, c, h, w), as torch's convolutions take them."""
    height, width, channels = shape
    return rows.reshape(len(rows), height, width, channels).movedim(-1, 1)


class ImageMixin:
    """Detectors whose rows are images: with the parameter ``image_shape``, they take both."""

    image_shape_: tuple[int, int, int]
    #: Views of an image in a step.
    _n_views = 1
    #: Pixels scored at once: bounds the memory of a network's maps.
    _chunk_pixels = 2**16
    #: Images held out at most: they are judged at once.
    _max_held_out = 1000

    def _is_small(self: Any) -> bool:
        return self._n_views * self.batch_size * self.n_features_in_ < SMALL_STEP

    @property
    def _chunk_rows(self: Any) -> int:
        return max(self._chunk_pixels // self.n_features_in_, 1)

    def _as_table(self: Any, X: Any, reset: bool) -> Any:
        sizes = shape_of(X)
        if reset and len(sizes) > 1:
            self.image_shape_ = resolve_image_shape(self.image_shape, X, math.prod(sizes[1:]))
        return as_table(X, getattr(self, "image_shape_", None))

    def _take_columns_of(self: Any, other: Any) -> None:
        super()._take_columns_of(other)  # type: ignore[misc]
        rows = np.empty((0, other.n_features_in_))
        given = self.image_shape or getattr(other, "image_shape_", None)
        self.image_shape_ = resolve_image_shape(given, rows, other.n_features_in_)
