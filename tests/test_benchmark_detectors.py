"""Detectors of the benchmark: every name works, and the peers written here are what they say."""

import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

import skflow
from skflow.benchmark import _detectors, detector_names, make_detector
from skflow.benchmark._peers import (
    EPSILON,
    DTENPDetector,
    PlanarFlowDetector,
    SklearnDetector,
    planar_layers,
)
from skflow.detectors._mlp import BalancedMLPClassifier

CLASSIFIERS = ["logistic regression", "random forest", "extra-trees", "boosting", "MLP"]
#: What keeps the slow ones quick; all others run with their defaults.
QUICK = {
    "RealNVPOutlierDetector": {"max_iter": 100},
    "FlowEnsemble": {"n_estimators": 1},
    "ContrastiveFlowDetector": {"max_iter": 100},
    "AutoencoderDetector": {"max_iter": 100},
    "AutoEncoder": {"epoch_num": 3},
    "VAE": {"epoch_num": 3},
    "DeepSVDD": {"epochs": 3},
    "LUNAR": {"n_epochs": 5},
    "DIF": {"n_ensemble": 5},
    "INNE": {"n_estimators": 50},
    "PlanarFlow": {"n_epochs": 20},
    "PlanarFlow (-log det)": {"n_epochs": 20},
    "ICL": {"epochs": 20, "n_ensemble": 1},
    "GOAD": {"epochs": 1, "n_trans": 8},
}


@pytest.fixture(scope="module")
def blobs():
    """200 rows in different units, and 20 far away."""
    X, _ = make_blobs(200, n_features=4, centers=3, random_state=0)
    far = np.random.RandomState(0).normal(size=(20, 4)) + [60, -60, 60, 60]
    return np.vstack([X, far]) * [1, 10, 100, 1000], np.repeat([1, -1], [200, 20])


@pytest.mark.filterwarnings("ignore:the score that:UserWarning")
@pytest.mark.parametrize("name", detector_names())
def test_every_detector(blobs, name):
    X, y = blobs
    states = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()
    detector = make_detector(name, QUICK.get(name, {}), random_state=0, n_features=4)
    assert isinstance(detector["scaler"], StandardScaler)
    if name in CLASSIFIERS:
        # Half of the anomalies are known.
        detector.fit(X[:210], y[:210])
        score = detector.predict_proba(X)[:, list(detector.classes_).index(-1)]
        assert (detector.predict(X) == y).mean() > 0.95
    else:
        # Known anomalies in training are left out, or learned from.
        detector.fit(X[:205], y[:205])
        score = -detector.score_samples(X)
    assert np.isfinite(score).all()
    # GOAD and the log-determinant alone need not see what is far away.
    if name not in ("GOAD", "PlanarFlow (-log det)"):
        assert roc_auc_score(y == -1, score) > 0.9
    assert random.getstate() == states[0]
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])
    assert torch.equal(torch.get_rng_state(), states[2])


@pytest.mark.parametrize("name", ["sklearn IsolationForest", "PlanarFlow", "MLP", "IForest", "ICL"])
def test_seeds(blobs, name):
    X, y = blobs

    def scores(seed, **params):
        detector = make_detector(
            name, QUICK.get(name, {}) | params, random_state=seed, n_features=4
        )
        detector.fit(X, y)
        return detector.predict_proba(X)[:, 0] if name == "MLP" else detector.score_samples(X)

    np.testing.assert_array_equal(scores(0), scores(0))
    assert not np.array_equal(scores(0), scores(1))
    np.testing.assert_array_equal(scores(1, random_state=0), scores(0))


def test_names():
    names = detector_names()
    assert len(names) == len(set(names)) == 9 + 3 + 17 + 6 + 2 + 7
    own = {name for name in skflow.__all__ if hasattr(getattr(skflow, name), "fit")}
    assert {name for name in own if name.endswith(("Detector", "Ensemble"))} >= set(names[:5])
    with pytest.raises(ValueError, match="got 'RealNVP'; did you mean 'RealNVPOutlierDetector'"):
        make_detector("RealNVP", random_state=0, n_features=3)


def test_parameters_reach_the_detector():
    knn = make_detector("KNN", {"n_neighbors": 9}, random_state=0, n_features=3)
    assert knn["detector"].estimator.n_neighbors == 9
    assert knn["detector"].contamination == 0.1
    svdd = make_detector("DeepSVDD", random_state=0, n_features=3)
    assert svdd["detector"].estimator.n_features == 3
    with pytest.raises(TypeError, match="n_neighbour"):
        make_detector("KNN", {"n_neighbour": 9}, random_state=0, n_features=3)


