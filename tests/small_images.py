"""Small images and their features by name: 7 x 7 square pixels 1 m wide, x and y from -3 to 3."""

import numpy as np
import pytest

from skflow.hillas import CameraGeometry, HillasTransformer

CAMERA = CameraGeometry.square(7, pixel_width=1.0, focal_length=10.0)


def measure(pixels, camera=CAMERA, **parameters):
    """Measure an image given as {(x, y): charge}; every pixel of it is kept."""
    image = np.zeros((1, camera.n_pixels))
    for (x, y), charge in pixels.items():
        image[0, np.hypot(camera.pix_x - x, camera.pix_y - y).argmin()] = charge
    return features_of(camera, image, image != 0, **parameters)[0]


def features_of(camera, images, mask=None, **parameters):
    """Features of every event, by name without its frame."""
    hillas = HillasTransformer(camera, cleaning=None, **{"features": "all", **parameters})
    names = [
        name.removeprefix("camera_frame_").removeprefix("hillas_")
        for name in hillas.get_feature_names_out()
    ]
    return [
        dict(zip(names, row, strict=True)) for row in hillas.transform(images, mask=mask).tolist()
    ]


def check(got, rel=1e-12, **expected):
    assert {name: got[name] for name in expected} == pytest.approx(
        expected, rel=rel, abs=1e-12, nan_ok=True
    )
