"""Polygons of pixels: they tile, and outline regions."""

import numpy as np
import pytest

from skflow.hillas import CameraGeometry
from skflow.hillas._polygons import outer_sides, pixel_corners

CAMERA = CameraGeometry.hexagonal(4, focal_length=5.0)
MASK = np.arange(61) < 7


def rotated(degrees: float) -> CameraGeometry:
    """A hexagonal camera turned about its centre."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    x, y = CAMERA.pix_x, CAMERA.pix_y
    return CameraGeometry.from_arrays(
        cos * x - sin * y, sin * x + cos * y, pix_rotation=degrees, focal_length=5.0
    )


@pytest.mark.parametrize(
    "camera",
    [CAMERA, rotated(30.0), rotated(10.9), rotated(10.9).in_telescope_frame()],
    ids=["plain", "30", "10.9", "telescope"],
)
def test_hexagons_tile(camera):
    """At every corner of an inner pixel three pixels meet."""
    corners = pixel_corners(camera)
    inner = corners[~camera.border_mask()].reshape(-1, 1, 2)
    distance = np.linalg.norm(inner - corners.reshape(1, -1, 2), axis=2)
    assert ((distance < 1e-9).sum(axis=1) == 3).all()


def test_corners_of_squares_and_circles():
    square = CameraGeometry.square(2, pixel_width=0.2)
    np.testing.assert_allclose(
        pixel_corners(square)[0], [[0, 0], [-0.2, 0], [-0.2, -0.2], [0, -0.2]], atol=1e-15
    )
    circles = CameraGeometry.from_arrays([0.0, 0.2], [0.0, 0.0], shape="circle")
    radius = np.linalg.norm(pixel_corners(circles) - [[[0.0, 0.0]], [[0.2, 0.0]]], axis=2)
    np.testing.assert_allclose(radius, 0.1)


def test_pixels_are_drawn_until_they_touch():
    small = CameraGeometry.from_arrays(CAMERA.pix_x, CAMERA.pix_y, 1e-5)
    np.testing.assert_allclose(pixel_corners(small), pixel_corners(CAMERA))
    # Between a wide and a narrow pixel half of each lies.
    mixed = CameraGeometry.from_arrays([0, 0.15], [0, 0], [0.01, 0.04], shape="square")
    np.testing.assert_allclose(pixel_corners(mixed)[:, 0, 0], [0.05, 0.25])
    alone = CameraGeometry.from_arrays([0, 9], [0, 0], 1.0, neighbors=([0, 0, 0], []))
    np.testing.assert_allclose(np.ptp(pixel_corners(alone)[:, :, 0], axis=1), alone.pixel_width)


def test_outline_of_a_region():
    sides = outer_sides(pixel_corners(CAMERA)[MASK])
    assert len(sides) == 18  # a flower of seven hexagons: 6 x 3
    assert (np.linalg.norm(sides.mean(axis=1), axis=1) > 0.05).all()
    square = CameraGeometry.square(5)
    assert len(outer_sides(pixel_corners(square)[:5])) == 12  # one row of five
    circles = CameraGeometry.from_arrays(CAMERA.pix_x, CAMERA.pix_y, shape="circle")
    sides = outer_sides(pixel_corners(circles)[MASK])
    assert len(sides) > 0
    assert (np.linalg.norm(sides.mean(axis=1), axis=1) > 0.04).all()  # none of the central one
    assert outer_sides(pixel_corners(CAMERA)[:0]).shape == (0, 2, 2)


@pytest.mark.parametrize("name", ["fact_images", "cta_LSTCam_gamma_images"])
def test_real_cameras_tile(data_folder, name):
    """Sides that face no pixel are as many as the neighbours that border pixels lack."""
    camera = CameraGeometry.from_npz(data_folder / "iact" / f"{name}.npz")
    missing = (6 - np.diff(camera.neighbor_indptr)).sum()
    assert len(outer_sides(pixel_corners(camera))) == missing
