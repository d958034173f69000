"""Polygons of a camera's pixels: corners and outlines."""

import numpy as np
from scipy.spatial import cKDTree

from ._geometry import CameraGeometry

#: By shape: corners of a pixel, direction of the first in degrees, and their distance from the
#: centre in pixel widths. A hexagon that is not turned has sides that face +x and -x.
CORNERS = {
    "hexagon": (6, 30.0, np.sqrt(1 / 3)),
    "square": (4, 45.0, np.sqrt(1 / 2)),
    "circle": (36, 0.0, 1 / 2),
}


def pixel_corners(geometry: CameraGeometry) -> np.ndarray:
    """Corners of the pixels, shape (n_pixels, n_corners, 2)."""
    n_corners, first, radius = CORNERS[geometry.shape]
    angle = np.radians(first + geometry.pix_rotation + 360.0 * np.arange(n_corners) / n_corners)
    corner = np.column_stack([np.cos(angle), np.sin(angle)])
    centre = np.column_stack([geometry.pix_x, geometry.pix_y])
    width = geometry.pixel_width
    pixel = np.repeat(np.arange(geometry.n_pixels), np.diff(geometry.neighbor_indptr))
    neighbor = geometry.neighbor_indices
    distance = np.linalg.norm(centre[pixel] - centre[neighbor], axis=1)
    touching = np.min(2 * distance / (width[pixel] + width[neighbor]), initial=np.inf)
    if np.isfinite(touching):
        width = touching * width
    return centre[:, None] + radius * width[:, None, None] * corner


def outer_sides(corners: np.ndarray) -> np.ndarray:
    """Sides of some pixels that face none of them, shape (n_sides, 2, 2)."""
    sides = np.stack([corners, np.roll(corners, -1, axis=1)], axis=2)
    if not len(sides):
        return sides.reshape(-1, 2, 2)
    centre = corners.mean(axis=1, keepdims=True)
    middle = sides.mean(axis=2)
    width = 2 * np.linalg.norm(middle - centre, axis=2)
    # A neighbour's centre is the mirror image of a pixel's own in the side between them. The
    # tolerance is for circles: six neighbours hide all of one.
    distance, _ = cKDTree(centre[:, 0]).query(2 * middle - centre)
    return sides[distance > 0.55 * width]