def test_a_missing_package(monkeypatch):
    entry = _detectors.Entry("no_such_package.models", "ICL", _detectors._deepod)
    monkeypatch.setitem(_detectors.REGISTRY, "ICL", entry)
    with pytest.raises(ImportError, match=r"ICL needs no_such_package.*skflow-detect\[bench\]"):
        make_detector("ICL", random_state=0, n_features=3)


def test_packages_are_imported_only_when_asked_for():
    code = "import skflow.benchmark, sys; print({'pyod', 'deepod', 'pooch'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


def test_dte_np_by_hand(blobs):
    X = blobs[0][:200]
    detector = DTENPDetector().fit(X[:150])
    distances = np.sort(np.linalg.norm(X[:, None] - X[None, :150], axis=2), axis=1)
    np.testing.assert_allclose(detector.anomaly_score(X), distances[:, :5].mean(axis=1))
    few = DTENPDetector(n_neighbors=10).fit(X[:3])
    nearest = NearestNeighbors(n_neighbors=3).fit(X[:3]).kneighbors(X)[0]
    np.testing.assert_allclose(few.anomaly_score(X), nearest.mean(axis=1))


def test_sklearn_detectors_leave_known_anomalies_out(blobs):
    X, y = blobs
    forest = make_detector("sklearn LOF", random_state=0, n_features=4)["detector"].estimator
    np.testing.assert_array_equal(
        SklearnDetector(forest).fit(X, y).score_samples(X),
        clone(forest).fit(X[y == 1]).score_samples(X),
    )


@pytest.fixture(scope="module")
def ring():
    """A planar flow fitted to a half ring, which leaves it invertible."""
    angle = np.random.RandomState(0).uniform(0, np.pi, 500)
    X = np.column_stack([np.cos(angle), np.sin(angle) - 0.6]) * 1.2
    X += 0.15 * np.random.RandomState(1).normal(size=X.shape)
    flow = PlanarFlowDetector(n_epochs=60, random_state=0).fit(X)
    w, u, _ = flow.weights_
    assert ((w * u).sum(axis=1) > -1).all()
    assert np.abs(w).max() > 0.3
    return flow, X


def test_planar_log_det_is_that_of_the_jacobian(ring):
    flow, X = ring
    weights = [torch.as_tensor(weight) for weight in flow.weights_]
    rows = torch.as_tensor(X[:20])

    def latent(row):
        return planar_layers(row[None], *weights)[0][0]

    expected = [torch.autograd.functional.jacobian(latent, row).slogdet()[1] for row in rows]
    z, log_det = planar_layers(rows, *weights)
    np.testing.assert_allclose(log_det, expected, atol=100 * EPSILON)
    density = PlanarFlowDetector.score_samples(flow, X[:20])
    np.testing.assert_allclose(density, norm.logpdf(z).sum(axis=1) + expected, atol=1e-4)
    alone = clone(flow).set_params(score="log_det").fit(X)
    np.testing.assert_allclose(alone.score_samples(X[:20]), expected, atol=1e-4)


def test_planar_density_integrates_to_one(ring):
    flow, X = ring
    axis, step = np.linspace(-8, 8, 500, retstep=True)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    assert np.exp(flow.score_samples(grid)).sum() * step**2 == pytest.approx(1, abs=1e-3)
    normal = norm.logpdf(X, X.mean(axis=0), X.std(axis=0)).sum(axis=1).mean()
    assert flow.score_samples(X).mean() > normal


def test_planar_score_is_one_of_two(ring):
    with pytest.raises(ValueError, match="score must be 'log_prob' or 'log_det'; got 'det'"):
        PlanarFlowDetector(score="det").fit(ring[1])


def test_the_perceptron_is_balanced():
    """Without balance, a rare class of 1 % in the bulk's midst is never predicted."""
    rng = np.random.RandomState(0)
    X = np.concatenate([rng.normal(size=2000), rng.normal(1.5, 0.2, size=20)])[:, None]
    y = np.repeat([1, -1], [2000, 20])
    model = BalancedMLPClassifier(random_state=0).fit(X, y)
    assert (model.predict(X[2000:]) == -1).mean() > 0.8
    assert model.model_.t_ == 300 * 256
    with pytest.raises(ValueError, match="y must hold at least two classes"):
        BalancedMLPClassifier().fit(X, np.ones(2020))


def test_devnet_is_repaired():
    """PyOD's pairs all outputs with all labels, and fails on 512 rows and one."""
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(513, 3)), np.repeat([1, -1], [493, 20])
    X[y == -1, 0] += 3
    detector = make_detector("DevNet", random_state=0, n_features=3).fit(X, y)
    new, label = rng.normal(size=(200, 3)), np.repeat([1, -1], 100)
    new[label == -1, 0] += 3
    assert roc_auc_score(label == -1, -detector.score_samples(new)) > 0.7  # ranked last before
    assert detector.score_samples(new[:1]).shape == (1,)
