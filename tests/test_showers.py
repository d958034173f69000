"""Simulated camera images look like what their kind says, on any camera."""

import numpy as np
import pytest

from skflow.datasets import make_shower_images
from skflow.datasets._shower_light import Screen
from skflow.hillas import CameraGeometry

CAMERA = CameraGeometry.hexagonal(12)


def moments(images, camera=CAMERA):
    """Length, width, alpha (degrees), skewness away from (0, 0); bright images only."""
    rows = []
    for image in images:
        near = np.array([image[camera.neighbors(i)].max() for i in range(camera.n_pixels)])
        kept = (image > 7) & (near > 7)
        weight = image[kept] / image[kept].sum()
        place = np.column_stack([camera.pix_x, camera.pix_y])[kept]
        centre = weight @ place
        values, axes = np.linalg.eigh((weight[:, None] * (place - centre)).T @ (place - centre))
        cosine = axes[:, 1] @ centre / np.hypot(*centre)
        along = (place - centre) @ axes[:, 1] * np.sign(cosine)
        width, length = np.sqrt(np.maximum(values, 0))
        alpha = np.degrees(np.arccos(min(abs(cosine), 1)))
        rows.append((length, width, alpha, weight @ along**3 / length**3))
    return np.array(rows).T


def test_gammas_are_slim_and_point_to_the_source():
    gammas, hadrons = (
        moments(make_shower_images(150, CAMERA, kind=kind, size=(500, 5000), random_state=0))
        for kind in ("gamma", "hadron")
    )
    assert np.median(gammas[1]) < 0.75 * np.median(hadrons[1])
    assert np.median(gammas[0]) < 0.85 * np.median(hadrons[0])
    assert np.std(np.log(gammas[1])) < np.std(np.log(hadrons[1]))
    assert np.median(gammas[2]) < 8 < 30 < np.median(hadrons[2])
    # The tail points away from the source.
    assert np.median(gammas[3]) > 0.2 > abs(np.median(hadrons[3]))


def test_gammas_point_to_a_source_elsewhere():
    source = (0.2, -0.1)
    X = make_shower_images(
        150, CAMERA, source=source, size=(500, 5000), night_sky=0, random_state=0
    )
    moved = CameraGeometry.from_arrays(CAMERA.pix_x - source[0], CAMERA.pix_y - source[1])
    assert np.median(moments(X, moved)[2]) < 8 < 20 < np.median(moments(X)[2])


def test_muons_are_rings():
    """Most muon images lie about a circle, which the algebraic fit finds; no gamma does."""

    def off_circle(image):
        kept = image > 8
        x, y = CAMERA.pix_x[kept], CAMERA.pix_y[kept]
        design = np.column_stack([x, y, np.ones(kept.sum())])
        a, b, c = np.linalg.lstsq(design, x**2 + y**2, rcond=None)[0]
        radius = np.sqrt(c + (a**2 + b**2) / 4)
        away = np.hypot(x - a / 2, y - b / 2)
        return np.sqrt(np.mean((away - radius) ** 2)) / CAMERA.pixel_width[0]

    muons = make_shower_images(200, CAMERA, kind="muon", random_state=0)
    bright = muons[(muons > 8).sum(axis=1) >= 10]
    assert len(bright) > 30
    assert np.median([off_circle(image) for image in bright]) < 0.5
    gammas = make_shower_images(60, CAMERA, size=(1000, 3000), random_state=0)
    assert np.median([off_circle(image) for image in gammas]) > 0.7


@pytest.mark.parametrize("night_sky", [0.0, 0.5, 4.0])
def test_pedestals_are_the_night_sky(night_sky):
    X = make_shower_images(300, CAMERA, kind="pedestal", night_sky=night_sky, random_state=0)
    error = X.std() / np.sqrt(X.size)
    assert abs(X.mean()) < 4 * error
    # Poisson, single photo-electrons (variance 0.12 each) and electronics (0.2).
    assert X.var() == pytest.approx(1.12 * night_sky + 0.2, rel=0.03)


def test_night_sky_of_each_pixel():
    night_sky = np.where(CAMERA.pix_x > 0, 5.0, 0.0)
    X = make_shower_images(200, CAMERA, kind="pedestal", night_sky=night_sky, random_state=0)
    np.testing.assert_allclose(X.var(axis=0), 1.12 * night_sky + 0.2, rtol=0.6)


def test_sizes_fall_as_a_power():
    X = make_shower_images(4000, CAMERA, size=(100, 10_000), night_sky=0, random_state=0)
    total = X.sum(axis=1)
    # Of 1 / size**2 between 100 and 10,000, a 0.091 part lies above 1,000; some light is lost.
    assert 0.06 < (total > 1000).mean() < 0.095
    assert 150 < np.median(total) < 205


def test_light_is_poisson():
    """Photo-electrons of showers of one size scatter as the square root of their number."""
    X = make_shower_images(2000, CAMERA, size=(400, 400), night_sky=0, random_state=0)
    whole = X[np.abs(X[:, CAMERA.border_mask(3)]).max(axis=1) < 3].sum(axis=1)
    assert len(whole) > 300
    assert whole.mean() == pytest.approx(400, rel=0.02)
    noise = 0.12 * 400 + 0.2 * CAMERA.n_pixels
    assert whole.var() == pytest.approx(400 + noise, rel=0.25)


def test_kinds_mixed():
    kind = np.tile(["pedestal", "gamma", "muon", "hadron"], 300)
    X = make_shower_images(1200, CAMERA, kind=list(kind), size=(500, 1000), random_state=0)
    total = X.sum(axis=1)
    assert np.median(total[kind == "pedestal"]) < 60
    for name in ("gamma", "hadron"):
        assert 400 < np.median(total[kind == name]) < 900
    assert np.median(total[kind == "muon"]) > 80


