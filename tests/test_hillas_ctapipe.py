"""Random showers on odd cameras, with ctapipe's own functions as the judge."""

from functools import lru_cache

import astropy.units as u
import numpy as np
import pytest
from ctapipe.containers import IntensityStatisticsContainer, PeakTimeStatisticsContainer
from ctapipe.coordinates import CameraFrame, TelescopeFrame
from ctapipe.image import (
    concentration_parameters,
    descriptive_statistics,
    hillas_parameters,
    leakage_parameters,
    morphology_parameters,
    tailcuts_clean,
    time_constrained_clean,
)
from ctapipe.instrument import CameraGeometry as CtapipeGeometry

from skflow.hillas import CameraGeometry, HillasTransformer

N_EVENTS = 80
FOCAL_LENGTH = 5.6
CAMERAS = ("turned", "squares", "irregular")


@lru_cache
def cameras(name: str) -> tuple[CameraGeometry, CtapipeGeometry]:
    """One camera as ours and as ctapipe's, each with its own search for neighbours."""
    if name == "squares":
        pixels = CameraGeometry.square(13, 17, pixel_width=0.03)
        x, y, keep = pixels.pix_x + 0.4, pixels.pix_y - 0.1, np.ones(pixels.n_pixels, dtype=bool)
    else:
        pixels = CameraGeometry.hexagonal(8, pixel_width=0.045)
        angle = np.radians(17.3)
        x = np.cos(angle) * pixels.pix_x - np.sin(angle) * pixels.pix_y
        y = np.sin(angle) * pixels.pix_x + np.cos(angle) * pixels.pix_y
        share = 1.0 if name == "turned" else 0.85
        keep = np.random.RandomState(3).uniform(size=pixels.n_pixels) <= share
    x, y, area = x[keep], y[keep], pixels.pix_area[keep]
    ours = CameraGeometry.from_arrays(x, y, area, shape=pixels.shape, focal_length=FOCAL_LENGTH)
    theirs = CtapipeGeometry(
        name=name,
        pix_id=np.arange(len(x)),
        pix_x=x * u.m,
        pix_y=y * u.m,
        pix_area=area * u.m**2,
        pix_type=pixels.shape,
        frame=CameraFrame(focal_length=FOCAL_LENGTH * u.m),
    )
    return ours, theirs


