"""Model files: the same scores after reading, and all that was changed is refused."""

import hashlib
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from kept_model import FOLDER, rows
from mutated_files import flipped, models
from pyod.models.knn import KNN
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.neighbors import KernelDensity, LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, QuantileTransformer, normalize
from sklearn.svm import OneClassSVM
from test_estimator_checks import ESTIMATORS

import skflow
from skflow.hillas import CameraGeometry
from skflow.images import FrozenFeatures, HexToSquare
from skflow.interop import PyODDetector
from skflow.io import fingerprint, info
from skflow.io._model_file import MAGIC

MUTATED = Path(__file__).parent / "mutated_files.py"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.skflow"


@pytest.fixture
def saved(path, bulk):
    """A small model, in its file."""
    model = skflow.MahalanobisDetector().fit(bulk)
    skflow.save(model, path, X=bulk)
    return model


def outputs(model, X):
    names = ("score_samples", "decision_function", "predict_proba", "predict", "transform")
    return [getattr(model, name)(X) for name in names if hasattr(model, name)]


def assert_same(model, X, path, **kwargs):
    skflow.save(model, path)
    loaded = skflow.load(path, **kwargs)
    for before, after in zip(outputs(model, X), outputs(loaded, X), strict=True):
        np.testing.assert_array_equal(before, after)
    return loaded


@pytest.mark.parametrize(
    "estimator",
    [one for one in ESTIMATORS if not isinstance(one, PyODDetector | FrozenFeatures)],
    ids=lambda estimator: type(estimator).__name__,
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_estimator(estimator, path):
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(120, 16)), np.where(np.arange(120) < 100, 1, -1)
    assert_same(clone(estimator).fit(X, y), X, path)


@pytest.mark.parametrize(
    "estimator",
    [KernelDensity(), LocalOutlierFactor(novelty=True), RandomForestClassifier(3)],
    ids=lambda estimator: type(estimator).__name__,
)
def test_estimators_of_scikit_learn(estimator, labelled, path):
    X, y = labelled
    assert_same(estimator.fit(X, y), X, path)


def test_cameras(path):
    camera = CameraGeometry.hexagonal(3, focal_length=5.0)
    images = np.random.RandomState(0).poisson(3.0, size=(60, camera.n_pixels)).astype(float)
    hillas = skflow.HillasTransformer(camera, cleaning=None)
    loaded = assert_same(
        make_pipeline(hillas, skflow.MahalanobisDetector(nan_policy="omit")).fit(images),
        images,
        path,
    )
    assert loaded[0].geometry == camera
    assert not loaded[0].geometry.pix_x.flags.writeable
    assert_same(HexToSquare(camera).fit(images), images, path)


def test_frames(bulk, path):
    frame = pd.DataFrame(bulk, columns=["a", "b", "c"])
    pipeline = make_pipeline(
        QuantileTransformer(n_quantiles=50).set_output(transform="pandas"),
        skflow.RealNVPOutlierDetector(max_iter=10, random_state=0),
    ).fit(frame)
    skflow.save(pipeline, path, X=frame)
    loaded = skflow.load(path)
    np.testing.assert_array_equal(loaded.score_samples(frame), pipeline.score_samples(frame))
    with pytest.raises(ValueError, match="feature names"):
        loaded.predict(frame[["b", "a", "c"]])


def test_description(saved, path, bulk):
    said = info(path)
    assert said["type"] == "skflow.detectors._mahalanobis.MahalanobisDetector"
    assert said["model"] == "MahalanobisDetector()"
    assert said["threshold"] == saved.offset_
    assert (said["n_features"], said["feature_names"], said["training_rows"]) == (3, None, 400)
    assert said["training_sha256"] == fingerprint(pd.DataFrame(bulk)) != fingerprint(bulk[::-1])
    assert said["versions"]["skflow"] == skflow.__version__
    assert said["versions"]["torch"] == torch.__version__
    assert said["bytes"] == os.path.getsize(path)
    assert fingerprint([["a", 1]]) != fingerprint([["b", 1]])


