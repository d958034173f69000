"""HillasTransformer behaves as scikit-learn's users expect of a transformer."""

import importlib.util
import os
import pickle
import sys
import time
from pathlib import Path

import numba
import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import skflow.hillas
from skflow import ContrastiveFlowDetector, MahalanobisDetector
from skflow.datasets import make_shower_images
from skflow.hillas import CameraGeometry, HillasTransformer
from skflow.hillas._compile import compiled, forget_stale_kernels
from skflow.metrics import get_scorer

CAMERA = CameraGeometry.hexagonal(6)
LOOSE = {"picture_threshold": 3.0, "boundary_threshold": 1.5, "min_picture_neighbors": 1}


class OneRow(HillasTransformer):
    """For any number of columns, as scikit-learn's checks make them: a camera of one row."""

    def _default_geometry(self, n_pixels):
        return CameraGeometry.from_arrays(np.arange(n_pixels), np.zeros(n_pixels))


@parametrize_with_checks(
    [OneRow(cleaning=None), OneRow(picture_threshold=1.0, boundary_threshold=0.5)]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def showers():
    """300 events on a small camera, charges and times, of all kinds."""
    kinds = np.repeat(["gamma", "hadron", "pedestal"], 100)
    return make_shower_images(300, CAMERA, kind=kinds, times=True, random_state=0)


def test_needs_no_fit_and_no_data(showers):
    images = showers[:, : CAMERA.n_pixels]
    hillas = HillasTransformer(CAMERA, features="ctapipe")
    expected = hillas.transform(images)
    assert hillas.fit() is hillas
    np.testing.assert_array_equal(hillas.fit_transform(images), expected)
    assert expected.dtype == np.float64
    assert expected.shape == (300, 32)
    assert 100 <= hillas.valid_mask(images).sum() <= 200
    np.testing.assert_array_equal(hillas.valid_mask(images), ~np.isnan(expected).any(axis=1))
    copy = pickle.loads(pickle.dumps(clone(hillas)))
    np.testing.assert_array_equal(copy.transform(images), expected)


def test_width_of_fit_holds(showers):
    hillas = HillasTransformer(timing=False).fit(np.ones((1, 37)))
    with pytest.raises(ValueError, match="37 features"):
        hillas.transform(np.ones((1, 61)))


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_tables_out(showers, container):
    hillas = HillasTransformer(CAMERA, features=["hillas", "timing"], timing=True)
    table = hillas.set_output(transform=container).transform(showers)
    assert list(table.columns) == list(hillas.get_feature_names_out())
    assert table.columns[0] == "camera_frame_hillas_intensity"
    assert "peak_time_std" in table.columns


def test_every_way_to_pass_the_same_images(showers, tmp_path):
    images = np.round(showers[:, : CAMERA.n_pixels]).astype(np.int16)
    hillas = HillasTransformer(CAMERA, features="all")
    expected = hillas.transform(images)
    assert np.isfinite(expected[:, 0]).sum() > 100
    path = tmp_path / "images.npy"
    np.save(path, images)
    strided = np.empty((300, 2 * CAMERA.n_pixels), np.int16)[:, ::2]
    strided[:] = images
    for same in (
        images.astype(np.float32),
        images.astype(np.float64),
        images.astype(">i4"),
        images.tolist(),
        pd.DataFrame(images),
        np.asfortranarray(images),
        np.load(path, mmap_mode="r"),
        strided,
    ):
        np.testing.assert_array_equal(hillas.transform(same), expected)
    threads = hillas.set_params(n_jobs=2).transform(images)
    np.testing.assert_array_equal(threads, expected)


def test_chunks_do_not_matter(showers, monkeypatch):
    hillas = HillasTransformer(CAMERA, features="all", timing=True)
    expected = hillas.transform(showers)
    monkeypatch.setattr("skflow.hillas._run.CHUNK_VALUES", 1000)
    np.testing.assert_array_equal(hillas.transform(showers), expected)
    for n_jobs in (2, 5):
        np.testing.assert_array_equal(
            clone(hillas).set_params(n_jobs=n_jobs).transform(showers), expected
        )


def test_square_images():
    rng = np.random.RandomState(0)
    images = rng.poisson(8.0, size=(20, 6, 6)).astype(np.float32)
    flat = HillasTransformer(features="hillas").transform(images.reshape(20, 36))
    np.testing.assert_array_equal(HillasTransformer(features="hillas").fit_transform(images), flat)
    wide = HillasTransformer(CameraGeometry.square(4, 9), features="hillas")
    assert wide.transform(images.reshape(20, 4, 9)).shape == (20, 14)
    with pytest.raises(ValueError, match=r"36 pixels .*got 25 columns"):
        wide.transform(images[:, :5, :5])


def test_masks(showers):
    images = showers[:, : CAMERA.n_pixels]
    hillas = HillasTransformer(CAMERA, features="all")
    expected, mask = hillas.transform(images), hillas.clean(images)
    np.testing.assert_array_equal(hillas.transform(images, mask=mask), expected)
    np.testing.assert_array_equal(hillas.valid_mask(images, mask), hillas.valid_mask(images))

    def clean(charges, camera):
        assert camera is CAMERA
        return HillasTransformer(camera).clean(charges)

    called = HillasTransformer(CAMERA, cleaning=clean, features="all", n_jobs=2)
    np.testing.assert_array_equal(called.transform(images), expected)
    np.testing.assert_array_equal(called.clean(images), mask)
    with pytest.raises(ValueError, match=r"mask must be boolean, of shape \(300, 127\); got int"):
        hillas.transform(images, mask=mask.astype(int))


def test_mask_is_routed(showers):
    images = showers[:, : CAMERA.n_pixels]
    hillas = HillasTransformer(CAMERA)
    mask = hillas.clean(images)
    with config_context(enable_metadata_routing=True):
        pipeline = Pipeline(
            [
                ("hillas", clone(hillas).set_transform_request(mask=True)),
                ("flow", MahalanobisDetector(nan_policy="omit")),
            ],
            transform_input=None,
        )
        pipeline.fit(images, mask=mask)
        scores = pipeline.score_samples(images)
    expected = MahalanobisDetector(nan_policy="omit").fit(hillas.transform(images, mask))
    np.testing.assert_allclose(scores, expected.score_samples(hillas.transform(images)))


@pytest.mark.parametrize("shape", [(18, 18), (331,)])
def test_the_literal_pipeline(shape):
    """On square and on hexagonal images, without a word about the camera."""
    geometry = CameraGeometry.square(18) if len(shape) == 2 else CameraGeometry.hexagonal(10)
    kinds = np.repeat(["hadron", "gamma"], [500, 60])
    X = make_shower_images(560, geometry, kind=kinds, size=(2e3, 2e4), random_state=0)
    valid = HillasTransformer(geometry).valid_mask(X)
    X, y = X[valid].reshape(-1, *shape), np.where(kinds[valid] == "gamma", -1, 1)
    pipeline = make_pipeline(HillasTransformer(), ContrastiveFlowDetector(random_state=0))
    pipeline.fit(X, y)
    assert get_scorer("roc_auc")(pipeline, X, y) > 0.7
    assert set(pipeline.predict(X)) <= {-1, 1}


def test_lost_events_stay_lost(showers):
    """Most triggers leave nothing: they are not judged, and rank last."""
    images = showers[:, : CAMERA.n_pixels]
    hillas = HillasTransformer(CAMERA, features=["camera_frame_hillas_length", "leakage"])
    pipeline = make_pipeline(hillas, MahalanobisDetector(nan_policy="omit")).fit(images)
    lost = ~hillas.valid_mask(images)
    assert lost[200:].all()
    np.testing.assert_array_equal(pipeline.predict(images) == 0, lost)
    y = np.where(np.arange(300) < 100, -1, 1)
    assert 0 < get_scorer("roc_auc")(pipeline, images, y) < 1
    with pytest.raises(ValueError, match="nan_policy"):
        make_pipeline(hillas, MahalanobisDetector()).fit(images)


def test_compiled_and_interpreted_kernels_agree(showers, monkeypatch):
    """The kernels are plain Python too: interpreted, they give what they give compiled."""
    some = showers[::20]
    variants = [
        HillasTransformer(CAMERA, features="all", timing=True, **LOOSE, cleaning=cleaning)
        for cleaning in ("tailcuts", "time_constrained", None)
    ]
    compiled = [(hillas.transform(some), hillas.clean(some)) for hillas in variants]
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    folder = Path(skflow.hillas.__file__).parent
    plain = {}
    for name in ("_compile", "_cleaning", "_moments", "_timing", "_batch"):
        full = f"skflow.hillas.{name}"
        spec = importlib.util.spec_from_file_location(full, folder / f"{name}.py")
        plain[name] = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, full, plain[name])
        spec.loader.exec_module(plain[name])
    batch = plain["_batch"]
    assert not hasattr(batch.measure, "py_func")
    monkeypatch.setattr("skflow.hillas._transformer.measure", batch.measure)
    monkeypatch.setattr("skflow.hillas._transformer.keep", batch.keep)
    for hillas, (features, mask) in zip(variants, compiled, strict=True):
        with np.errstate(invalid="ignore"):  # roots of negative charges; compiled, in silence
            np.testing.assert_array_equal(hillas.clean(some), mask)
            np.testing.assert_allclose(hillas.transform(some), features, rtol=1e-12, atol=1e-12)


def test_stale_kernels_are_forgotten(tmp_path):
    """A kernel compiled before any file changed is removed; a later one stays."""
    cache = tmp_path / "__pycache__"
    cache.mkdir()
    (tmp_path / "_kernel.py").write_text("")
    now = time.time()
    for name, age in (("old.nbi", 10), ("new.nbi", -10)):
        (cache / name).write_text("")
        os.utime(cache / name, (now - age, now - age))
    forget_stale_kernels(tmp_path)
    assert [path.name for path in cache.iterdir()] == ["new.nbi"]


def test_kernels_compile_where_nothing_can_be_written(monkeypatch):
    """numba refuses to cache in a read-only installation without a home folder."""

    def refuse_cache(function=None, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return numba.njit(**options)

    monkeypatch.setattr("skflow.hillas._compile.njit", refuse_cache)
    assert compiled(lambda x: x + 1)(2) == 3


def test_repr_is_short():
    assert repr(HillasTransformer(CAMERA, frame="telescope")) == (
        "HillasTransformer(frame='telescope',\n"
        "                  geometry=CameraGeometry('hexagonal', 127 pixels of shape 'hexagon', "
        "focal length unknown))"
    )
