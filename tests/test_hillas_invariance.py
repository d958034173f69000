"""What Hillas parameters must not depend on, and how they follow the camera and the charges."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skflow.hillas import CameraGeometry, HillasTransformer

FOCAL_LENGTH = 2.0
CAMERA = CameraGeometry.hexagonal(7, pixel_width=0.05, focal_length=FOCAL_LENGTH)
SMALL = CameraGeometry.hexagonal(3)
SOURCE = np.array([0.05, -0.02])

#: Features in metres, those that change sign where the axis is turned round, and uncertainties.
LENGTHS = ["length", "length_uncertainty", "width", "width_uncertainty"]
LENGTHS += ["transverse_cog_uncertainty", "source_dist", "source_miss", "source_azwidth"]
LENGTHS += ["source_asym", "source_m3_long", "source_m3_trans"]
ON_AXIS = ["skewness", "timing_slope"]
UNCERTAINTIES = ["length_uncertainty", "width_uncertainty", "transverse_cog_uncertainty"]
UNCERTAINTIES += ["psi_uncertainty"]

examples = settings(max_examples=15, deadline=None)
seeds = st.integers(0, 2**32 - 1)
angles = st.floats(-180, 180)


def sparse_and_noisy(sparse, seed):
    noise = np.random.RandomState(seed).randint(-10, 25, sparse.shape)
    return np.vstack([sparse[:2], (sparse + noise)[2:]]).astype(np.int16)


#: Whole charges and times without any shower; the first two events are often empty or even.
whole = st.builds(
    sparse_and_noisy,
    hnp.arrays(np.int16, (6, 2 * SMALL.n_pixels), elements=st.integers(-30, 60)),
    seeds,
)


def showers(seed, n_events=6):
    """Noisy ellipses on noise, times growing along them, as (charges, times)."""
    rng = np.random.RandomState(seed)
    x, y = rng.uniform(-0.15, 0.15, (2, n_events, 1))
    psi = rng.uniform(-np.pi, np.pi, (n_events, 1))
    dx, dy = CAMERA.pix_x - x, CAMERA.pix_y - y
    along, across = np.cos(psi) * dx + np.sin(psi) * dy, np.cos(psi) * dy - np.sin(psi) * dx
    charges = 100 * np.exp(-((along / 0.15) ** 2) - (across / 0.07) ** 2)
    noise = rng.normal(size=charges.shape)
    times = 20 + 30 * along + 0.1 * rng.normal(size=charges.shape)
    return charges * rng.uniform(0.7, 1.3, charges.shape) + noise, times


def moved(x, y, area=CAMERA.pix_area, camera=CAMERA):
    """The same camera with its pixels elsewhere."""
    return CameraGeometry.from_arrays(
        x, y, area, neighbors=(camera.neighbor_indptr, camera.neighbor_indices)
    )


def without(camera, pixels):
    """The camera without some of its pixels."""
    left = np.setdiff1d(np.arange(camera.n_pixels), pixels)
    lists = [np.searchsorted(left, np.intersect1d(camera.neighbors(i), left)) for i in left]
    indptr = np.cumsum([0, *map(len, lists)])
    return left, CameraGeometry.from_arrays(
        camera.pix_x[left],
        camera.pix_y[left],
        camera.pix_area[left],
        neighbors=(indptr, np.concatenate(lists)),
    )


def measure(images, camera=CAMERA, source=SOURCE, **parameters):
    """All features by name without their frame, of (charges, times); every event has them."""
    hillas = HillasTransformer(
        camera, features="all", timing=True, source=tuple(source), **parameters
    )
    values = hillas.transform(np.hstack(images))
    assert not np.isnan(values).any()
    names = [
        name.removeprefix("camera_frame_").removeprefix("hillas_")
        for name in hillas.get_feature_names_out()
    ]
    return dict(zip(names, values.T, strict=True))


def check(got, expected, rtol=1e-6):
    """Compare; cube roots and skewness have lost some digits to cancellation."""
    assert list(got) == list(expected)
    for name in got:
        np.testing.assert_allclose(got[name], expected[name], rtol, 1e-7, err_msg=name)


def turned(before, after, psi):
    """Check psi modulo 180 degrees; tell by -1 where the axis was turned round."""
    cosine = np.cos(np.radians(after["psi"] - psi))
    np.testing.assert_allclose(np.abs(cosine), 1, atol=1e-12)
    assert (np.abs(after["psi"]) <= 90).all()
    return np.sign(cosine)


@examples
@given(seed=seeds, angle=angles)
def test_rotation_turns_directions_only(seed, angle):
    images = showers(seed)
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    rotation = np.array([[c, -s], [s, c]])
    x, y = rotation @ [CAMERA.pix_x, CAMERA.pix_y]
    before, after = measure(images), measure(images, moved(x, y), rotation @ SOURCE)
    sign = turned(before, after, before["psi"] + angle)
    expected = before | {name: sign * before[name] for name in ON_AXIS}
    expected["psi"] = after["psi"]
    expected["x"], expected["y"] = rotation @ [before["x"], before["y"]]
    expected["phi"] = after["phi"]
    check(after, expected)
    np.testing.assert_allclose(
        np.cos(np.radians(after["phi"] - before["phi"] - angle)), 1, atol=1e-12
    )


@examples
@given(seed=seeds, shift=st.tuples(*[st.floats(-2, 2)] * 2))
def test_shift_changes_positions_only(seed, shift):
    images = showers(seed)
    camera = moved(CAMERA.pix_x + shift[0], CAMERA.pix_y + shift[1])
    before, after = measure(images), measure(images, camera, SOURCE + shift)
    sign = turned(before, after, before["psi"])
    expected = before | {name: sign * before[name] for name in ON_AXIS}
    x, y = before["x"] + shift[0], before["y"] + shift[1]
    expected |= {"x": x, "y": y, "r": np.hypot(x, y), "phi": np.degrees(np.arctan2(y, x))}
    expected["psi"] = after["psi"]
    check(after, expected)


@examples
@given(seed=seeds, scale=st.floats(0.05, 100))
def test_lengths_scale_with_the_camera(seed, scale):
    images = showers(seed)
    camera = moved(scale * CAMERA.pix_x, scale * CAMERA.pix_y, scale**2 * CAMERA.pix_area)
    before, after = measure(images), measure(images, camera, scale * SOURCE)
    expected = before | {name: scale * before[name] for name in [*LENGTHS, "x", "y", "r"]}
    expected["timing_slope"] = before["timing_slope"] / scale
    check(after, expected)


@examples
@given(seed=seeds, scale=st.floats(0.01, 1000))
def test_charges_and_thresholds_scale_together(seed, scale):
    charges, times = showers(seed)
    before = measure((charges, times))
    after = measure(
        (scale * charges, times), picture_threshold=10 * scale, boundary_threshold=5 * scale
    )
    expected = dict(before)
    for name in ("intensity", *(f"intensity_{of}" for of in ("max", "min", "mean", "std"))):
        expected[name] = scale * before[name]
    # Charges are taken as counts: k times as many have 1 / sqrt(k) of the relative uncertainty.
    # psi_uncertainty too, as long as all pixels have one area.
    for name in UNCERTAINTIES:
        expected[name] = before[name] / np.sqrt(scale)
    check(after, expected)


@examples
@given(seed=seeds)
def test_numbering_of_pixels_does_not_matter(seed):
    images = showers(seed)
    order = np.random.RandomState(seed).permutation(CAMERA.n_pixels)
    camera = CameraGeometry.from_arrays(CAMERA.pix_x[order], CAMERA.pix_y[order])
    before, after = measure(images), measure([part[:, order] for part in images], camera)
    sign = turned(before, after, before["psi"])
    # The line is searched from other pairs of pixels, and may settle on other pixels.
    before["timing_slope"] = sign * before["timing_slope"]
    for name, rtol in (("slope", 0.02), ("intercept", 0.02), ("deviation", 0.3)):
        got, wanted = (part.pop(f"timing_{name}") for part in (after, before))
        np.testing.assert_allclose(got, wanted, rtol, err_msg=name)
    expected = before | {"skewness": sign * before["skewness"], "psi": after["psi"]}
    check(after, expected)


@examples
@given(seed=seeds)
def test_telescope_frame_is_the_camera_mirrored_and_scaled(seed):
    images = showers(seed)
    degrees = np.degrees(1 / FOCAL_LENGTH)
    before = measure(images)
    after = measure(images, source=degrees * SOURCE[::-1], frame="telescope")
    sign = turned(before, after, 90 - before["psi"])
    expected = before | {name: degrees * before[name] for name in [*LENGTHS, "r"]}
    expected["timing_slope"] = before["timing_slope"] / degrees
    expected |= {name: sign * expected[name] for name in ON_AXIS}
    expected["psi"] = after["psi"]
    expected["phi"] = (90 - before["phi"] + 180) % 360 - 180
    expected["fov_lon"], expected["fov_lat"] = degrees * before["y"], degrees * before["x"]
    # Left and right change places in a mirror.
    expected["source_m3_trans"] *= -1
    check(after, {name: expected[name] for name in after})
    # And to the last digit, it is the camera frame of such a camera.
    x, y = degrees * CAMERA.pix_y, degrees * CAMERA.pix_x
    camera = moved(x, y, degrees**2 * CAMERA.pix_area)
    same = measure(images, camera, degrees * SOURCE[::-1])
    check(dict(zip(after, same.values(), strict=True)), after, rtol=1e-12)


def everything(X, camera=SMALL, **parameters):
    hillas = HillasTransformer(
        camera, features="all", timing=True, min_picture_neighbors=1, **parameters
    )
    return hillas, hillas.transform(X)


@examples
@given(X=whole, seed=seeds)
def test_events_do_not_know_of_each_other(X, seed):
    X = X.astype(np.float64)
    hillas, features = everything(X)
    rows = [hillas.transform(X[i : i + 1]) for i in range(len(X))]
    np.testing.assert_array_equal(np.vstack(rows), features)
    order = np.random.RandomState(seed).permutation(len(X))
    np.testing.assert_array_equal(hillas.transform(X[order]), features[order])
    np.testing.assert_array_equal(hillas.clean(X[order]), hillas.clean(X)[order])


@examples
@given(X=whole)
def test_the_type_of_whole_charges_does_not_matter(X):
    _, features = everything(X)
    for dtype in (np.float32, np.float64, np.int64):
        np.testing.assert_array_equal(everything(X.astype(dtype))[1], features)


@examples
@given(X=whole, cleaning=st.sampled_from(["tailcuts", "time_constrained"]))
def test_a_mask_stands_for_the_cleaning_that_made_it(X, cleaning):
    X = X.astype(np.float64)
    hillas, features = everything(X, cleaning=cleaning)
    mask = hillas.clean(X)
    np.testing.assert_array_equal(hillas.transform(X, mask=mask), features)
    given = hillas.set_params(cleaning=lambda charges, camera, times: mask)
    np.testing.assert_array_equal(given.transform(X), features)
    np.testing.assert_array_equal(given.clean(X), mask)


@examples
@given(
    X=whole,
    bad=st.sets(st.integers(0, SMALL.n_pixels - 1), max_size=6),
    value=st.sampled_from([0.0, 1e6, np.nan, np.inf, -np.inf]),
    parameters=st.sampled_from(
        [{}, {"cleaning": None}, {"keep_isolated_pixels": True}, {"cleaning": "time_constrained"}]
    ),
)
def test_bad_pixels_are_as_good_as_none(X, bad, value, parameters):
    X, bad = X.astype(np.float64), sorted(bad)
    left, camera = without(SMALL, bad)
    both = np.r_[left, SMALL.n_pixels + left]
    hillas, expected = everything(X[:, both], camera, **parameters)
    X[:, bad] = value
    _, features = everything(X, bad_pixels=bad, **parameters)
    # The edge of the camera stays where it is when a pixel in it goes bad.
    elsewhere = [not name.startswith("leakage") for name in hillas.get_feature_names_out()]
    np.testing.assert_array_equal(features[:, elsewhere], expected[:, elsewhere])
