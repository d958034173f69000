"""Images that are hardly showers, broken pixels and lost events."""

import numpy as np
import pytest
from edge_images import CAMERA, CENTER, WAYS, blob, cleaned, features, image, nan_names, with_times

from skflow.hillas import CameraGeometry, HillasTransformer


@pytest.mark.parametrize("charges", [{}, {CENTER: 4.9, 41: 4.9}, {CENTER: 50}, {CENTER: -50}])
def test_nothing_survives(charges):
    X = image(charges)
    hillas = HillasTransformer(CAMERA, features="all")
    assert not hillas.clean(X).any()
    assert np.isnan(hillas.transform(X)).all()
    assert not hillas.valid_mask(X).any()
    assert np.isnan(hillas.transform(blob(), mask=np.zeros((1, 81), dtype=bool))).all()


@pytest.mark.parametrize("charges", [{0: 5, 1: -5}, {0: 5, 1: -6}, {0: 0, 1: 0}, {0: -1, 1: -2}])
@pytest.mark.parametrize("min_intensity", [0, 0.0, 3])
def test_charge_without_a_positive_sum_is_lost(charges, min_intensity):
    row = features(image(charges), cleaning=None, min_intensity=min_intensity)
    assert len(nan_names(row)) == len(row)


def test_one_pixel():
    X = with_times(image({4: 8.0}), 21.0)
    assert len(nan_names(features(X, timing=True))) == len(features(X, timing=True))
    row = features(X, timing=True, min_n_pixels=1, source=(0.0, 0.1))
    assert row["hillas_intensity"] == 8
    assert (row["hillas_x"], row["hillas_y"]) == (CAMERA.pix_x[4], CAMERA.pix_y[4])
    assert row["hillas_length"] == row["hillas_width"] == 0
    shares = [row[f"concentration_{name}"] for name in ("cog", "core", "pixel", "conc2")]
    assert shares[:3] == [1, 0, 1]
    # The brightest pixel and a second that is not there.
    assert shares[3] == 1
    assert row["leakage_pixels_width_1"] == row["leakage_intensity_width_2"] == 1
    assert row["morphology_n_pixels"] == row["morphology_n_small_islands"] == 1
    assert row["intensity_max"] == row["intensity_mean"] == 8
    assert row["peak_time_max"] == row["peak_time_min"] == row["peak_time_mean"] == 21
    assert row["source_dist"] == pytest.approx(0.5)
    assert nan_names(row) == {
        *(f"hillas_{name}" for name in ("skewness", "kurtosis", "psi", "psi_uncertainty")),
        *(f"hillas_{name}_uncertainty" for name in ("length", "width", "transverse_cog")),
        *(f"{of}_{name}" for of in ("intensity", "peak_time") for name in ("skewness", "kurtosis")),
        *(f"timing_{name}" for name in ("intercept", "deviation", "slope")),
        *(f"source_{name}" for name in ("alpha", "miss", "azwidth", "asym", "m3_long", "m3_trans")),
    }


DIAGONAL = [10 * step for step in range(1, 6)]


@pytest.mark.parametrize(
    "pixels", [[0, 1], [0, 9], [0, 10], [0, 80], range(9), range(3, 80, 9), DIAGONAL, [1, 20, 39]]
)
@pytest.mark.parametrize("frame", ["camera", "telescope"])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_collinear_pixels_have_no_width(pixels, frame, scale):
    rng = np.random.RandomState(0)
    # Away from the origin, where positions are rounded.
    camera = CameraGeometry.from_arrays(
        scale * (CAMERA.pix_x + 0.7), scale * (CAMERA.pix_y - 0.3), shape="square", focal_length=5.0
    )
    X = image({pixel: rng.uniform(1, 100) for pixel in pixels})
    row = features(X, geometry=camera, frame=frame)
    assert row["hillas_width"] == 0
    assert np.isnan(row["hillas_width_uncertainty"])
    assert row["concentration_core"] == 0
    assert row["hillas_length"] > 0
    assert nan_names(row) == {"hillas_width_uncertainty"}


