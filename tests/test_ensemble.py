"""FlowEnsemble: the mean of densities, of several seeds or widths, with or without contrast."""

import numpy as np
import pytest
from scipy.special import logsumexp

from skflow import (
    AutoencoderDetector,
    ContrastiveFlowDetector,
    FlowEnsemble,
    MahalanobisDetector,
    RealNVPOutlierDetector,
)

X = np.random.RandomState(0).normal(size=(400, 3))
FLOW = RealNVPOutlierDetector(hidden_features=16, n_blocks=2, max_iter=40)


def test_mean_of_the_densities():
    ensemble = FlowEnsemble(FLOW, n_estimators=3, random_state=0).fit(X)
    members = [member.score_samples(X) for member in ensemble.estimators_]
    assert len({member.seed_ for member in ensemble.estimators_}) == 3
    np.testing.assert_allclose(ensemble.score_samples(X), logsumexp(members, axis=0) - np.log(3))
    # Jensen's inequality
    assert ensemble.score(X) >= np.mean([scores.mean() for scores in members])
    assert 0.01 < (ensemble.predict(X) == -1).mean() < 0.15


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_same_seed_same_ensemble(n_jobs):
    expected = FlowEnsemble(FLOW, n_estimators=2, random_state=0).fit(X).score_samples(X)
    again = FlowEnsemble(FLOW, n_estimators=2, random_state=0, n_jobs=n_jobs).fit(X)
    np.testing.assert_array_equal(again.score_samples(X), expected)
    other = FlowEnsemble(FLOW, n_estimators=2, random_state=1).fit(X)
    assert not np.array_equal(other.score_samples(X), expected)


def test_a_list_is_gone_through_in_turn():
    kinds = [FLOW, MahalanobisDetector()]
    ensemble = FlowEnsemble(kinds, n_estimators=3, random_state=0, contamination=0.1).fit(X)
    names = [type(member).__name__ for member in ensemble.estimators_]
    assert names == ["RealNVPOutlierDetector", "MahalanobisDetector", "RealNVPOutlierDetector"]
    assert (ensemble.predict(X) == -1).mean() == pytest.approx(0.1, abs=0.01)
    assert np.isfinite(ensemble.score(X))
    assert not hasattr(FlowEnsemble([FLOW, AutoencoderDetector()]), "score")
    assert FlowEnsemble().fit(X[:30]).n_estimators == 4


def test_known_anomalies_reach_members_that_learn_from_them():
    rng = np.random.RandomState(1)
    rare = 1.5 + 0.3 * rng.normal(size=(60, 3))
    y = np.repeat([1, -1], [400, 60])
    ensemble = FlowEnsemble(
        ContrastiveFlowDetector(max_iter=200), n_estimators=2, random_state=0
    ).fit(np.vstack([X, rare]), y)
    scores = ensemble.score_samples([[1.5] * 3, [-1.5] * 3])
    assert scores[0] < scores[1] - 5


@pytest.mark.parametrize("estimator", [[], [FLOW, "realnvp"]])
def test_what_is_no_detector(estimator):
    with pytest.raises(ValueError, match="estimator must be a skflow detector or a list of at"):
        FlowEnsemble(estimator).fit(X)
    with pytest.raises(ValueError, match="'max_iter' parameter"):
        FlowEnsemble(RealNVPOutlierDetector(max_iter=-1)).fit(X)
