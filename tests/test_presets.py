"""flow=: presets, callables, other libraries' flows, names, and what can be saved."""

import copy
import pickle

import numpy as np
import pytest
import torch
import zuko

from skflow import ContrastiveFlowDetector, RealNVPOutlierDetector
from skflow.flows import _presets, register_flow, spline

X = np.random.RandomState(0).normal(size=(300, 3)) * [1, 10, 0.1]


def zuko_flow(n_features, n_conditions=0):
    return zuko.flows.NSF(n_features, n_conditions, transforms=2, hidden_features=(16, 16))


class Normal(torch.nn.Module):
    """As nflows and normflows: log_prob, and no distribution."""

    def __init__(self, n_features):
        super().__init__()
        self.mean = torch.nn.Parameter(torch.zeros(n_features))

    def log_prob(self, x):
        return torch.distributions.Normal(self.mean, 1.0).log_prob(x).sum(dim=1)


@pytest.fixture
def registry(monkeypatch):
    monkeypatch.setattr(_presets, "_FLOWS", dict(_presets._FLOWS))


def fitted(**parameters):
    return RealNVPOutlierDetector(**{"max_iter": 30, "random_state": 0, **parameters}).fit(X)


@pytest.mark.parametrize("Detector", [RealNVPOutlierDetector, ContrastiveFlowDetector])
@pytest.mark.parametrize(
    "flow", ["realnvp", "spline", zuko_flow], ids=["realnvp", "spline", "zuko"]
)
def test_every_flow_in_every_detector(Detector, flow):
    before = torch.random.get_rng_state()
    detectors = [
        Detector(flow=flow, n_blocks=2, hidden_features=16, max_iter=40, random_state=0).fit(X)
        for _ in range(2)
    ]
    scores = detectors[0].score_samples(X)
    np.testing.assert_array_equal(scores, detectors[1].score_samples(X))
    assert scores[0] > detectors[0].score_samples([[50, 500, 5]])[0]
    assert detectors[0].transform(X).shape == (300, 3)
    np.testing.assert_array_equal(detectors[0].sample(4, 1), detectors[1].sample(4, 1))
    assert torch.random.get_rng_state().equal(before)


def test_a_foreign_flow_learns_the_density():
    log_density = -0.5 * ((X / [1, 10, 0.1]) ** 2).sum(axis=1) - 1.5 * np.log(2 * np.pi)
    detector = fitted(flow=zuko_flow, max_iter=200)
    assert detector.score(X) == pytest.approx(log_density.mean(), abs=0.2)
    # Different seeds start from different weights.
    assert not np.array_equal(
        detector.score_samples(X), fitted(flow=zuko_flow, random_state=1).score_samples(X)
    )


def test_a_conditional_foreign_flow():
    detector = fitted(flow=zuko_flow, condition=[2])
    assert detector.transform(X).shape == (300, 2)
    assert detector.sample(5, 0, [0.1]).shape == (5, 3)


def test_a_module_with_log_prob_alone():
    detector = fitted(flow=Normal)
    assert detector.score_samples(X).shape == (300,)
    with pytest.raises(TypeError, match="need a flow whose distribution has a transform"):
        detector.transform(X)


def test_a_callable_may_use_skflow():
    detector = fitted(flow=lambda d: spline(d, n_blocks=1, hidden_features=8))
    assert detector.transform(X).shape == (300, 3)


def test_warm_start_goes_on_with_a_foreign_flow():
    detector = fitted(flow=zuko_flow, warm_start=True)
    first = detector.score(X)
    detector.fit(X)
    assert detector.n_iter_ == 60
    assert detector.score(X) != first


def test_saving_an_unregistered_flow_is_refused(registry):
    detector = fitted(flow=zuko_flow)
    with pytest.raises(TypeError, match=r"cannot be saved.*register_flow\(name, factory\)"):
        pickle.dumps(detector)
    pickle.dumps(RealNVPOutlierDetector(flow=zuko_flow))  # nothing fitted is lost or mistaken


def test_a_registered_flow_is_saved_by_its_name(registry, monkeypatch):
    detector = fitted(flow=zuko_flow)
    register_flow("my-nsf", zuko_flow)
    saved = pickle.dumps(detector)
    assert b"zuko_flow" not in saved
    loaded = pickle.loads(saved)
    assert loaded.flow == "my-nsf"
    np.testing.assert_array_equal(loaded.score_samples(X), detector.score_samples(X))
    np.testing.assert_array_equal(
        copy.deepcopy(detector).score_samples(X), detector.score_samples(X)
    )
    np.testing.assert_array_equal(fitted(flow="my-nsf").score_samples(X), detector.score_samples(X))
    monkeypatch.delitem(_presets._FLOWS, "my-nsf")
    with pytest.raises(ValueError, match=r"flow must be one of.*register_flow.*got 'my-nsf'"):
        pickle.loads(saved).score_samples(X)


def test_names_are_unique(registry):
    register_flow("my-nsf", zuko_flow)
    register_flow("my-nsf", zuko_flow)  # the same again changes nothing
    with pytest.raises(ValueError, match="name must be new; 'my-nsf' is already the name of"):
        register_flow("my-nsf", Normal)
    with pytest.raises(ValueError, match="name must not be one of the presets"):
        register_flow("spline", Normal)


@pytest.mark.parametrize(
    ("flow", "error", "message"),
    [
        ("maf", ValueError, r"flow must be one of \['realnvp', 'spline'\].*got 'maf'"),
        (lambda d: "no module", TypeError, r"must return a torch.nn.Module.*got str"),
        (
            lambda d: spline(d + 1),
            ValueError,
            "a flow of 3 features and 0 cond.*of 4",
        ),
        (3, ValueError, "'flow' parameter"),
    ],
    ids=["name", "no module", "width", "number"],
)
def test_what_is_no_flow(flow, error, message):
    detector = RealNVPOutlierDetector(flow=flow)
    with pytest.raises(error, match=message):
        detector.fit(X)
    assert not hasattr(detector, "weights_")