def test_symmetric_blob_has_no_axis():
    ring = {CENTER - 10: 5, CENTER - 8: 5, CENTER + 8: 5, CENTER + 10: 5}
    X = image({CENTER: 50, CENTER - 1: 9, CENTER + 1: 9, CENTER - 9: 9, CENTER + 9: 9} | ring)
    for frame in ("camera", "telescope"):
        row = features(X, frame=frame, source=(0.1, 0.0))
        assert row["hillas_length"] == pytest.approx(row["hillas_width"], rel=1e-12)
        assert row["hillas_length"] > 0
        assert row["hillas_psi"] == 0
        assert nan_names(row) == {"hillas_psi_uncertainty"}
    hexagonal = CameraGeometry.hexagonal(4)
    X = np.where(np.arange(61) < 7, 5.0, 0.0)[None]
    row = features(X, geometry=hexagonal, names="hillas")
    assert row["hillas_psi"] == 0
    assert nan_names(row) == {"hillas_psi_uncertainty"}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_pixel_is_left_out_of_its_event(way, dtype):
    X, hillas, mask = cleaned(way, np.repeat(blob(), 2, axis=0).astype(dtype), features="all")
    brightest = X[0, :81].argmax()
    X[1, brightest] = np.nan
    if mask is not None:
        mask = np.repeat(mask, 2, axis=0)
    rows = hillas.transform(X, mask=mask)
    names = list(hillas.get_feature_names_out())
    n_pixels = rows[:, names.index("morphology_n_pixels")]
    assert n_pixels[1] == n_pixels[0] - 1
    # As if that pixel were bad.
    hillas.set_params(bad_pixels=[brightest])
    np.testing.assert_array_equal(rows[1], hillas.transform(X, mask=mask)[0])
    if mask is None:
        assert not hillas.set_params(bad_pixels=None).clean(X)[1, brightest]


@pytest.mark.parametrize("way", WAYS)
def test_infinite_pixel_loses_its_event(way):
    X = np.repeat(blob(), 3, axis=0)
    X[1, CENTER] = np.inf
    X, hillas, mask = cleaned(way, X)
    if mask is not None:
        mask = np.repeat(mask, 3, axis=0)
    rows = hillas.transform(X, mask=mask)
    assert np.isnan(rows[1]).all()
    assert np.isfinite(rows[[0, 2]]).all()
    np.testing.assert_array_equal(hillas.valid_mask(X, mask=mask), [True, False, True])


@pytest.mark.parametrize("way", ["tailcuts", "time_constrained"])
def test_infinite_pixel_far_from_any_shower(way):
    X = blob()
    X[0, 0] = np.inf
    X, hillas, _ = cleaned(way, X)
    assert np.isnan(hillas.transform(X)).all()
    assert not hillas.clean(X).any()


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("way", ["mask", "callable"])
def test_pixels_outside_a_mask_may_hold_anything(way, bad):
    X = blob()
    expected = HillasTransformer(CAMERA).transform(X)
    X[0, 0] = bad
    X, hillas, mask = cleaned(way, X)
    np.testing.assert_array_equal(hillas.transform(X, mask=mask), expected)


@pytest.mark.parametrize("way", WAYS)
def test_minus_infinity(way):
    X = blob()
    X[0, CENTER] = -np.inf
    X, hillas, mask = cleaned(way, X)
    row = hillas.transform(X, mask=mask)
    if way in ("tailcuts", "time_constrained"):
        assert np.isfinite(row).all()
        assert not hillas.clean(X)[0, CENTER]
        assert hillas.clean(X).any()
    else:
        assert np.isnan(row).all()


@pytest.mark.parametrize("held", [np.nan, np.inf, -np.inf, 1e9, -1e9])
@pytest.mark.parametrize("way", WAYS)
def test_bad_pixels_may_hold_anything(way, held):
    bad = [CENTER, 0]
    X, hillas, mask = cleaned(way, blob(), bad_pixels=bad)
    expected = hillas.transform(X, mask=mask)
    assert np.isfinite(expected).all()
    X[0, bad] = held
    np.testing.assert_array_equal(hillas.transform(X, mask=mask), expected)
    if mask is None:
        assert not hillas.clean(X)[0, bad].any()


