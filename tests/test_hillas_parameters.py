"""Cleaning functions, masks, types of images, and parameters that cannot be."""

import numpy as np
import pytest
from edge_images import CAMERA, CENTER, blob, cleaned, features, with_times

from skflow.hillas import CameraGeometry, HillasTransformer


def test_callable_cleaning():
    seen = []

    def brighter(charges, camera, times):
        seen.append((charges.shape, times.shape, camera))
        return (charges > 5) & (times < 30)

    images = np.repeat(blob(), 4, axis=0)
    X = with_times(images, np.where(np.arange(81) < 45, 20.0, 40.0))
    hillas = HillasTransformer(CAMERA, cleaning=brighter, timing=True, bad_pixels=[CENTER])
    expected = (X[:, :81] > 5) & (X[:, 81:] < 30)
    expected[:, CENTER] = False
    np.testing.assert_array_equal(hillas.clean(X), expected)
    assert seen == [((4, 81), (4, 81), CAMERA)]
    bare = HillasTransformer(CAMERA, cleaning=None, features=hillas.features)
    np.testing.assert_array_equal(hillas.transform(X), bare.transform(images, mask=expected))


@pytest.mark.parametrize(
    ("returned", "got"),
    [
        (np.ones((4, 80), dtype=bool), r"bool of shape \(4, 80\)"),
        (np.ones((1, 81), dtype=bool), r"bool of shape \(1, 81\)"),
        (np.ones(81, dtype=bool), r"bool of shape \(81,\)"),
        (np.ones((4, 81)), r"float64 of shape \(4, 81\)"),
        (None, r"object of shape \(\)"),
    ],
)
def test_masks_that_do_not_fit(returned, got):
    X = np.repeat(blob(), 4, axis=0)
    wanted = r"must be boolean, of shape \(4, 81\); got "
    with pytest.raises(ValueError, match=f"what cleaning returns {wanted}{got}"):
        HillasTransformer(CAMERA, cleaning=lambda charges, camera: returned).transform(X)
    if returned is not None:
        with pytest.raises(ValueError, match=f"mask {wanted}{got}"):
            HillasTransformer(CAMERA).transform(X, mask=returned)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.int64, np.uint8, ">f4"])
@pytest.mark.parametrize("way", ["tailcuts", "none"])
def test_types_and_layouts_of_images(way, dtype):
    whole = np.repeat(np.round(blob()), 3, axis=0)
    _, hillas, _ = cleaned(way, whole, features="all")
    expected = hillas.transform(whole)
    images = whole.astype(dtype)
    fixed = images.copy()
    fixed.setflags(write=False)
    spread = np.zeros((6, 162), dtype=dtype)[::2, ::2]
    spread[:] = images
    for given in (images, fixed, np.asfortranarray(images), spread, images.reshape(3, 9, 9)):
        np.testing.assert_array_equal(hillas.transform(given), expected)
    np.testing.assert_array_equal(hillas.transform(images.tolist()), expected)


@pytest.mark.parametrize("scale", [1e-30, 1e-10, 1e10, 1e30])
def test_scale_of_the_charges_does_not_matter(scale):
    expected = features(blob(), cleaning=None)
    row = features(scale * blob(), cleaning=None)
    for name, value in row.items():
        charge = name == "hillas_intensity" or name in {
            f"intensity_{each}" for each in ("max", "min", "mean", "std")
        }
        root = name in ("hillas_length_uncertainty", "hillas_width_uncertainty")
        root |= name == "hillas_transverse_cog_uncertainty"
        factor = scale if charge else scale**-0.5 if root else 1
        if name != "hillas_psi_uncertainty":
            assert value == pytest.approx(expected[name] * factor, rel=1e-7, abs=0), name