def test_description_without_rows(bulk, path):
    skflow.save(skflow.MahalanobisDetector().fit(bulk), path)
    assert info(path)["training_rows"] is info(path)["training_sha256"] is None


@pytest.mark.parametrize("kept", sorted(FOLDER.glob("*.skflow")), ids=lambda kept: kept.stem)
@pytest.mark.filterwarnings("ignore:.*was written by other versions:UserWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning")
def test_files_of_earlier_versions(kept):
    model = skflow.load(kept)
    with np.load(kept.with_suffix(".npz")) as results:
        np.testing.assert_allclose(model.score_samples(rows()), results["scores"], rtol=1e-6)
        np.testing.assert_array_equal(model.predict(rows()), results["labels"])
    assert info(kept)["training_sha256"] == fingerprint(rows())


def test_a_model_of_a_gpu_computes_on_the_cpu(bulk, path):
    model = skflow.RealNVPOutlierDetector(max_iter=5, random_state=0).fit(bulk)
    expected = model.score_samples(bulk)
    model.device = "cuda"  # as a fit there would have left it
    skflow.save(model, path)
    np.testing.assert_allclose(skflow.load(path).score_samples(bulk), expected, rtol=1e-9)


def test_other_versions_warn(saved, path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skflow.__version__", "0.0.9")
        skflow.save(saved, path)
    with pytest.warns(UserWarning, match=r"written by other versions.*skflow 0\.0\.9 \(here"):
        skflow.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-1], "was changed or cut short"),
        (lambda data: data[:70], "was changed or cut short"),
        (lambda data: data.replace(b"Mahalanobis", b"Mahalanobiz", 1), "was changed or cut short"),
        (lambda data: data.replace(b"model 1", b"model 9", 1), "of a later format"),
        (lambda data: b"", "got another file"),
        (lambda data: b"PK\3\4" + data, "got another file"),
        (lambda data: data[:22] + b"0" * 64 + data[86:], "was changed or cut short"),
    ],
    ids=["last byte", "start", "word", "later", "empty", "other", "digest"],
)
def test_changed_files_are_refused(saved, path, change, message):
    path.write_bytes(change(path.read_bytes()))
    for read in (skflow.load, info):
        with pytest.raises(ValueError, match=message) as error:
            read(path)
        assert str(path) in str(error.value)


@pytest.mark.parametrize("header", [b"", b"{}", b"[]", b'{"versions": []}', b"\xff", b"[" * 9999])
def test_no_description(saved, path, header):
    content = path.read_bytes().split(b"\n", 2)[2]
    rest = header + b"\n" + content
    path.write_bytes(MAGIC + hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest)
    for read in (skflow.load, info):
        with pytest.raises(ValueError, match="does not describe its model"):
            read(path)


def test_every_flipped_byte_is_noticed(saved, path):
    data, generator = path.read_bytes(), random.Random(0)
    for _ in range(300):
        changed = flipped(data, generator)
        if changed != data:
            path.write_bytes(changed)
            with pytest.raises(ValueError, match=r"changed or cut short|must be a model file"):
                info(path)


