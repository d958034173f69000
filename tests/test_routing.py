"""Decisions inside scikit-learn's own machinery: metadata routing and permutation importance."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.ensemble import IsolationForest
from sklearn.inspection import permutation_importance
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skflow import MahalanobisDetector
from skflow.calibration import ConformalDetector
from skflow.metrics import get_scorer


@pytest.fixture
def grouped():
    """Two telescopes, the second of which has wider distributions."""
    rng = np.random.RandomState(0)
    groups = rng.choice(["north", "south"], 4000)
    return rng.normal(size=(4000, 2)) * np.where(groups == "south", 3, 1)[:, None], groups


def rates(flagged, groups):
    return [np.mean(flagged[groups == name]) for name in ("north", "south")]


def test_calibration_groups_through_a_pipeline(grouped):
    X, groups = grouped
    conformal = ConformalDetector(IsolationForest(random_state=0), alpha=0.1, random_state=0)
    pipeline = Pipeline([("scale", StandardScaler()), ("conformal", conformal)])
    pipeline.fit(X[:2000], conformal__calibration_groups=groups[:2000])
    flagged = pipeline.predict(X[2000:], calibration_groups=groups[2000:]) == -1
    assert rates(flagged, groups[2000:]) == pytest.approx([0.1, 0.1], abs=0.045)
    pipeline.fit(X[:2000])
    without = rates(pipeline.predict(X[2000:]) == -1, groups[2000:])
    assert without[0] < 0.03
    assert without[1] > 0.15


def test_calibration_groups_are_routed(grouped):
    X, groups = grouped
    with config_context(enable_metadata_routing=True):
        conformal = ConformalDetector(IsolationForest(random_state=0), alpha=0.1, random_state=0)
        conformal.set_fit_request(calibration_groups=True)
        conformal.set_predict_request(calibration_groups=True)
        pipeline = Pipeline([("scale", StandardScaler()), ("conformal", conformal)])
        pipeline.fit(X[:2000], calibration_groups=groups[:2000])
        flagged = pipeline.predict(X[2000:], calibration_groups=groups[2000:]) == -1
    assert rates(flagged, groups[2000:]) == pytest.approx([0.1, 0.1], abs=0.045)
    np.testing.assert_array_equal(pipeline[-1].groups_, ["north", "south"])


def test_permutation_importance():
    """Of three features the second alone has anomalies."""
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(600, 3)), np.repeat([1, -1], [550, 50])
    X[y == -1, 1] *= 6
    detector = ConformalDetector(MahalanobisDetector(), random_state=0).fit(X, y)
    for name in ("roc_auc", "average_precision", "tpr_at_fpr"):
        found = permutation_importance(
            detector, X, y, scoring=get_scorer(name), n_repeats=5, random_state=0
        )
        assert found.importances_mean.argmax() == 1
        assert found.importances_mean[1] > 0.15
        assert np.abs(found.importances_mean[[0, 2]]).max() < 0.1
