"""FlowNeighborsDetector: neighbours by hand, thresholds, trimming; and the trimmed likelihood."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from skflow import (
    AutoencoderDetector,
    FlowNeighborsDetector,
    MahalanobisDetector,
    RealNVPOutlierDetector,
)
from skflow.metrics import roc_auc_score
from skflow.objectives import Likelihood
from skflow.training import Batch

FLOW = RealNVPOutlierDetector(hidden_features=16, n_blocks=2, max_iter=40, noise=0.3)


@pytest.fixture
def rings():
    """Two rings, the bulk, and points between them; a third column is heavy-tailed noise."""
    rng = np.random.RandomState(0)
    angle = rng.uniform(0, 2 * np.pi, 1000)
    radius = np.where(np.arange(1000) % 2, 1.0, 3.0) + 0.1 * rng.normal(size=1000)
    bulk = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    angle = rng.uniform(0, 2 * np.pi, 100)
    between = 2 * np.column_stack([np.cos(angle), np.sin(angle)])
    X = np.column_stack([np.vstack([bulk, between]), rng.standard_t(2, size=1100)])
    return X, np.repeat([1, -1], [1000, 100])


def test_scores_by_hand(bulk):
    detector = FlowNeighborsDetector(FLOW, random_state=0).fit(bulk)
    new = bulk[:30] + np.array([700.0, 1e-3, 0.5])

    def standardized(x, by):
        return (x - by.mean(axis=0)) / by.std(axis=0)

    pairs = [(standardized(new, bulk), standardized(bulk, bulk))]
    pairs.append(tuple(map(np.arcsinh, pairs[0])))
    pairs = [(x / np.ptp(y, axis=0), y / np.ptp(y, axis=0)) for x, y in pairs]
    pairs.append(tuple(map(detector.estimator_.transform, (new, bulk))))
    nearest = [np.sort(cdist(x, y))[:, :5] for x, y in pairs]
    expected = [np.log(distances.mean(axis=1)) for distances in nearest]
    np.testing.assert_allclose(detector.score_samples(new), -np.mean(expected, axis=0), rtol=1e-9)


def test_all_coordinate_systems_and_the_flow_count(rings):
    X, y = rings
    detector = FlowNeighborsDetector(random_state=0).fit(X, y)
    scores = detector.anomaly_score(X)
    assert roc_auc_score(y, scores) > 0.93
    assert roc_auc_score(y, MahalanobisDetector().fit(X, y).anomaly_score(X)) < 0.6
    # Rows with y = -1 are no neighbours.
    assert [len(part._fit_X) for part in detector.neighbors_] == [1000] * 3
    other = FlowNeighborsDetector(random_state=1).fit(X, y)
    assert not np.array_equal(other.anomaly_score(X), scores)


def test_auto_threshold_flags_5_percent_of_new_rows():
    """Held-out rows are among the neighbours, so each must be scored without itself."""
    rng = np.random.RandomState(0)
    shares = []
    for seed in range(5):
        detector = FlowNeighborsDetector(FLOW, random_state=seed).fit(rng.normal(size=(2000, 4)))
        shares.append((detector.predict(rng.normal(size=(2000, 4))) == -1).mean())
    assert np.mean(shares) == pytest.approx(0.05, abs=0.015)


def test_auto_threshold_with_trimmed_rows():
    """Held-out rows that were trimmed are no neighbours: their nearest one is another row."""
    X = np.random.RandomState(0).normal(size=(400, 2))
    detector = FlowNeighborsDetector(FLOW, trim=0.4, n_neighbors=1, random_state=0).fit(X)
    neighbors = {tuple(row) for row in detector.neighbors_[2]._fit_X}
    is_kept = np.array([tuple(row) in neighbors for row in detector.estimator_.transform(X)])
    assert is_kept.sum() == 240
    scores = detector._held_out_scores(X)
    np.testing.assert_array_equal(scores[~is_kept], detector.score_samples(X[~is_kept]))
    assert (scores[is_kept] < detector.score_samples(X[is_kept])).all()


def test_default_flow_follows_the_rows():
    X = np.random.RandomState(0).normal(size=(2000, 2)) * [1.0, 1000.0]
    X[0, 0] = 100.0  # a tail
    small = FlowNeighborsDetector(trim=0.1, random_state=0).fit(X[:1999]).estimator_
    assert (small.n_blocks, small.max_iter, small.batch_size, small.trim) == (4, 60, 128, 0.1)
    large = FlowNeighborsDetector(random_state=0).fit(X).estimator_
    assert (large.hidden_features, large.max_iter, large.batch_size, large.trim) == (
        64,
        223,
        256,
        0,
    )
    z = X / X.std(axis=0)
    np.testing.assert_allclose(large.noise, 0.03 * np.ptp(z, axis=0))
    central = np.diff(np.quantile(z[:1999], [0.05, 0.95], axis=0), axis=0)[0]
    np.testing.assert_allclose(small.noise, 0.03 * central, rtol=1e-3)


def test_number_of_neighbours_with_and_without_trimming(bulk):
    detector = FlowNeighborsDetector(FLOW, random_state=0)
    assert detector.fit(bulk).n_neighbors_ == 5
    assert detector.set_params(trim=0.1).fit(bulk).n_neighbors_ == 32


@pytest.mark.parametrize("n_samples", [2, 3, 15])
def test_few_rows(n_samples):
    X = np.random.RandomState(0).normal(size=(n_samples, 2))
    detector = FlowNeighborsDetector(FLOW, n_neighbors=50, random_state=0).fit(X)
    assert detector.n_neighbors_ == n_samples - 1
    assert np.isfinite(detector.score_samples(X)).all()


def test_equal_and_extreme_rows():
    X = np.random.RandomState(0).randint(3, size=(200, 2)).astype(float)
    detector = FlowNeighborsDetector(FLOW, random_state=0).fit(X)
    scores = detector.score_samples([[1.0, 1.0], [1.5, 1.5], [40.0, -40.0], [1e308, -1e308]])
    assert np.isfinite(scores).all()
    assert (np.diff(scores) < 0).all()


@pytest.mark.parametrize("make", [RealNVPOutlierDetector, FlowNeighborsDetector])
def test_trimming_forgets_anomalies_in_training(make):
    """One training row in ten lies in a tight cluster far from the bulk."""
    rng = np.random.RandomState(0)
    X = np.vstack([rng.normal(size=(1800, 3)), 4 + 0.1 * rng.normal(size=(200, 3))])
    y = np.repeat([1, -1], [1800, 200])
    taught = make(random_state=0).fit(X).anomaly_score(X)
    trimmed = make(trim=0.15, random_state=0).fit(X).anomaly_score(X)
    assert roc_auc_score(y, taught) < 0.9
    assert roc_auc_score(y, trimmed) > 0.98


def test_trimmed_rows_are_no_neighbours(bulk):
    detector = FlowNeighborsDetector(FLOW, trim=0.1, random_state=0).fit(bulk)
    assert [len(part._fit_X) for part in detector.neighbors_] == [360] * 3
    density = detector.estimator_.score_samples(bulk)
    kept = density >= np.sort(density)[40]
    np.testing.assert_allclose(
        np.sort(detector.neighbors_[2]._fit_X, axis=0),
        np.sort(detector.estimator_.transform(bulk[kept]), axis=0),
    )


def test_trimmed_likelihood_by_hand():
    class Known(torch.nn.Module):
        def log_prob(self, x):
            return x[:, 0]

    batch = Batch(torch.tensor([[-1.0], [-9.0], [-2.0], [-3.0]]))
    assert Likelihood()(Known(), batch).item() == pytest.approx(15 / 4)
    assert Likelihood(0.25)(Known(), batch).item() == pytest.approx(2.0)
    assert Likelihood(0.2)(Known(), batch).item() == pytest.approx(15 / 4)  # not a whole row


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"estimator": MahalanobisDetector()}, "'estimator' parameter"),
        ({"estimator": AutoencoderDetector()}, "'estimator' parameter"),
        ({"n_neighbors": 0}, "'n_neighbors' parameter"),
        ({"n_neighbors": "all"}, "'n_neighbors' parameter"),
        ({"trim": 0.5}, "'trim' parameter"),
    ],
)
def test_refuses(parameters, message):
    with pytest.raises(ValueError, match=message):
        FlowNeighborsDetector(**parameters).fit(np.zeros((5, 2)))