BAD = {
    "picture": ({"picture_threshold": np.nan}, "picture_threshold must be a finite number or one"),
    "boundary": ({"boundary_threshold": [1.0, 2.0]}, "for each of 81 pixels; got"),
    "boundary inf": ({"boundary_threshold": -np.inf}, "boundary_threshold must be a finite number"),
    "order": (
        {"picture_threshold": 4.0},
        r"picture_threshold must not be below boundary_threshold; got 4\.0 and 5\.0",
    ),
    "order of one": (
        {"picture_threshold": np.r_[4.0, np.full(80, 9)]},
        "picture_threshold must not be below boundary_threshold",
    ),
    "bad too high": ({"bad_pixels": [81]}, r"indices from 0 to 80; got \[81\]"),
    "bad negative": ({"bad_pixels": [-1]}, r"indices from 0 to 80; got \[-1\]"),
    "bad float": ({"bad_pixels": [1.0]}, "bad_pixels must be indices"),
    "bad 2d": ({"bad_pixels": [[1]]}, "bad_pixels must be indices"),
    "source": ({"source": (1.0,)}, r"source must be two finite numbers; got \(1\.0,\)"),
    "source nan": ({"source": (0.0, np.nan)}, "source must be two finite numbers"),
    "limits": (
        {"time_limits": (1, 2, 3)},
        r"time_limits must be two finite numbers; got \(1, 2, 3",
    ),
    "no times": (
        {"cleaning": "time_constrained"},
        "cleaning='time_constrained' needs timing=True; got timing=False",
    ),
    "timing": (
        {"timing": True},
        r"charges and then the arrival times of 81 pixels \(timing=True\)",
    ),
    "camera": (
        {"geometry": CameraGeometry.square(8)},
        r"X must hold the charges of 64 pixels \(timing=False\); got 81 columns",
    ),
    "inferred": ({"geometry": None, "timing": True}, "of all pixels .timing=True.; got 81 columns"),
    "frame": (
        {"geometry": CameraGeometry.square(9), "frame": "telescope"},
        "the telescope frame needs a focal length",
    ),
    "feature": (
        {"features": ["hillas", "size"]},
        r"features must be a preset \(default, .* names of features in the camera frame; got \['s",
    ),
    "preset": ({"features": "best"}, r"features must be a preset .*; got \['best'\]"),
    "no feature": ({"features": []}, r"features must be .*; got \[\]"),
    "other frame": (
        {"features": ["camera_frame_hillas_x"], "frame": "telescope"},
        r"in the telescope frame; got \['camera_frame_hillas_x'\]",
    ),
    "magic": (
        {"features": "magic", "frame": "telescope"},
        "features='magic' are in mm: frame must be 'camera'; got 'telescope'",
    ),
    "late": (
        {"features": ["peak_time_mean"]},
        "features peak_time_mean need arrival times: timing must be True .* got timing=False",
    ),
    "late group": (
        {"features": "timing"},
        "features camera_frame_timing_intercept, .* need arrival",
    ),
    "cleaning": ({"cleaning": "otsu"}, "'cleaning' parameter of HillasTransformer must be"),
    "frame name": ({"frame": "sky"}, "'frame' parameter of HillasTransformer must be"),
    "neighbours": ({"min_picture_neighbors": -1}, "'min_picture_neighbors' parameter"),
    "pixels": ({"min_n_pixels": 0}, "'min_n_pixels' parameter"),
    "intensity": ({"min_intensity": -1}, "'min_intensity' parameter"),
    "leakage": ({"max_leakage": 1.5}, "'max_leakage' parameter"),
    "invalid": ({"on_invalid": "drop"}, "'on_invalid' parameter"),
    "geometry": ({"geometry": "LST"}, "'geometry' parameter"),
    "jobs": ({"n_jobs": 1.5}, "'n_jobs' parameter"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_parameters(case):
    parameters, message = BAD[case]
    hillas = HillasTransformer(**{"geometry": CAMERA} | parameters)
    with pytest.raises(ValueError, match=message):
        hillas.transform(blob())
    with pytest.raises(ValueError, match=message):
        hillas.fit(blob())


def test_a_cleaning_function_cannot_change_the_images():
    images = np.array(blob(), dtype=np.float64)

    def careless(charges, camera):
        charges[:] = 0

    with pytest.raises(ValueError, match="read-only"):
        HillasTransformer(CAMERA, cleaning=careless).transform(images)
    np.testing.assert_array_equal(images, blob())


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
@pytest.mark.parametrize("threshold", [-1e300, -3.0, 0.7, 4.2, 5.0, 32767.5, 1e300])
def test_thresholds_are_exact_for_every_type(threshold, dtype):
    """A charge is kept if it is not below the threshold as given, whatever type compares them."""
    charges = np.array([-32768, -3, 0, 1, 4, 5, 6, 32767], dtype=dtype)
    if dtype != np.int16:
        near = np.array([0.7, 4.2], dtype=dtype)
        charges = np.concatenate([charges, near, np.nextafter(near, dtype(9))])
    image = np.zeros((1, CAMERA.n_pixels), dtype=dtype)
    image[0, : len(charges)] = charges
    hillas = HillasTransformer(
        CAMERA,
        picture_threshold=threshold,
        boundary_threshold=threshold,
        keep_isolated_pixels=True,
    )
    np.testing.assert_array_equal(hillas.clean(image), image.astype(np.float64) >= threshold)
