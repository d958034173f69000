"""RealNVPOutlierDetector: density, samples, latent coordinates, real data."""

import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.stats import ks_2samp, multivariate_normal

from skflow import RealNVPOutlierDetector
from skflow.benchmark import one_class_split
from skflow.datasets import fetch_magic
from skflow.metrics import roc_auc_score


@pytest.fixture(scope="module")
def banana():
    """Rows and log-density of x ~ N(0, 1), y ~ N(x^2, 0.5^2), in unequal units."""
    rng = np.random.RandomState(0)
    x = rng.normal(size=6000)
    X = np.column_stack([1000 * x, x**2 + 0.5 * rng.normal(size=6000)])
    log_density = (
        multivariate_normal(0, 1).logpdf(x)
        + multivariate_normal(0, 0.25).logpdf(X[:, 1] - x**2)
        - np.log(1000)
    )
    return X, log_density


@pytest.fixture(scope="module")
def detector(banana):
    return RealNVPOutlierDetector(random_state=0).fit(banana[0][:5000])


def test_learns_a_density_in_the_units_of_X(detector, banana):
    X, log_density = banana
    # The mean difference is the Kullback-Leibler divergence, in nats.
    divergence = log_density[5000:].mean() - detector.score(X[5000:])
    assert -0.02 < divergence < 0.08
    assert divergence == pytest.approx(
        np.mean(log_density[5000:] - detector.score_samples(X[5000:]))
    )


def test_score_leaves_known_anomalies_out(detector, banana):
    X = banana[0][5000:]
    y = np.where(X[:, 1] > 2, -1, 1)
    assert detector.score(X, y) == pytest.approx(detector.score_samples(X[y == 1]).mean())


def test_samples_follow_the_data(detector, banana):
    sample = detector.sample(1000, random_state=0)
    assert sample.shape == (1000, 2)
    for k in range(2):
        assert ks_2samp(sample[:, k], banana[0][5000:, k]).statistic < 0.08
    np.testing.assert_array_equal(sample, detector.sample(1000, random_state=0))
    assert not np.array_equal(sample, detector.sample(1000, random_state=1))
    assert detector.sample().shape == (1, 2)
    with pytest.raises(ValueError, match="n_samples must be an integer of at least 1; got 0"):
        detector.sample(0)
    with pytest.raises(ValueError, match="random_state must be an int"):
        detector.sample(3, np.random.default_rng())
    assert detector.sample(5000, random_state=0).shape == (5000, 2)  # more than one chunk


def test_latent_coordinates_are_standard_normal(detector, banana):
    Z = detector.transform(banana[0][5000:])
    assert Z.shape == (1000, 2)
    np.testing.assert_allclose(Z.mean(axis=0), 0, atol=0.15)
    np.testing.assert_allclose(Z.std(axis=0), 1, atol=0.15)
    assert abs(np.corrcoef(Z.T)[0, 1]) < 0.15


@pytest.mark.parametrize(("kind", "frame"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame)])
def test_latent_frames_have_names(detector, banana, kind, frame):
    names = ["realnvpoutlierdetector0", "realnvpoutlierdetector1"]
    assert list(detector.get_feature_names_out()) == names
    Z = detector.set_output(transform=kind).transform(banana[0][:5])
    detector.set_output(transform="default")
    assert isinstance(Z, frame)
    assert list(Z.columns) == names


def test_transform_leaves_nan_where_nothing_can_be_said(banana):
    detector = RealNVPOutlierDetector(max_iter=5, nan_policy="omit").fit(banana[0])
    Z = detector.transform([[np.nan, 0.0], [0.0, 0.0]])
    assert np.isnan(Z[0]).all()
    assert np.isfinite(Z[1]).all()


def test_magic(data_folder):
    """The main job's quality on one split, with room below the benchmark's mean."""
    X, y = fetch_magic(bulk="gamma", return_X_y=True)
    train, test = one_class_split(X, y, random_state=0)
    detector = RealNVPOutlierDetector(random_state=0).fit(X[train])
    assert roc_auc_score(y[test], detector.anomaly_score(X[test])) > 0.87
    # A threshold from held-out rows keeps its promise on fresh bulk rows.
    flagged = (detector.predict(X[test][y[test] == 1]) == -1).mean()
    assert flagged == pytest.approx(0.05, abs=0.02)


@pytest.mark.parametrize("chunk_rows", [64, 1000])
def test_scores_do_not_depend_on_chunks(detector, banana, monkeypatch, chunk_rows):
    X = banana[0]
    scores = detector.score_samples(X)
    pieces = [detector.score_samples(part) for part in np.array_split(X, 7)]
    np.testing.assert_allclose(np.concatenate(pieces), scores, rtol=0, atol=1e-9)
    monkeypatch.setattr("skflow.detectors._torch.CHUNK_ROWS", chunk_rows)
    monkeypatch.setattr("skflow.flows._fused.CACHED_ROWS", chunk_rows // 2)
    np.testing.assert_allclose(detector.score_samples(X), scores, rtol=0, atol=1e-9)


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory has another unit elsewhere")
def test_a_million_rows_in_bounded_memory():
    """Less than 500 MB above the input, in a process of its own; less even than the input."""
    code = """
import resource
import subprocess
import sys

import numpy as np
from skflow import RealNVPOutlierDetector
X = np.random.RandomState(0).normal(size=(1_000_000, 10))
detector = RealNVPOutlierDetector(n_blocks=2, hidden_features=32, max_iter=5).fit(X[:1000])
detector.score_samples(X[:10_000])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
scores = detector.score_samples(X)
assert np.isfinite(scores).all()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 80_000  # kB


def test_scoring_again_builds_nothing(detector, banana, monkeypatch):
    """Row by row, as events come in: the network is built once."""
    first = detector.score_samples(banana[0][:1])
    monkeypatch.setattr(detector, "_rebuilt", None)
    np.testing.assert_array_equal(detector.score_samples(banana[0][:1]), first)
    monkeypatch.undo()
    other = RealNVPOutlierDetector(max_iter=5, random_state=1).fit(banana[0])
    before = other.score_samples(banana[0][:5])
    other.set_params(random_state=2).fit(banana[0])
    assert not np.array_equal(other.score_samples(banana[0][:5]), before)