def test_bad_pixels_are_nobodys_neighbours():
    X = image({39: 20, 40: 20, 41: 20})
    hillas = HillasTransformer(CAMERA, min_picture_neighbors=1)
    assert hillas.clean(X).sum() == 3
    assert not hillas.set_params(bad_pixels=np.array([40])).clean(X).any()
    hillas.set_params(keep_isolated_pixels=True)
    assert np.flatnonzero(hillas.clean(X)).tolist() == [39, 41]
    row = features(image({39: 20, 40: 20, 41: 20}), bad_pixels=[40])
    assert row["morphology_n_islands"] == 2
    all_bad = HillasTransformer(CAMERA, bad_pixels=range(81), cleaning=None)
    assert np.isnan(all_bad.transform(blob())).all()
    np.testing.assert_array_equal(
        HillasTransformer(CAMERA, bad_pixels=[]).transform(blob()),
        HillasTransformer(CAMERA).transform(blob()),
    )


def test_thresholds_per_pixel_with_bad_and_broken_pixels():
    picture, boundary = np.full(81, 10.0), np.full(81, 5.0)
    picture[41], boundary[41] = 200, 100
    X = image({39: 20, 40: 20, 41: 50, 42: 20, 43: np.nan, 49: np.inf, 0: np.nan})
    hillas = HillasTransformer(
        CAMERA,
        picture_threshold=picture,
        boundary_threshold=list(boundary),
        min_picture_neighbors=1,
        bad_pixels=[49],
    )
    assert np.flatnonzero(hillas.clean(X)).tolist() == [39, 40]
    # A threshold is reached by a charge equal to it.
    X[0, 41] = 200
    assert np.flatnonzero(hillas.clean(X)).tolist() == [39, 40, 41, 42]
    X[0, 41] = 100
    assert np.flatnonzero(hillas.clean(X)).tolist() == [39, 40, 41]


@pytest.mark.parametrize("charge", [1.0, 0.1, 7.3, 1e-20, 1e20])
def test_equal_charges_have_no_shape_of_their_own(charge):
    row = features(image(dict.fromkeys([3, 4, 5, 12, 30, 31, 77], charge)))
    assert row["intensity_std"] == 0
    assert np.isnan([row["intensity_skewness"], row["intensity_kurtosis"]]).all()
    assert row["intensity_mean"] == pytest.approx(charge)
    assert np.isfinite(row["hillas_kurtosis"])


@pytest.mark.parametrize("frame", ["camera", "telescope"])
def test_source_at_the_centre_of_gravity(frame):
    X = image({39: 20, 40: 33.3, 41: 20, 48: 7, 32: 7})
    row = features(X, frame=frame, names="source")
    assert row["source_dist"] == row["source_miss"] == 0
    undefined = {"alpha", "azwidth", "asym", "m3_long", "m3_trans"}
    assert nan_names(row) == {f"source_{name}" for name in undefined}
    moved = features(X, frame=frame, names="source", source=(0.01, 0.02))
    assert not nan_names(moved)
    # Where rounding keeps the two from being the same.
    whole = features(blob(), frame=frame, names=["hillas"])
    x, y = list(whole.values())[3:5]
    row = features(blob(), frame=frame, names="source", source=(x, y))
    assert nan_names(row) == {f"source_{name}" for name in undefined}


LINE = ["timing_intercept", "timing_deviation", "timing_slope"]


@pytest.mark.parametrize("held", [np.nan, np.inf, -np.inf])
def test_pixel_without_a_time_is_left_out_of_timing_only(held):
    X = with_times(blob(), 20 + 3 * CAMERA.pix_x + np.random.RandomState(0).normal(size=81))
    mask = HillasTransformer(CAMERA).clean(blob())
    late = np.flatnonzero(mask)[2]
    whole = features(X, mask, timing=True)
    X[0, 81 + late] = held
    row = features(X, mask, timing=True)
    assert not nan_names(row)
    changed = {name for name in row if row[name] != whole[name]}
    assert changed
    assert all(name.startswith(("timing_", "peak_time_")) for name in changed)
    times = np.delete(X[0, 81:], late)[np.delete(mask[0], late)]
    assert row["peak_time_mean"] == pytest.approx(times.mean())
    assert row["peak_time_std"] == pytest.approx(times.std())
    # Times of pixels that are not kept do not matter.
    X[0, 81:][~mask[0]] = np.nan
    np.testing.assert_equal(features(X, mask, timing=True), row)


