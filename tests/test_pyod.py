"""PyODDetector keeps the contract with PyOD's own detectors inside."""

import random
import warnings

import numpy as np
import pytest
import torch
from pyod.models.abod import ABOD
from pyod.models.auto_encoder import AutoEncoder
from pyod.models.copod import COPOD
from pyod.models.deep_svdd import DeepSVDD
from pyod.models.ecod import ECOD
from pyod.models.iforest import IForest
from pyod.models.kde import KDE
from pyod.models.knn import KNN
from pyod.models.lof import LOF
from pyod.models.mcd import MCD
from pyod.models.pca import PCA
from pyod.models.rod import ROD
from pyod.models.sos import SOS
from pyod.models.vae import VAE
from sklearn.base import clone
from sklearn.ensemble import IsolationForest

from skflow import MahalanobisDetector
from skflow.interop import PyODDetector
from skflow.metrics import roc_auc_score

DETECTORS = [
    PCA(),
    KDE(),
    KNN(),
    LOF(),
    ABOD(),
    MCD(),
    IForest(),
    ECOD(),
    COPOD(),
    AutoEncoder(epoch_num=2, verbose=0),
    DeepSVDD(n_features=3, epochs=2, verbose=0),
]


@pytest.mark.filterwarnings("ignore:the score that:UserWarning")
@pytest.mark.parametrize("estimator", DETECTORS, ids=lambda e: type(e).__name__)
def test_signs_labels_seeds_and_globals(estimator, labelled):
    X, y = labelled
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    states = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    detector = PyODDetector(estimator, contamination=0.1, random_state=0).fit(X, y)
    scores = detector.score_samples(X)
    assert torch.random.get_rng_state().equal(states[0])
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])
    np.testing.assert_allclose(scores, -detector.estimator_.decision_function(X))
    assert roc_auc_score(y, -scores) > 0.6
    assert set(detector.predict(X)) == {-1, 1}
    # Only bulk rows train, the given instance stays unfitted, the same seed repeats.
    assert len(detector.estimator_.decision_scores_) == (y == 1).sum()
    assert getattr(estimator, "decision_scores_", None) is None
    again = clone(detector).fit(X, y).score_samples(X)
    np.testing.assert_array_equal(again, scores)


@pytest.mark.parametrize(
    "estimator", [ECOD(), COPOD(), KNN(), ROD(), SOS(), IForest()], ids=lambda e: type(e).__name__
)
def test_says_whether_scores_depend_on_the_batch(estimator, bulk):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        detector = PyODDetector(estimator, contamination=0.1).fit(bulk)
    assert detector.scores_depend_on_batch_ == any("scored with" in str(w.message) for w in caught)
    depend = not np.allclose(detector.score_samples(bulk)[:50], detector.score_samples(bulk[:50]))
    assert detector.scores_depend_on_batch_ == depend


def test_scores_that_are_not_numbers_are_an_error():
    X = np.round(np.random.RandomState(0).normal(size=(200, 2)))
    with pytest.raises(ValueError, match="gave scores that are not finite to training rows"):
        PyODDetector(ABOD()).fit(X)


def test_scoring_is_repeatable_and_python_state_is_kept(bulk):
    # PyOD seeds Python's generator when a detector is made.
    detector = PyODDetector(VAE(epoch_num=1, verbose=0), contamination=0.1, random_state=0)
    random.seed(3)
    state = random.getstate()
    scores = detector.fit(bulk).score_samples(bulk)
    np.testing.assert_array_equal(detector.score_samples(bulk), scores)
    assert random.getstate() == state


def test_seed_reaches_the_detector(bulk):
    detector = PyODDetector(IForest(), random_state=3).fit(bulk)
    assert detector.estimator_.random_state == 3
    other = PyODDetector(IForest(), random_state=4).fit(bulk)
    assert not np.allclose(detector.score_samples(bulk), other.score_samples(bulk))
    kept = PyODDetector(IForest(random_state=7)).fit(bulk)
    assert kept.estimator_.random_state == 7


def test_parameters_of_the_detector_are_reachable():
    detector = PyODDetector(KNN()).set_params(estimator__n_neighbors=9)
    assert detector.estimator.n_neighbors == 9
    assert detector.get_params()["estimator__n_neighbors"] == 9


@pytest.mark.parametrize("estimator", [IsolationForest(), MahalanobisDetector()])
def test_detectors_of_the_other_sign_are_refused(estimator, bulk):
    with pytest.raises(ValueError, match=r"must be a detector of PyOD.* needs no wrapper"):
        PyODDetector(estimator).fit(bulk)


def test_what_is_no_detector_is_refused(bulk):
    with pytest.raises(ValueError, match="'estimator' parameter of PyODDetector must be"):
        PyODDetector("KNN").fit(bulk)