def fuzzed(folder, n_files, seed):
    """Counts of what mutated files led to, in a process that may be killed by one."""
    (folder / "hostile_module.py").write_text(f"open({str(folder / 'trace')!r}, 'w').close()")
    done = subprocess.run(
        [sys.executable, MUTATED, folder, str(n_files), str(seed)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert not (folder / "trace").exists()
    counts = json.loads(done.stdout)
    assert counts["refused"] + counts["read"] == n_files
    return counts


def test_mutated_files(tmp_path):
    counts = fuzzed(tmp_path, 100, 0)
    assert min(counts["refused"], counts["read"]) > 20  # both ways were taken


@pytest.mark.slow
def test_mutated_files_at_length(tmp_path):
    fuzzed(tmp_path, 1000, 1)


def test_types_that_are_not_trusted(bulk, path):
    model = PyODDetector(KNN()).fit(bulk)
    skflow.save(model, path)
    with pytest.raises(ValueError, match=r"not trusted: pyod\.models\.knn\.KNN.*pass trusted=\["):
        skflow.load(path)
    assert_same(model, bulk, path, trusted=["pyod.models.knn.KNN"])
    with pytest.raises(TypeError, match="must be a list of names"):
        skflow.load(path, trusted="pyod.models.knn.KNN")


def test_compiled_code_that_indexes_blindly(bulk, path):
    """skops trusts support vector machines; their arrays are not looked at."""
    skflow.save(OneClassSVM().fit(bulk), path)
    with pytest.raises(ValueError, match=r"sklearn\.svm\._classes\.OneClassSVM"):
        skflow.load(path)
    skflow.load(path, trusted=["sklearn.svm._classes.OneClassSVM"])


def test_functions_are_not_trusted(bulk, path):
    pipeline = make_pipeline(FunctionTransformer(np.arcsinh), skflow.MahalanobisDetector())
    assert_same(pipeline.fit(bulk), bulk, path)
    pipeline = make_pipeline(FunctionTransformer(normalize), skflow.MahalanobisDetector())
    skflow.save(pipeline.fit(bulk), path)
    with pytest.raises(
        ValueError, match=r"not trusted: sklearn\.preprocessing\._data\.normalize\."
    ):
        skflow.load(path)


def test_decision_trees_that_lead_nowhere(labelled, path):
    forest = RandomForestClassifier(2, random_state=0).fit(*labelled)
    forest.n_features_in_ = 1
    with pytest.raises(TypeError, match="parts of other columns"):
        skflow.save(forest, path)
    forest.n_features_in_ = 3
    state = forest.estimators_[0].tree_.__getstate__()
    state["nodes"]["left_child"][0] = 10**6
    forest.estimators_[0].tree_.__setstate__(state)
    with pytest.raises(TypeError, match="leads nowhere"):
        skflow.save(forest, path)


def test_cameras_that_point_elsewhere(path):
    """What `load` would refuse is not written in the first place."""
    camera = CameraGeometry.hexagonal(2)
    transformer = skflow.HillasTransformer(camera).fit()
    camera.neighbor_indices.setflags(write=True)
    camera.neighbor_indices[0] = 1000
    with pytest.raises(TypeError, match="neighbors"):
        skflow.save(transformer, path)


def test_what_cannot_be_saved(bulk, path):
    with pytest.raises(NotFittedError):
        skflow.save(skflow.MahalanobisDetector(), path)
    pipeline = make_pipeline(FunctionTransformer(lambda X: X), skflow.MahalanobisDetector())
    with pytest.raises(TypeError, match="cannot be written to a model file"):
        skflow.save(pipeline.fit(bulk), path)
    assert not path.exists()


def test_a_failed_write_leaves_the_former_file(saved, path, monkeypatch):
    before = path.read_bytes()
    monkeypatch.setattr(os, "replace", lambda *paths: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        skflow.save(saved, path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_missing_files_and_folders(saved, tmp_path):
    with pytest.raises(FileNotFoundError):
        skflow.load(tmp_path / "no.skflow")
    with pytest.raises(FileNotFoundError):
        skflow.save(saved, tmp_path / "no" / "model.skflow")


def test_skops_is_missing(saved, path, monkeypatch):
    monkeypatch.setitem(sys.modules, "skops.io", None)
    for call in (skflow.load, lambda path: skflow.save(saved, path)):
        with pytest.raises(ImportError, match=r"skflow-detect\[io\]"):
            call(path)


def test_models_of_the_fuzzer_are_read(path):
    for model, X in models():
        assert_same(model, X, path)
