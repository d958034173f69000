"""Checkpoints: whatever interrupts a fit, it goes on and ends in the same bits."""

import multiprocessing
import os
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import torch
from killed_fit import fit
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skflow import (
    AutoencoderDetector,
    ClassConditionalFlowDetector,
    ContrastiveFlowDetector,
    RealNVPOutlierDetector,
)
from skflow.flows import realnvp
from skflow.images import (
    CSIDetector,
    FastFlowDetector,
    FrozenFeatures,
    TransformationDetector,
)
from skflow.training import Checkpoint

IMAGES = np.random.RandomState(0).rand(60, 8, 8)
SMALL = {"n_blocks": 2, "hidden_features": 8, "max_iter": 40, "random_state": 0}
DETECTORS = [
    RealNVPOutlierDetector(**SMALL),
    RealNVPOutlierDetector(early_stopping=False, flow="spline", **SMALL),
    ContrastiveFlowDetector(**SMALL),
    ClassConditionalFlowDetector(**SMALL),
    AutoencoderDetector(max_iter=40, random_state=0),
    TransformationDetector(max_iter=20, hidden_features=8, random_state=0),
    CSIDetector(max_iter=20, hidden_features=8, random_state=0),
    FastFlowDetector(max_iter=20, n_blocks=2, hidden_features=8, random_state=0),
]
FLOW = RealNVPOutlierDetector(**SMALL)


class Interrupted(BaseException):
    """Like a Ctrl-C, but at a known place."""


@pytest.fixture
def written(monkeypatch):
    """Paths of the checkpoints as they are written; at length `written.last` comes a Ctrl-C."""

    class Written(list):
        last = None

    paths, original = Written(), Checkpoint._write

    def write(self):
        original(self)
        paths.append(self.path)
        if len(paths) == paths.last:
            raise Interrupted

    monkeypatch.setattr(Checkpoint, "_write", write)
    return paths


def assert_equal_fits(detector, other):
    for name, value in other.weights_.items():
        np.testing.assert_array_equal(detector.weights_[name], value)
    assert detector.offset_ == other.offset_
    np.testing.assert_equal(detector.history_, other.history_)


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: type(detector).__name__)
def test_goes_on_bit_for_bit(detector, labelled, tmp_path, written):
    """From every place of every phase, with no step done twice."""
    X, y = (IMAGES, None) if detector.__module__.startswith("skflow.images") else labelled
    whole = clone(detector).fit(X, y)
    assert_equal_fits(clone(detector).set_params(checkpoint=tmp_path / "whole").fit(X, y), whole)
    n_all = len(written)
    assert n_all > 3
    for n in {1, n_all // 3, n_all // 2, 2 * n_all // 3, n_all - 1}:
        interrupted = clone(detector).set_params(checkpoint=tmp_path / str(n))
        written.clear()
        written.last = n
        with pytest.raises(Interrupted):
            interrupted.fit(X, y)
        assert not hasattr(interrupted, "weights_")
        written.last = None
        interrupted.fit(X, y)
        assert len(written) == n_all
        assert_equal_fits(interrupted, whole)
        np.testing.assert_array_equal(interrupted.score_samples(X), whole.score_samples(X))


def kill_and_resume(n_times, n_writing, tmp_path):
    """Fits that are killed at uniformly drawn times, or while they write, and begun again."""
    context = multiprocessing.get_context("forkserver")
    # The first optimiser imports the second, which takes three times as long as the fit.
    context.set_forkserver_preload(["skflow", "torch._dynamo"])

    def start(folder, result, *when):
        begun = context.Event()
        process = context.Process(target=fit, args=(folder, result, begun, *when))
        process.start()
        assert begun.wait(120)
        return process

    def weights(folder, result):
        process = start(folder, result)
        process.join()
        assert process.exitcode == 0
        with np.load(result) as arrays:
            return dict(arrays)

    start(tmp_path / "first", tmp_path / "first.npz").join()  # what is loaded on first use
    before = time.monotonic()
    expected = weights(tmp_path / "whole", tmp_path / "whole.npz")
    duration = time.monotonic() - before
    rng, n_found = np.random.RandomState(0), 0
    for number in range(n_times):
        folder, result = tmp_path / str(number), tmp_path / f"{number}.npz"
        if number < n_writing:
            writing = context.Event()
            process = start(folder, result, writing, rng.randint(20))
            assert writing.wait(120)
        else:
            process = start(folder, result)
            time.sleep(rng.uniform(0, duration))
        process.kill()
        process.join()
        n_found += any(folder.glob("*.ckpt"))
        np.testing.assert_equal(weights(folder, result), expected)
        if number == 0:  # what was half written is removed when nobody can be at it any more
            (half,) = folder.glob(".*")
            os.utime(half, (0, 0))
            np.testing.assert_equal(weights(folder, result), expected)
            assert [path.suffix for path in folder.iterdir()] == [".ckpt"]
    return n_found


@pytest.mark.skipif(os.name == "nt", reason="Windows has no fork server to start fits quickly")
def test_killed_at_any_time(tmp_path):
    assert kill_and_resume(4, 1, tmp_path) > 0


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no fork server to start fits quickly")
def test_killed_at_fifty_times(tmp_path):
    """Ten of them while a checkpoint is being written."""
    assert kill_and_resume(50, 10, tmp_path) > 25


def test_a_search_goes_on(bulk, tmp_path, written):
    """Every fit of a search has its own file, so that workers do not meet in one."""
    search = GridSearchCV(
        clone(FLOW).set_params(checkpoint=tmp_path), {"noise": [0.01, 0.1]}, cv=2, n_jobs=2
    )
    search.fit(bulk)
    written.clear()
    # Four fits of the search and one of all rows.
    assert len(list(tmp_path.iterdir())) == 5
    before = search.cv_results_["mean_test_score"]
    search.set_params(n_jobs=None).fit(bulk)
    assert not written  # all fits were only read
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], before)


