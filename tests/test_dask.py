"""More than one machine: Dask's arrays, frames and workers, one of which is killed."""

import os
import signal
import time

import dask
import dask.array as da
import dask.dataframe as dd
import joblib
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skflow import FlowEnsemble, HillasTransformer, MahalanobisDetector, RealNVPOutlierDetector
from skflow.datasets import make_shower_images
from skflow.hillas import CameraGeometry
from skflow.interop import lazily

FLOW = RealNVPOutlierDetector(n_blocks=2, hidden_features=8, max_iter=30, random_state=0)


@pytest.fixture(scope="module")
def client():
    """Two worker processes of one thread."""
    with (
        dask.config.set({"distributed.worker.daemon": False}),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def flow(bulk):
    return clone(FLOW).fit(pd.DataFrame(bulk, columns=["size", "width", "length"]))


def test_arrays(bulk, client):
    detector = clone(FLOW).fit(bulk)
    X = da.from_array(bulk, chunks=(90, 2))
    for method in (detector.score_samples, detector.predict, detector.transform):
        lazy, whole = lazily(method, X), method(bulk)
        assert isinstance(lazy, da.Array)
        assert lazy.shape == whole.shape
        assert lazy.dtype == whole.dtype
        np.testing.assert_allclose(lazy.compute(), whole, rtol=1e-9)
    some = lazily(detector.score_samples, X[X[:, 2] > 1])  # of unknown length
    np.testing.assert_allclose(some.compute(), detector.score_samples(bulk[bulk[:, 2] > 1]))
    none = lazily(detector.transform, X[X[:, 2] > 1e9])
    assert none.compute().shape == (0, 3)


def test_frames(bulk, flow, client):
    frame = pd.DataFrame(bulk, columns=flow.feature_names_in_, index=np.arange(400) * 3)
    X = dd.from_pandas(frame, npartitions=4)
    scores = lazily(flow.score_samples, X)
    assert isinstance(scores, dd.Series)
    expected = pd.Series(flow.score_samples(frame), index=frame.index)
    pd.testing.assert_series_equal(scores.compute(), expected, rtol=1e-9)
    latent = lazily(flow.transform, X).compute()
    assert list(latent) == list(flow.get_feature_names_out())
    np.testing.assert_allclose(latent, flow.transform(frame), rtol=1e-9)
    # Together with the columns it came with, and after a cut that empties partitions.
    flagged = X.assign(label=lazily(flow.predict, X))
    assert (flagged.compute()["label"] == flow.predict(frame)).all()
    kept = lazily(flow.score_samples, X[X["size"] > 1e9]).compute()
    assert len(kept) == 0


def test_nothing_is_computed_before_it_is_asked_for(bulk):
    seen = []

    class Counting(BaseEstimator):
        def score_samples(self, X):
            seen.append(len(X))
            return X.sum(axis=1)

    lazy = lazily(Counting().score_samples, da.from_array(bulk, chunks=(100, 3)))
    assert seen == [1]  # an example, for shape and dtype
    with dask.config.set(scheduler="synchronous"):
        lazy.compute()
    assert seen == [1, 100, 100, 100, 100]


def test_camera_images(client):
    camera = CameraGeometry.hexagonal(5)
    images = make_shower_images(120, camera, random_state=0)
    pipeline = make_pipeline(HillasTransformer(camera), MahalanobisDetector(nan_policy="omit")).fit(
        images
    )
    X = da.from_array(images, chunks=(50, -1))
    parameters = lazily(pipeline[0].transform, X)
    np.testing.assert_allclose(parameters.compute(), pipeline[0].transform(images), rtol=1e-12)
    scores = lazily(pipeline.score_samples, X).compute()
    np.testing.assert_allclose(scores, pipeline.score_samples(images), rtol=1e-9)


def test_searches_and_ensembles(bulk, client):
    search = GridSearchCV(clone(FLOW), {"noise": [0.01, 0.1]}, cv=2)
    ensemble = FlowEnsemble(clone(FLOW), n_estimators=2, random_state=0)
    here = clone(search).fit(bulk), clone(ensemble).fit(bulk)
    with joblib.parallel_backend("dask"):
        search.set_params(n_jobs=-1).fit(bulk)
        ensemble.set_params(n_jobs=-1).fit(bulk)
    for name in ("mean_test_score", "std_test_score"):
        np.testing.assert_allclose(search.cv_results_[name], here[0].cv_results_[name], rtol=1e-6)
    np.testing.assert_allclose(ensemble.score_samples(bulk), here[1].score_samples(bulk), rtol=1e-6)


class Slow(BaseEstimator):
    """Waits before it scores, and tells in a file that it has begun."""

    def __init__(self, detector, folder):
        self.detector = detector
        self.folder = folder

    def score_samples(self, X):
        if len(X) > 1:
            (self.folder / f"{os.getpid()}-{time.monotonic_ns()}").touch()
            time.sleep(0.2)
        return self.detector.score_samples(X)


def test_a_worker_is_killed_in_the_middle(bulk, flow, client, tmp_path):
    """Its tasks are done again by others; the scores are the same."""
    detector = clone(FLOW).fit(bulk)
    X = da.from_array(np.tile(bulk, (4, 1)), chunks=(100, 3))
    future = client.compute(lazily(Slow(detector, tmp_path).score_samples, X))
    while len(begun := list(tmp_path.iterdir())) < 6:
        time.sleep(0.01)
    pid = int(begun[0].name.partition("-")[0])
    assert pid in client.run(os.getpid).values()
    os.kill(pid, signal.SIGKILL)
    np.testing.assert_allclose(future.result(60), np.tile(detector.score_samples(bulk), 4))
    assert pid not in client.run(os.getpid).values()
    assert len(list(tmp_path.iterdir())) >= 16


def test_what_is_not_of_dask(bulk):
    with pytest.raises(TypeError, match="X must be a Dask array or data frame; got ndarray"):
        lazily(MahalanobisDetector().fit(bulk).score_samples, bulk)
