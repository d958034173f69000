"""What the kernels read of a camera."""

from functools import lru_cache
from math import isqrt

import numpy as np

from ._geometry import CameraGeometry


@lru_cache(maxsize=16)
def inferred_geometry(n_pixels: int) -> CameraGeometry:
    """The square or hexagonal camera of so many pixels, where only one of them has as many."""
    side = isqrt(n_pixels)
    n_rings = (isqrt(max(12 * n_pixels - 3, 0)) - 3) // 6
    is_square = side * side == n_pixels
    is_hexagonal = 3 * n_rings * (n_rings + 1) + 1 == n_pixels
    if is_square == is_hexagonal:
        why = (
            "a square and a hexagonal camera have"
            if is_square
            else "no square or hexagonal camera has"
        )
        raise ValueError(
            f"geometry must be given: {why} {n_pixels} pixels. Pass "
            "CameraGeometry.square(n), .hexagonal(n_rings), .from_arrays(pix_x, pix_y), "
            ".from_npz(path) or skflow.interop.geometry_from_ctapipe(subarray)"
        )
    return CameraGeometry.square(side) if is_square else CameraGeometry.hexagonal(n_rings)


@lru_cache(maxsize=16)
def neighbor_table(camera: CameraGeometry) -> np.ndarray:
    """Neighbours as (n_pixels, max_neighbors) indices, filled up with n_pixels."""
    n_neighbors = np.diff(camera.neighbor_indptr)
    table = np.full((camera.n_pixels, max(n_neighbors.max(), 1)), camera.n_pixels, np.int32)
    table[np.arange(table.shape[1]) < n_neighbors[:, None]] = camera.neighbor_indices
    return table


@lru_cache(maxsize=16)
def frame_tables(camera: CameraGeometry, frame: str) -> tuple[np.ndarray, np.ndarray]:
    """Columns x, y, area and squared width of the pixels in a frame, and bits of the border."""
    border = camera.border_mask(1) + 2 * camera.border_mask(2)
    if frame == "telescope":
        camera = camera.in_telescope_frame()
    columns = (camera.pix_x, camera.pix_y, camera.pix_area, camera.pixel_width**2)
    return np.column_stack(columns), border.astype(np.int8)
