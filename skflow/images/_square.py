"""HexToSquare: images of any camera on a square grid, for convolutions."""

from numbers import Integral
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from .._sklearn import Interval, fit_context
from ..hillas import CameraGeometry
from ..hillas._polygons import pixel_corners
from ..hillas._tables import inferred_geometry

#: Points along each side of a pixel's bounding box that stand for its area.
N_POINTS = 24


class HexToSquare(TransformerMixin, BaseEstimator):
    """Resample images of a camera's pixels to a square grid, without loss of charge.

    Every pixel spreads its charge evenly over its area, and each square collects what falls into
    it: the charge of an image stays, and its centre of gravity but for a small part of a pixel.
    Rows of the grid go up (+y), columns to the right (+x): draw with ``imshow(origin="lower")``.

    Parameters
    ----------
    geometry : CameraGeometry or None, default=None
        The camera. By default one is made for the number of pixels, as `HillasTransformer` does.
    size : int or None, default=None
        Squares along each side of the grid. None makes squares about as large as pixels.

    Attributes
    ----------
    image_shape_ : tuple of two ints
        Rows and columns of an image.
    edges_x_, edges_y_ : ndarray of shape (size + 1,)
        Edges of the squares, in metres.
    weights_ : sparse array of shape (n_pixels, size * size)
        Share of each pixel in each square; every row sums to 1.
    n_features_in_ : int
        Number of pixels.

    Notes
    -----
    Pixels are drawn larger or smaller by one factor until they touch, as `CameraImageDisplay` draws
    them, and areas are taken by counting points, 24 along each side of a pixel. A NaN charge counts
    as none.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.hillas import CameraGeometry
    >>> from skflow.images import HexToSquare
    >>> camera = CameraGeometry.hexagonal(5)
    >>> images = np.random.RandomState(0).poisson(3.0, size=(10, camera.n_pixels))
    >>> square = HexToSquare(camera).fit(images)
    >>> square.image_shape_
    (12, 12)
    >>> bool(np.allclose(square.transform(images).sum(axis=1), images.sum(axis=1)))
    True
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "geometry": [CameraGeometry, None],
        "size": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(self, geometry: CameraGeometry | None = None, *, size: int | None = None):
        self.geometry = geometry
        self.size = size

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> "HexToSquare":
        """Lay out the grid; of X only the number of columns matters.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_pixels)
            Images.
        y : None
            Ignored.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If X has not one column for each pixel, or no camera is given and none can be made.
        """
        X = self._images(X, reset=True)
        camera = self._default_geometry(X.shape[1]) if self.geometry is None else self.geometry
        if camera.n_pixels != X.shape[1]:
            raise ValueError(
                f"X must have a column for each of {camera.n_pixels} pixels; got {X.shape[1]}"
            )
        corners = pixel_corners(camera)
        low, high = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
        side = float((high - low).max())
        n = self.size or max(round(side / np.sqrt(np.median(_areas(corners)))), 1)
        centre = (low + high) / 2
        self.edges_x_, self.edges_y_ = (
            np.linspace(c - side / 2, c + side / 2, n + 1) for c in centre
        )
        self.image_shape_ = (n, n)
        self.weights_ = _shares(corners, self.edges_x_, self.edges_y_)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Resample images.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_pixels)
            Images; NaN counts as no charge.

        Returns
        -------
        images : ndarray of shape (n_samples, size * size)
            Rows of the grid one after the other; float32 stays float32.
        """
        check_is_fitted(self)
        X = np.nan_to_num(self._images(X, reset=False), nan=0.0)
        return np.asarray(X @ self.weights_.astype(X.dtype))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the squares.

        Parameters
        ----------
        input_features : None
            Ignored: they are pixels.

        Returns
        -------
        names : ndarray of str
            ``square_ROW_COLUMN``.
        """
        check_is_fitted(self)
        rows, columns = self.image_shape_
        names = [f"square_{i}_{j}" for i in range(rows) for j in range(columns)]
        return np.array(names, dtype=object)

    def _default_geometry(self, n_pixels: int) -> CameraGeometry:
        """The camera where none is given."""
        return inferred_geometry(n_pixels)

    def _images(self, X: Any, reset: bool) -> np.ndarray:
        return validate_data(
            self, X, reset=reset, dtype=[np.float64, np.float32], ensure_all_finite="allow-nan"
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _areas(corners: np.ndarray) -> np.ndarray:
    """Areas of polygons (n, n_corners, 2), by the shoelace formula."""
    x, y = corners[..., 0], corners[..., 1]
    following_x, following_y = np.roll(x, -1, axis=1), np.roll(y, -1, axis=1)
    return np.abs(np.sum(x * following_y - following_x * y, axis=1)) / 2


def _shares(corners: np.ndarray, edges_x: np.ndarray, edges_y: np.ndarray) -> Any:
    """Share of each convex polygon in each square, as a sparse array."""
    n_pixels, n_corners, _ = corners.shape
    low, high = corners.min(axis=1), corners.max(axis=1)
    step = (np.arange(N_POINTS) + 0.5) / N_POINTS
    x, y = (a.ravel() for a in np.meshgrid(step, step))
    points = low[:, None] + (high - low)[:, None] * np.column_stack([x, y])
    inside = np.ones(points.shape[:2], dtype=bool)
    for k in range(n_corners):  # left of every side, as corners go round counterclockwise
        start, end = corners[:, k, None], corners[:, (k + 1) % n_corners, None]
        along, to = end - start, points - start
        inside &= along[..., 0] * to[..., 1] >= along[..., 1] * to[..., 0]
    pixel, _ = np.nonzero(inside)
    n = len(edges_x) - 1
    column, row = (
        np.clip(np.searchsorted(edges, points[inside, axis], side="right") - 1, 0, n - 1)
        for axis, edges in enumerate((edges_x, edges_y))
    )
    share = 1 / inside.sum(axis=1)[pixel]
    return coo_array((share, (pixel, row * n + column)), shape=(n_pixels, n * n)).tocsr()