@pytest.mark.parametrize("n_timed", [0, 1, 2, 3])
def test_few_timed_pixels(n_timed):
    kept = [38, 39, 40, 41, 42]
    times = np.full(81, np.nan)
    times[kept[:n_timed]] = [20, 21, 22][:n_timed]
    charges = {pixel: 10.0 + pixel for pixel in kept}
    row = features(with_times(image(charges), times), timing=True, names=["timing", "hillas"])
    assert [np.isnan(row[f"{name}"]) for name in LINE] == [n_timed < 3] * 3
    assert np.isnan(row["peak_time_mean"]) == (n_timed == 0)
    if n_timed:
        assert row["peak_time_min"] == 20
        assert row["peak_time_mean"] == pytest.approx(20 + (n_timed - 1) / 2)
    if n_timed == 3:
        assert row["timing_slope"] == pytest.approx(10)
        assert row["timing_deviation"] == pytest.approx(0, abs=1e-9)
    assert row["hillas_intensity"] == 250


def test_pixels_across_the_axis_have_no_slope():
    """Two columns of three pixels that share their place along the axis cannot tilt a line."""
    times = np.full(81, np.nan)
    times[[39, 40, 48]] = 20, 20, 20
    X = with_times(image(dict.fromkeys([39, 40, 48, 49], 5.0)), times)
    row = features(X, timing=True, names=["timing"])
    assert row["timing_intercept"] == pytest.approx(20)
    assert row["timing_slope"] == pytest.approx(0)


def test_time_constrained_without_times():
    X = with_times(blob(), np.nan)
    hillas = HillasTransformer(CAMERA, cleaning="time_constrained", timing=True)
    assert not hillas.clean(X).any()
    assert np.isnan(hillas.transform(X)).all()
    # One core pixel without a time is not kept, and does not spoil the mean of the others.
    X = with_times(blob())
    whole = hillas.clean(X)
    X[0, 81 + CENTER] = np.nan
    missing = whole & ~hillas.clean(X)
    assert np.flatnonzero(missing).tolist() == [CENTER]


def test_lost_by_cuts():
    centre, edge = {39: 20, 40: 40, 41: 20}, {0: 20, 1: 40, 2: 20}
    inner = {29: 20, 31: 40, 30: 20, 11: 20}
    X = np.vstack([image(centre), image(edge), image(inner)])
    hillas = HillasTransformer(CAMERA, cleaning=lambda charges, camera: charges > 0)

    def valid(**cuts):
        return HillasTransformer(**hillas.get_params() | cuts).valid_mask(X).tolist()

    hillas.set_params(features=["camera_frame_hillas_intensity"])
    assert valid() == [True, True, True]
    assert valid(min_n_pixels=4) == [False, False, True]
    assert valid(min_intensity=80) == [True, True, True]
    assert valid(min_intensity=80.1) == [False, False, True]
    assert valid(max_leakage=0.2) == [True, False, True]
    assert valid(max_leakage=0.19) == [True, False, False]
    assert valid(max_leakage=0) == [True, False, False]
    assert valid(max_leakage=1.0) == [True, True, True]


def test_valid_mask_is_rows_without_nan():
    X = np.vstack([blob(), image({0: 20, 1: 20, 2: 20}), image({}), image({CENTER: np.inf})])
    for names in ("default", "all", "magic", "taiga", "leakage"):
        hillas = HillasTransformer(CAMERA, features=names, min_picture_neighbors=1)
        complete = ~np.isnan(hillas.transform(X)).any(axis=1)
        np.testing.assert_array_equal(hillas.valid_mask(X), complete)
        assert complete[0]
        assert not complete[2:].any()
    # A row of pixels has no width_uncertainty, but has leakage.
    assert hillas.valid_mask(X)[1]
    assert not hillas.set_params(features="hillas").valid_mask(X)[1]


def test_on_invalid_raise_names_rows():
    X = np.repeat(blob(), 14, axis=0)
    hillas = HillasTransformer(CAMERA, on_invalid="raise")
    assert np.isfinite(hillas.transform(X)).all()
    X[[3, 5]] = 0
    message = r"^2 of 14 events lack Hillas parameters \(rows 3, 5\); on_invalid='nan' gives NaN"
    with pytest.raises(ValueError, match=message):
        hillas.transform(X)
    assert hillas.valid_mask(X).sum() == 12
    X[1:] = 0
    with pytest.raises(
        ValueError, match=r"13 of 14 .* \(rows 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, \.\.\."
    ):
        hillas.transform(X)
