"""CameraGeometry: where the pixels of a camera are, and which are neighbours."""

import os
from dataclasses import dataclass, fields, replace
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils import check_array

from ._pixels import (
    SHAPES,
    area_of_width,
    check_neighbors,
    find_neighbors,
    nearest_distance,
    read_camera,
)

#: Metres between the pixels of cameras that are made up.
PIXEL_WIDTH = 0.05


@dataclass(frozen=True, eq=False, repr=False)
class CameraGeometry:
    """Pixels of a Cherenkov telescope's camera.

    Made by `square`, `hexagonal`, `from_arrays` or `from_npz`, or from ctapipe's objects by
    `skflow.interop.geometry_from_ctapipe`. Its arrays cannot be written to.

    Attributes
    ----------
    pix_x, pix_y : ndarray of shape (n_pixels,), float64
        Positions of the pixels' centres in the camera frame, in metres.
    pix_area : ndarray of shape (n_pixels,), float64
        Areas, in square metres.
    shape : {"hexagon", "square", "circle"}
        Shape of the pixels.
    neighbor_indptr : ndarray of shape (n_pixels + 1,), int32
        Pixel i has the neighbours ``neighbor_indices[neighbor_indptr[i]:neighbor_indptr[i + 1]]``,
        as in a CSR matrix.
    neighbor_indices : ndarray of shape (n_neighbors,), int32
        Neighbours of all pixels, one pixel after the other, each in increasing order.
    focal_length : float
        Focal length in metres, for angles: the effective one, unless a constructor was asked
        for the nominal one. NaN where unknown.
    pix_rotation : float
        Angle by which the pixels are turned, in degrees. Only drawing uses it.
    name : str
        Name of the camera.

    Examples
    --------
    >>> from skflow.hillas import CameraGeometry
    >>> camera = CameraGeometry.hexagonal(2, focal_length=5.0)
    >>> camera
    CameraGeometry('hexagonal', 19 pixels of shape 'hexagon', focal length 5 m)
    >>> camera.neighbors(0).tolist()
    [1, 2, 3, 4, 5, 6]
    """

    pix_x: np.ndarray
    pix_y: np.ndarray
    pix_area: np.ndarray
    shape: str
    neighbor_indptr: np.ndarray
    neighbor_indices: np.ndarray
    focal_length: float = np.nan
    pix_rotation: float = 0.0
    name: str = "camera"

    def __post_init__(self) -> None:
        for array in (value for value in vars(self).values() if isinstance(value, np.ndarray)):
            array.setflags(write=False)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Copies of read-only arrays, and those out of files, can be written to.
        vars(self).update(state)
        self.__post_init__()

    @classmethod
    def from_arrays(
        cls,
        pix_x: Any,
        pix_y: Any,
        pix_area: Any = None,
        *,
        shape: str = "hexagon",
        neighbors: tuple[Any, Any] | None = None,
        focal_length: float = np.nan,
        pix_rotation: float = 0.0,
        name: str = "camera",
    ) -> "CameraGeometry":
        """Make a geometry of given pixels.

        Parameters
        ----------
        pix_x, pix_y : array-like of shape (n_pixels,)
            Positions, in metres.
        pix_area : float or array-like of shape (n_pixels,), default=None
            Areas in square metres; by default those of pixels that touch their nearest one.
        shape : {"hexagon", "square", "circle"}, default="hexagon"
            Shape of the pixels. Circles are taken to stand on a hexagonal grid.
        neighbors : (indptr, indices), default=None
            Neighbours in CSR form. By default the nearest 6 pixels (4 of a square one) no
            farther than 1.4 (1.5) times the nearest of them.
        focal_length : float, default=nan
            Focal length in metres.
        pix_rotation : float, default=0.0
            Rotation of the pixels in degrees.
        name : str, default="camera"
            Name of the camera.

        Returns
        -------
        geometry : CameraGeometry

        Raises
        ------
        ValueError
            If arrays differ in length, hold NaN or infinity, two pixels stand at one place, an
            area or the focal length is not positive, or `neighbors` is not a symmetric CSR matrix.
        """
        if shape not in SHAPES:
            raise ValueError(f"shape must be one of {', '.join(SHAPES)}; got {shape!r}")
        x, y = (
            check_array(given, ensure_2d=False, dtype=np.float64, copy=True, input_name=label)
            for given, label in ((pix_x, "pix_x"), (pix_y, "pix_y"))
        )
        if x.ndim != 1 or x.shape != y.shape:
            raise ValueError(
                "pix_x and pix_y must be one-dimensional and of one length; got shapes "
                f"{x.shape} and {y.shape}"
            )
        nearest = nearest_distance(x, y)
        if nearest == 0:
            raise ValueError("every pixel must have its own place; got two at the same")
        is_number = isinstance(focal_length, Real)
        if not is_number or not (np.isnan(focal_length) or 0 < focal_length < np.inf):
            raise ValueError(
                f"focal_length must be positive, in metres, or nan where it is not known; got "
                f"{focal_length!r}"
            )
        if pix_area is None:
            pix_area = area_of_width(nearest if np.isfinite(nearest) else PIXEL_WIDTH, shape)
        area = np.array(pix_area, dtype=np.float64)
        if area.shape not in ((), x.shape) or not (np.isfinite(area).all() and (area > 0).all()):
            raise ValueError(
                "pix_area must be positive and finite, one number or one for each of "
                f"{len(x)} pixels; got shape {area.shape}"
            )
        area = np.broadcast_to(area, x.shape).copy()
        indptr, indices = (
            find_neighbors(x, y, shape) if neighbors is None else check_neighbors(neighbors, x)
        )
        return cls(
            x, y, area, shape, indptr, indices, float(focal_length), float(pix_rotation), name
        )

    @classmethod
    def square(
        cls,
        n_rows: int,
        n_columns: int | None = None,
        *,
        pixel_width: float = PIXEL_WIDTH,
        focal_length: float = np.nan,
    ) -> "CameraGeometry":
        """Make a camera of square pixels, numbered row by row as in an image array.

        Parameters
        ----------
        n_rows : int
            Number of rows; y grows with the row.
        n_columns : int, default=None
            Number of columns, by default as many as rows; x grows with the column.
        pixel_width : float, default=0.05
            Side of a pixel, in metres.
        focal_length : float, default=nan
            Focal length in metres.

        Returns
        -------
        geometry : CameraGeometry
            Centred at (0, 0).
        """
        n_columns = n_rows if n_columns is None else n_columns
        if min(n_rows, n_columns) < 1:
            raise ValueError(f"a camera needs pixels; got {n_rows} x {n_columns}")
        rows, columns = np.indices((n_rows, n_columns)).reshape(2, -1)
        return cls.from_arrays(
            pixel_width * (columns - (n_columns - 1) / 2),
            pixel_width * (rows - (n_rows - 1) / 2),
            pixel_width**2,
            shape="square",
            focal_length=focal_length,
            name="square",
        )

    @classmethod
    def hexagonal(
        cls, n_rings: int, *, pixel_width: float = PIXEL_WIDTH, focal_length: float = np.nan
    ) -> "CameraGeometry":
        """Make a camera of hexagonal pixels in rings around one, numbered from the centre.

        Parameters
        ----------
        n_rings : int
            Number of rings around the central pixel: 3 n (n + 1) + 1 pixels in all.
        pixel_width : float, default=0.05
            Distance of neighbours, in metres.
        focal_length : float, default=nan
            Focal length in metres.

        Returns
        -------
        geometry : CameraGeometry
            Centred at (0, 0).
        """
        if n_rings < 0:
            raise ValueError(f"n_rings must not be negative; got {n_rings}")
        q, r = np.indices((2 * n_rings + 1,) * 2).reshape(2, -1) - n_rings
        ring = np.max(np.abs([q, r, q + r]), axis=0)
        x, y = q + r / 2, r * np.sqrt(0.75)
        angle = np.round(np.arctan2(y, x) % (2 * np.pi), 9)
        order = np.lexsort((angle, ring))[: 3 * n_rings * (n_rings + 1) + 1]
        return cls.from_arrays(
            pixel_width * x[order],
            pixel_width * y[order],
            area_of_width(pixel_width, "hexagon"),
            focal_length=focal_length,
            name="hexagonal",
        )

    @classmethod
    def from_npz(
        cls, path: str | os.PathLike[str], *, focal_length: str = "effective"
    ) -> "CameraGeometry":
        """Read a geometry from an ``.npz`` file, which may hold images as well.

        Parameters
        ----------
        path : path-like
            An ``.npz`` with ``pix_x``, ``pix_y``, ``pix_area``, ``pix_type``, ``neighbor_indptr``
            and ``neighbor_indices``; ``effective_focal_length_m``, ``focal_length_m`` (nominal),
            ``pix_rotation_deg`` and ``camera`` where it has them.
        focal_length : {"effective", "nominal"}, default="effective"
            Which of the two to take. They differ by several per cent, and angles with them.

        Returns
        -------
        geometry : CameraGeometry
            With focal length NaN where the file has none of the kind that was asked for.

        Raises
        ------
        ValueError
            If the file is no ``.npz`` of a camera.
        """
        key = {"effective": "effective_focal_length_m", "nominal": "focal_length_m"}
        if focal_length not in key:
            raise ValueError(f"focal_length must be 'effective' or 'nominal'; got {focal_length!r}")
        found = read_camera(path)
        return cls.from_arrays(
            found["pix_x"],
            found["pix_y"],
            found["pix_area"],
            shape=str(found["pix_type"]),
            neighbors=(found["neighbor_indptr"], found["neighbor_indices"]),
            focal_length=float(found.get(key[focal_length], np.nan)),
            pix_rotation=float(found.get("pix_rotation_deg", 0.0)),
            name=str(found.get("camera", "camera")),
        )

    @property
    def n_pixels(self) -> int:
        """Number of pixels."""
        return len(self.pix_x)

    @property
    def pixel_width(self) -> np.ndarray:
        """Widths of the pixels in metres, shape (n_pixels,): from side to side, by their areas."""
        return np.sqrt(self.pix_area / area_of_width(1.0, self.shape))

    @property
    def has_focal_length(self) -> bool:
        """Whether the focal length is known."""
        return bool(np.isfinite(self.focal_length))

    def neighbors(self, pixel: int) -> np.ndarray:
        """Neighbours of one pixel.

        Parameters
        ----------
        pixel : int
            Index of the pixel.

        Returns
        -------
        neighbors : ndarray of int32
            Their indices, in increasing order.
        """
        return self.neighbor_indices[self.neighbor_indptr[pixel] : self.neighbor_indptr[pixel + 1]]

    def border_mask(self, width: int = 1) -> np.ndarray:
        """Pixels at the edge of the camera.

        Parameters
        ----------
        width : int, default=1
            1 for the pixels that have fewer neighbours than some other, 2 for these and the ring
            inside them, and so on (as ctapipe's ``get_border_pixel_mask``).

        Returns
        -------
        mask : ndarray of bool, shape (n_pixels,)
        """
        if width < 1:
            raise ValueError(f"width must be at least 1; got {width}")
        n_neighbors = np.diff(self.neighbor_indptr)
        mask = n_neighbors < n_neighbors.max()
        owner = np.repeat(np.arange(self.n_pixels), n_neighbors)
        for _ in range(width - 1):
            near = np.bincount(owner, weights=mask[self.neighbor_indices], minlength=self.n_pixels)
            mask = near > 0
        return mask

    def in_telescope_frame(self) -> "CameraGeometry":
        """Positions as angles on the sky: degrees in place of metres.

        Returns
        -------
        geometry : CameraGeometry
            With ``pix_x`` = fov_lon = y / f and ``pix_y`` = fov_lat = x / f, in degrees: the axes
            change places, as in ctapipe's ``TelescopeFrame``. Areas are in square degrees.

        Raises
        ------
        ValueError
            If the focal length f is not known.
        """
        if not self.has_focal_length:
            raise ValueError(
                f"the telescope frame needs a focal length, and {self!r} has none; make the "
                "geometry with focal_length= in metres, or, where a file only has the nominal one, "
                "read it with focal_length='nominal'"
            )
        scale = np.degrees(1 / self.focal_length)
        return replace(
            self,
            pix_x=self.pix_y * scale,
            pix_y=self.pix_x * scale,
            pix_area=self.pix_area * scale**2,
            # Exchanging the axes mirrors the camera about its diagonal.
            pix_rotation=90.0 - self.pix_rotation,
        )

    def __repr__(self) -> str:
        focal_length = f"{self.focal_length:g} m" if self.has_focal_length else "unknown"
        return (
            f"CameraGeometry({self.name!r}, {self.n_pixels} pixels of shape {self.shape!r}, "
            f"focal length {focal_length})"
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CameraGeometry):
            return NotImplemented
        return all(
            np.array_equal(
                getattr(self, part.name),
                getattr(other, part.name),
                equal_nan=part.name == "focal_length",
            )
            for part in fields(self)
        )

    def __hash__(self) -> int:
        return hash((self.name, self.shape, self.n_pixels, self.pix_x.tobytes()))