def test_another_fit_has_another_file(bulk, tmp_path):
    def n_files(detector, X, y=None):
        detector.fit(X, y)
        return len(list(tmp_path.iterdir()))

    detector = clone(FLOW).set_params(checkpoint=str(tmp_path), max_iter=3)
    assert n_files(detector, bulk) == 1
    assert n_files(detector.set_params(verbose=0), bulk) == 1
    assert n_files(detector.set_params(weight_decay=0.2), bulk) == 2
    assert n_files(detector, bulk[:-1]) == 3
    assert n_files(detector.set_params(random_state=1), bulk) == 4
    warm = detector.set_params(warm_start=True)
    assert n_files(warm, bulk) == 5
    assert n_files(warm, bulk) == 6  # from other weights
    assert n_files(clone(FLOW).set_params(checkpoint=tmp_path).partial_fit(bulk), bulk) == 7


def test_another_network_has_another_file(bulk, tmp_path):
    """The same numbers with other names, and as images of another shape."""
    X = pd.DataFrame(bulk, columns=["a", "b", "c"])
    flow = clone(FLOW).set_params(checkpoint=tmp_path, max_iter=3, condition=["a"])
    flow.fit(X)
    flow.fit(X.rename(columns={"a": "b", "b": "a"}))
    assert len(list(tmp_path.iterdir())) == 2
    for shape in ((8, 16), (16, 8)):
        FastFlowDetector(
            image_shape=shape, max_iter=2, random_state=0, checkpoint=tmp_path / "images"
        ).fit(np.random.RandomState(0).rand(40, 128))
    assert len(list((tmp_path / "images").iterdir())) == 2


class Scaled(torch.nn.Module):
    """A module that its weights do not tell from others."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor
        self.register_buffer(
            "shade", torch.full((), factor, dtype=torch.bfloat16), persistent=False
        )

    def forward(self, x):
        return self.factor * x


@pytest.mark.parametrize("name", ["factor", "shade"])
def test_modules_are_told_apart(name, tmp_path):
    for factor in (1.0, 3.0):
        module = Scaled(1.0)
        value = factor if name == "factor" else torch.full((), factor, dtype=torch.bfloat16)
        setattr(module, name, value)
        detector = FastFlowDetector(
            backbone=FrozenFeatures(module), max_iter=2, random_state=0, checkpoint=tmp_path
        )
        detector.fit(IMAGES)
    assert len(list(tmp_path.iterdir())) == 2


def test_modules_are_known_again_in_another_process(tmp_path):
    """A backbone of the user's, whose pickles differ from process to process."""
    for _ in range(2):
        code = (
            "import numpy as np, torch\n"
            "from skflow.images import FastFlowDetector, FrozenFeatures\n"
            "torch.manual_seed(0)\n"
            "module = torch.nn.Conv2d(1, 3, 3)\n"
            "X = np.random.RandomState(0).normal(size=(40, 48))\n"
            "backbone = FrozenFeatures(module, image_shape=(6, 8))\n"
            f"FastFlowDetector(backbone=backbone, image_shape=(6, 8), max_iter=2, random_state=0, "
            f"checkpoint={str(tmp_path)!r}).fit(X)\n"
        )
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert len(list(tmp_path.iterdir())) == 1


def test_what_is_damaged_starts_anew(bulk, tmp_path, caplog):
    detector = clone(FLOW).set_params(checkpoint=tmp_path).fit(bulk)
    weights = detector.weights_
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for damaged in (b"", whole[:-10], whole[:1000] + b"x" + whole[1001:], b"no digest"):
        path.write_bytes(damaged)
        caplog.clear()
        detector.fit(bulk)
        assert "is damaged and starts anew" in caplog.text
        np.testing.assert_equal(detector.weights_, weights)
        assert path.read_bytes()[:64] == whole[:64]


def test_a_full_disk_does_not_stop_training(bulk, tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("skflow.training._checkpoint.write_whole", full)
    detector = clone(FLOW).set_params(checkpoint=tmp_path)
    with pytest.warns(UserWarning, match="no checkpoint could be written: .*No space left"):
        detector.fit(bulk)
    np.testing.assert_equal(detector.weights_, clone(FLOW).fit(bulk).weights_)


def test_what_cannot_be_known_again_is_refused(bulk, tmp_path):
    with pytest.raises(ValueError, match="checkpoint needs a random_state"):
        RealNVPOutlierDetector(checkpoint=tmp_path).fit(bulk)
    with pytest.raises(ValueError, match="checkpoint"):
        RealNVPOutlierDetector(checkpoint=3, random_state=0).fit(bulk)
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ValueError, match="checkpoint must be a folder"):
        RealNVPOutlierDetector(checkpoint=file, random_state=0).fit(bulk)
    flow = clone(FLOW).set_params(checkpoint=tmp_path, flow=lambda n: realnvp(n))
    with pytest.raises(ValueError, match="checkpoint needs parameters that can be pickled"):
        flow.fit(bulk)