@lru_cache
def showers(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Up to three blobs and noise of both signs, and arrival times along a slope."""
    camera = cameras(name)[0]
    rng = np.random.RandomState(7)
    images = rng.normal(0, 2, size=(N_EVENTS, camera.n_pixels))
    x, y = camera.pix_x - camera.pix_x.mean(), camera.pix_y - camera.pix_y.mean()
    for image in images:
        for _ in range(rng.randint(1, 4)):
            psi, x0, y0 = rng.uniform(0, np.pi), *rng.uniform(-0.3, 0.3, size=2)
            along = np.cos(psi) * (x - x0) + np.sin(psi) * (y - y0)
            across = np.cos(psi) * (y - y0) - np.sin(psi) * (x - x0)
            length, width = rng.uniform(0.03, 0.12), rng.uniform(0.01, 0.05)
            image += rng.uniform(5, 200) * np.exp(-((along / length) ** 2) - (across / width) ** 2)
    times = 20 + rng.uniform(-20, 20, size=(N_EVENTS, 1)) * x + rng.normal(0, 1.5, images.shape)
    return images, times


@pytest.fixture(params=CAMERAS)
def name(request):
    return request.param


def test_neighbours_and_borders(name):
    ours, theirs = cameras(name)
    matrix = np.zeros((ours.n_pixels, ours.n_pixels), dtype=bool)
    for pixel in range(ours.n_pixels):
        matrix[pixel, ours.neighbors(pixel)] = True
    np.testing.assert_array_equal(matrix, theirs.neighbor_matrix)
    for width in (1, 2, 3):
        np.testing.assert_array_equal(ours.border_mask(width), theirs.get_border_pixel_mask(width))


@pytest.mark.parametrize("isolated", [False, True])
@pytest.mark.parametrize("least", [0, 1, 2, 3])
@pytest.mark.parametrize("per_pixel", [False, True])
def test_tailcuts(name, per_pixel, least, isolated):
    ours, theirs = cameras(name)
    images = showers(name)[0]
    rng = np.random.RandomState(5)
    shape = ours.n_pixels if per_pixel else None
    boundary = rng.uniform(3, 6, size=shape)
    picture = boundary + rng.uniform(0, 4, size=shape)
    hillas = HillasTransformer(
        ours,
        picture_threshold=picture,
        boundary_threshold=boundary,
        min_picture_neighbors=least,
        keep_isolated_pixels=isolated,
    )
    expected = [
        tailcuts_clean(theirs, image, picture, boundary, isolated, least) for image in images
    ]
    np.testing.assert_array_equal(hillas.clean(images), expected)


@pytest.mark.parametrize("least", [0, 1, 2, 3])
@pytest.mark.parametrize(("per_pixel", "limits"), [(False, (4.5, 1.5)), (True, (2.0, 3.0))])
def test_time_constrained(name, per_pixel, least, limits):
    ours, theirs = cameras(name)
    images, times = showers(name)
    rng = np.random.RandomState(6)
    shape = ours.n_pixels if per_pixel else None
    boundary = rng.uniform(3, 6, size=shape)
    picture = boundary + rng.uniform(0, 4, size=shape)
    hillas = HillasTransformer(
        ours,
        cleaning="time_constrained",
        picture_threshold=picture,
        boundary_threshold=boundary,
        min_picture_neighbors=least,
        time_limits=limits,
        timing=True,
    )
    expected = [
        time_constrained_clean(theirs, image, time, picture, boundary, *limits, least)
        for image, time in zip(images, times, strict=True)
    ]
    np.testing.assert_array_equal(hillas.clean(np.hstack([images, times])), expected)


def expected_parameters(geometry, border, image, time, mask) -> dict[str, float]:
    """What ctapipe's functions say of one cleaned image, by the names of its tables."""
    part = geometry[mask]
    hillas = hillas_parameters(part, image[mask])
    containers = [
        hillas,
        concentration_parameters(part, image[mask], hillas),
        leakage_parameters(border, image, mask),
        morphology_parameters(border, mask),
        descriptive_statistics(image[mask], container_class=IntensityStatisticsContainer),
        descriptive_statistics(time[mask], container_class=PeakTimeStatisticsContainer),
    ]
    values = {}
    for container in containers:
        for key, value in container.items(add_prefix=True):
            angle = key.endswith(("psi", "phi", "psi_uncertainty"))
            unit = u.deg if angle else getattr(value, "unit", None)
            values[key] = value.to_value(unit) if unit else value
    return values


def tolerance(name: str) -> tuple[float, float]:
    """Relative and absolute, as in the comparison with recorded events."""
    if name.startswith("morphology"):
        return 0, 0
    if name.endswith(("psi", "phi")):
        return 0, 1e-8
    if "uncertainty" in name:
        return 1e-6, 0
    if name.endswith(("skewness", "kurtosis")) or name.startswith(("concentration", "leakage")):
        return 1e-8, 1e-8
    return 1e-10, 1e-9


@pytest.mark.parametrize("frame", ["camera", "telescope"])
def test_parameters(name, frame):
    ours, theirs = cameras(name)
    images, times = showers(name)
    hillas = HillasTransformer(
        ours,
        picture_threshold=8,
        boundary_threshold=4,
        min_picture_neighbors=1,
        features="ctapipe",
        frame=frame,
        timing=True,
    )
    X = np.hstack([images, times])
    masks = hillas.clean(X)
    names = hillas.get_feature_names_out()
    table = hillas.transform(X)
    geometry = theirs if frame == "camera" else theirs.transform_to(TelescopeFrame())
    n_compared = 0
    for image, time, mask, row in zip(images, times, masks, table, strict=True):
        if mask.sum() < 2:
            assert np.isnan(row).all()
            continue
        expected = expected_parameters(geometry, theirs, image, time, mask)
        got = dict(zip(names, row, strict=True))
        prefix = "camera_frame_hillas_" if frame == "camera" else "hillas_"
        turn = round((expected[f"{prefix}psi"] - got[f"{prefix}psi"]) / 180)
        expected[f"{prefix}psi"] -= 180 * turn
        expected[f"{prefix}skewness"] *= -1 if turn % 2 else 1
        assert set(got) - set(expected) == {key for key in names if "timing" in key}
        for key, value in expected.items():
            rtol, atol = tolerance(key)
            np.testing.assert_allclose(got[key], value, rtol=rtol, atol=atol, err_msg=key)
        n_compared += 1
    assert n_compared > 0.9 * N_EVENTS


@pytest.mark.parametrize("given", [True, False])
def test_given_mask_or_none(name, given):
    ours, theirs = cameras(name)
    images = np.abs(showers(name)[0][:20])
    shape, rng = images.shape, np.random.RandomState(8)
    masks = rng.uniform(size=shape) < 0.05 if given else np.ones(shape, dtype=bool)
    keys = ("x", "y", "length", "width")
    columns = [f"camera_frame_hillas_{key}" for key in keys]
    hillas = HillasTransformer(ours, features=[*columns, "morphology_n_islands"], cleaning=None)
    table = hillas.transform(images, mask=masks if given else None)
    for row, image, mask in zip(table, images, masks, strict=True):
        expected = hillas_parameters(theirs[mask], image[mask])
        lengths = [expected[key].to_value("m") for key in keys]
        np.testing.assert_allclose(row[:-1], lengths, rtol=1e-10, atol=1e-9)
        assert row[-1] == morphology_parameters(theirs, mask).n_islands