def test_times_follow_the_charges():
    options = {"size": (1000, 5000), "random_state": 0}
    X = make_shower_images(100, CAMERA, times=True, **options)
    charge, time = np.split(X, 2, axis=1)
    assert X.shape == (100, 2 * CAMERA.n_pixels)
    assert X.dtype == np.float32
    np.testing.assert_array_equal(charge, make_shower_images(100, CAMERA, **options))
    assert time.min() >= 0
    assert time.max() <= 50
    # The night sky comes at any time, a shower at one.
    assert np.std(time[charge < 1]) == pytest.approx(50 / np.sqrt(12), rel=0.1)
    bright = charge > 30
    spread = [time[i, bright[i]].std() for i in range(100)]
    assert 0.1 < np.median(spread) < 4
    # Far from the source, light farther out is later.
    distance = np.hypot(CAMERA.pix_x, CAMERA.pix_y)
    slopes = [
        np.polyfit(distance[on], when[on], 1)[0]
        for on, when in zip(bright, time, strict=True)
        if distance[on].mean() > 0.3
    ]
    assert np.mean(np.array(slopes) > 0) > 0.8


@pytest.mark.parametrize(
    "camera",
    [
        CameraGeometry.square(28),
        CameraGeometry.square(2, 3),
        CameraGeometry.square(1, 40),
        CameraGeometry.hexagonal(1),
        CameraGeometry.hexagonal(2, pixel_width=1e-3),
        CameraGeometry.hexagonal(6, focal_length=5.0).in_telescope_frame(),
        CameraGeometry.from_arrays([3.0, 4.0, 900.0], [5.0, 5.0, -70.0], shape="circle"),
    ],
    ids=["square", "six", "row", "seven", "millimetres", "degrees", "scattered"],
)
def test_any_camera(camera):
    kind = ["gamma", "hadron", "muon", "pedestal"] * 50
    source = (camera.pix_x.mean(), camera.pix_y.mean())
    X = make_shower_images(200, camera, kind=kind, times=True, source=source, random_state=0)
    assert X.shape == (200, 2 * camera.n_pixels)
    assert np.isfinite(X).all()
    # Light is seen on the cameras that have no holes.
    charge = X[:, : camera.n_pixels]
    if camera.shape != "circle":
        assert np.median(charge[::4].max(axis=1)) > 8
    assert charge[3::4].max() < 12


def test_images_scale_with_the_camera():
    small, large = (CameraGeometry.hexagonal(8, pixel_width=width) for width in (0.01, 10.0))
    X, Y = (make_shower_images(50, camera, random_state=0) for camera in (small, large))
    assert np.isclose(X, Y).mean() > 0.99


@pytest.mark.parametrize("camera", [CAMERA, CameraGeometry.square(9)])
def test_light_finds_its_pixel(camera):
    screen = Screen(camera, (0.0, 0.0))
    inside = np.random.RandomState(0).uniform(-0.3, 0.3, (2, camera.n_pixels))
    x, y = np.array([camera.pix_x, camera.pix_y]) + inside * camera.pixel_width
    np.testing.assert_array_equal(screen.pixel_at(x, y), np.arange(camera.n_pixels))
    beyond = np.array([2.0, -2.0, 1e30]) * np.abs(camera.pix_x).max()
    assert (screen.pixel_at(beyond, 0 * beyond) == -1).all()
    assert (screen.pixel_at(0 * beyond, beyond) == -1).all()


def test_random_state():
    def make(seed):
        return make_shower_images(600, CAMERA, kind="hadron", times=True, random_state=seed)

    first = make(0)
    np.testing.assert_array_equal(first, make(0))
    assert not np.array_equal(first, make(1))
    assert not np.array_equal(first[:50], first[500:550])
    state = np.random.RandomState(0)
    np.testing.assert_array_equal(first, make(state))
    assert not np.array_equal(first, make(state))
    before = np.random.get_state()[1].copy()
    make(0)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_defaults_and_no_events():
    assert make_shower_images(2).shape == (2, 1027)
    for times in (False, True):
        X = make_shower_images(0, CAMERA, kind=[], times=times)
        assert X.shape == (0, CAMERA.n_pixels * (1 + times))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_events": -1}, "n_events must not be negative; got -1"),
        ({"kind": "proton"}, "kind must be one of gamma, hadron, muon, pedestal; got proton"),
        ({"kind": ["gamma"] * 4}, r"one for each of the 5 events; got shape \(4,\)"),
        ({"kind": ["gamma", "x", "a", "x", "a"]}, "kind must be one of .*; got a, x"),
        ({"source": (0.0, np.nan)}, r"source must be \(x, y\) in metres"),
        ({"source": 1.0}, r"source must be \(x, y\) in metres"),
        ({"size": (5, 1)}, r"size must be \(smallest, largest\).*; got \(5, 1\)"),
        ({"size": (0, 1)}, r"size must be \(smallest, largest\)"),
        ({"size": (1, np.inf)}, r"size must be \(smallest, largest\)"),
        ({"size": 50}, r"size must be \(smallest, largest\).*; got 50"),
        ({"night_sky": -1.0}, r"night_sky must be .*none negative; got shape \(\), least -1"),
        ({"night_sky": [1.0, 2.0]}, r"each of the 469 pixels.*; got shape \(2,\)"),
        ({"night_sky": np.nan}, "night_sky contains NaN"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        make_shower_images(**{"n_events": 5, "geometry": CAMERA, **options})
