"""geometry_from_ctapipe: ctapipe's descriptions of cameras and telescopes as CameraGeometry."""

from typing import Any

import numpy as np

from ..hillas import CameraGeometry

KINDS = {"effective": "effective_focal_length", "nominal": "equivalent_focal_length"}
POSITIONS = {"pix_x": "m", "pix_y": "m", "pix_area": "m2"}
#: ctapipe's names of pixel shapes, old ones too, by their first letters.
SHAPE_NAMES = {"hex": "hexagon", "squ": "square", "rec": "square", "cir": "circle"}


def geometry_from_ctapipe(source: Any, *, focal_length: str = "effective") -> CameraGeometry:
    """Make a geometry from a ctapipe object.

    ctapipe itself is not imported: any object with the same attributes will do.

    Parameters
    ----------
    source : ctapipe TelescopeDescription, CameraDescription or CameraGeometry
        Only a TelescopeDescription (``subarray.tel[tel_id]``) knows both focal lengths. The other
        two know at most one, that of their ``CameraFrame``, which is taken whatever its kind is:
        ctapipe's own ``focal_length_choice`` set it.
    focal_length : {"effective", "nominal"}, default="effective"
        Which focal length of a TelescopeDescription to take; ctapipe calls the nominal one
        equivalent. They differ by several per cent, and angles with them.

    Returns
    -------
    geometry : CameraGeometry
        With ctapipe's neighbours, and focal length NaN where ctapipe has none. A camera with
        ``cam_rotation`` is turned back by it, as ctapipe turns it.

    Raises
    ------
    ValueError
        If `focal_length` is neither, or pixel positions are angles (a geometry in ctapipe's
        ``TelescopeFrame``).
    TypeError
        If `source` is none of the three.

    See Also
    --------
    read_dl1 : Geometries and images from a file.

    References
    ----------
    .. [1] ctapipe documentation, ``ctapipe.instrument``.

    Examples
    --------
    From ctapipe, ``geometry_from_ctapipe(subarray.tel[1])``. An object with the same attributes:

    >>> from types import SimpleNamespace
    >>> from skflow.interop import geometry_from_ctapipe
    >>> camera = SimpleNamespace(
    ...     name="TwoCam", pix_x=[0.0, 0.1], pix_y=[0.0, 0.0], pix_area=[0.01, 0.01],
    ...     pix_type="square",
    ... )
    >>> optics = SimpleNamespace(effective_focal_length=5.1, equivalent_focal_length=5.0)
    >>> telescope = SimpleNamespace(camera=SimpleNamespace(geometry=camera), optics=optics)
    >>> geometry_from_ctapipe(telescope)
    CameraGeometry('TwoCam', 2 pixels of shape 'square', focal length 5.1 m)
    >>> geometry_from_ctapipe(telescope, focal_length="nominal").focal_length
    5.0
    """
    check_focal_length(focal_length)
    optics = getattr(source, "optics", None)
    camera = getattr(source, "camera", source)
    geometry = getattr(camera, "geometry", camera)
    if not all(hasattr(geometry, name) for name in ("pix_x", "pix_y", "pix_area", "pix_type")):
        raise TypeError(
            "source must be a ctapipe TelescopeDescription (subarray.tel[tel_id]), "
            f"CameraDescription or CameraGeometry; got {type(source).__name__}"
        )
    unit = str(getattr(geometry.pix_x, "unit", "m"))
    if unit not in ("m", "cm", "mm", "km"):
        raise ValueError(
            "source must have pixel positions in metres, in ctapipe's CameraFrame; got them in "
            f"{unit}: pass the geometry from before transform_to"
        )
    if optics is not None:
        length = value_in(getattr(optics, KINDS[focal_length]), "m")
    else:
        frame = getattr(geometry, "frame", None)
        length = value_in(getattr(frame, "focal_length", np.nan), "m")
    matrix = getattr(geometry, "neighbor_matrix_sparse", None)
    return make_geometry(
        *(value_in(getattr(geometry, name), f) for name, f in POSITIONS.items()),
        pix_type=getattr(geometry.pix_type, "value", geometry.pix_type),
        pix_rotation=float(value_in(getattr(geometry, "pix_rotation", 0.0), "deg")),
        cam_rotation=float(value_in(getattr(geometry, "cam_rotation", 0.0), "deg")),
        neighbors=None if matrix is None else (matrix.indptr, matrix.indices),
        focal_length=float(length),
        name=str(geometry.name),
    )


def check_focal_length(focal_length: str) -> None:
    """Say what the choice of focal length must be."""
    if focal_length not in KINDS:
        raise ValueError(f"focal_length must be 'effective' or 'nominal'; got {focal_length!r}")


def value_in(quantity: Any, unit: str) -> np.ndarray:
    """Numbers of an astropy quantity; plain numbers are in that unit already."""
    if hasattr(quantity, "to_value"):
        quantity = quantity.to_value(unit)
    return np.asarray(quantity, dtype=np.float64)


def make_geometry(
    x: np.ndarray,
    y: np.ndarray,
    area: np.ndarray,
    *,
    pix_type: str,
    pix_rotation: float,
    cam_rotation: float,
    neighbors: Any = None,
    focal_length: float,
    name: str,
) -> CameraGeometry:
    """Make a geometry from what ctapipe notes about a camera, angles in degrees."""
    if pix_type[:3].lower() not in SHAPE_NAMES:
        raise ValueError(f"pixels of {name} must be hexagons, squares or circles; got {pix_type!r}")
    if cam_rotation:
        cos, sin = np.cos(np.radians(cam_rotation)), np.sin(np.radians(cam_rotation))
        x, y = cos * x + sin * y, cos * y - sin * x
    return CameraGeometry.from_arrays(
        x,
        y,
        area,
        shape=SHAPE_NAMES[pix_type[:3].lower()],
        neighbors=neighbors,
        # ctapipe writes 0 where a CameraFrame was given none.
        focal_length=focal_length if focal_length > 0 else np.nan,
        pix_rotation=pix_rotation - cam_rotation,
        name=name,
    )
