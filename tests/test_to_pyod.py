"""to_pyod: PyOD's interface, with PyOD's own detectors and combination tools as the judges."""

import pickle
import sys

import numpy as np
import pandas as pd
import pytest
from pyod.models.base import BaseDetector
from pyod.models.combination import aom, average, majority_vote, maximization, median, moa
from pyod.models.feature_bagging import FeatureBagging
from pyod.models.iforest import IForest
from pyod.models.knn import KNN
from pyod.models.lof import LOF
from pyod.models.lscp import LSCP
from pyod.utils.data import evaluate_print
from pyod.utils.utility import standardizer
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skflow import ContrastiveFlowDetector, MahalanobisDetector, RealNVPOutlierDetector
from skflow.interop import PyODDetector, to_pyod


@pytest.fixture
def data(labelled):
    """Rows in units of their spread and PyOD's labels."""
    X, y = labelled
    return StandardScaler().fit_transform(X), np.where(y == -1, 1, 0)


def test_all_of_the_interface_as_pyods_own_isolation_forest(data):
    """The scores differ by a constant, on which nothing else depends."""
    X, _ = data
    new = X[::7] + 0.1
    theirs = IForest(random_state=0, contamination=0.15).fit(X)
    ours = to_pyod(IsolationForest(random_state=0), contamination=0.15)
    assert isinstance(ours, BaseDetector)
    assert ours.fit(X) is ours
    shift = theirs.threshold_ - ours.threshold_
    np.testing.assert_allclose(ours.decision_scores_ + shift, theirs.decision_scores_)
    np.testing.assert_allclose(ours.decision_function(new) + shift, theirs.decision_function(new))
    np.testing.assert_array_equal(ours.labels_, theirs.labels_)
    np.testing.assert_array_equal(ours.predict(new), theirs.predict(new))
    np.testing.assert_allclose(ours.predict_confidence(new), theirs.predict_confidence(new))
    for method in ("linear", "unify"):
        ours_theirs = [d.predict_proba(new, method, return_confidence=True) for d in (ours, theirs)]
        for mine, their in zip(*ours_theirs, strict=True):
            np.testing.assert_allclose(mine, their, atol=1e-12)
    labels, confidence = ours.predict(new, return_confidence=True)
    assert set(labels) == {0, 1}
    np.testing.assert_array_equal(confidence, ours.predict_confidence(new))


@pytest.mark.filterwarnings("ignore:Function fit_predict is deprecated:FutureWarning")
def test_scores_and_labels_of_a_detector(data):
    X, y = data
    detector = MahalanobisDetector()
    adapter = to_pyod(detector)
    scores = -MahalanobisDetector().fit(X).score_samples(X)
    np.testing.assert_array_equal(adapter.fit_predict(X), scores > np.quantile(scores, 0.9))
    np.testing.assert_array_equal(adapter.decision_scores_, scores)
    np.testing.assert_array_equal(adapter.decision_function(X), scores)
    assert not hasattr(detector, "location_")
    assert roc_auc_score(y, scores) > 0.8


def test_novelty_lof_as_pyods_own(data):
    X, _ = data
    ours = to_pyod(LocalOutlierFactor(novelty=True)).fit(X[:300])
    np.testing.assert_allclose(
        ours.decision_function(X[300:]), LOF().fit(X[:300]).decision_function(X[300:])
    )


@pytest.mark.parametrize("kind", ["int", "list", "Series", "bool", "float"])
def test_known_outliers_reach_the_detector(data, kind):
    X, y = data
    given = {"list": list, "Series": pd.Series}.get(kind, lambda y: y.astype(kind))(y)
    adapter = to_pyod(MahalanobisDetector(), contamination=0.2).fit(X, given)
    np.testing.assert_allclose(adapter.estimator_.location_, X[y == 0].mean(axis=0), atol=1e-12)
    assert adapter.decision_scores_.shape == y.shape
    assert adapter.labels_.sum() == round(0.2 * len(X))


def test_known_outliers_are_learned_from(data):
    X, y = data
    detector = ContrastiveFlowDetector(max_iter=2, random_state=0)
    expected = clone(detector).fit(X, np.where(y == 1, -1, 1)).anomaly_score(X)
    scores = to_pyod(detector).fit(X, y).decision_scores_
    np.testing.assert_array_equal(scores, expected)


@pytest.mark.filterwarnings("error:y ")
def test_labels_of_one_class_are_still_two_classes(data):
    X, y = data
    assert to_pyod(MahalanobisDetector()).fit(X, 0 * y).predict_proba(X).shape == (len(X), 2)


def test_other_labels_are_refused(data):
    X, y = data
    adapter = to_pyod(MahalanobisDetector())
    with pytest.raises(ValueError, match=r"0 for inliers and 1 for known outliers; got \[-1\]"):
        adapter.fit(X, 1 - 2 * y)
    with pytest.raises(ValueError, match=r"got \[nan"):
        adapter.fit(X, np.where(y == 1, np.nan, 0))
    with pytest.raises(ValueError, match=r"got \['\d'"):
        adapter.fit(X, y.astype(str))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        to_pyod(IsolationForest()).fit(X, y[1:])


def test_parameters_copies_and_pickles(data):
    X, y = data
    adapter = to_pyod(MahalanobisDetector(), contamination=0.2)
    assert repr(adapter) == "PyODAdapter(contamination=0.2, estimator=MahalanobisDetector())"
    copy = clone(adapter).set_params(estimator__covariance="diagonal", contamination=0.3)
    assert copy.get_params()["estimator__covariance"] == "diagonal"
    assert (adapter.estimator.covariance, adapter.contamination) == ("full", 0.2)
    with pytest.raises(NotFittedError):
        adapter.decision_function(X)
    loaded = pickle.loads(pickle.dumps(copy.fit(X)))
    np.testing.assert_array_equal(loaded.predict(X), copy.labels_)
    search = GridSearchCV(
        adapter,
        {"estimator__covariance": ["full", "spherical"]},
        scoring="roc_auc",
        cv=StratifiedKFold(3),
        error_score="raise",
    ).fit(X, y)
    assert search.best_score_ > 0.8
    assert search.best_estimator_.estimator.covariance == "full"


def test_combination_of_scores_and_votes(data, capsys):
    X, y = data
    detectors = [
        to_pyod(MahalanobisDetector()),
        to_pyod(make_pipeline(StandardScaler(), RealNVPOutlierDetector(max_iter=3))),
        LOF(),
        KNN(),
    ]
    for detector in detectors:
        detector.fit(X[:300])
    train = np.column_stack([d.decision_scores_ for d in detectors])
    new = np.column_stack([d.decision_function(X[300:]) for d in detectors])
    scores = standardizer(train, new)[1]
    combined = [average(scores), maximization(scores), median(scores)]
    combined += [aom(scores, n_buckets=2), moa(scores, n_buckets=2)]
    for scores in combined:
        assert roc_auc_score(y[300:], scores) > 0.8
    votes = np.column_stack([d.predict(X[300:]) for d in detectors])
    assert set(majority_vote(votes)) == {0, 1}
    evaluate_print("average", y[300:], combined[0])
    assert "ROC:" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore:The number of histogram bins:UserWarning")
def test_lscp(data):
    X, y = data
    members = [to_pyod(MahalanobisDetector()), LOF(n_neighbors=40), KNN()]
    ensemble = LSCP(members, random_state=0).fit(X[:300])
    np.testing.assert_array_equal(
        ensemble.train_scores_[:, 0],
        MahalanobisDetector().fit(X[:300]).anomaly_score(X[:300]),
    )
    assert roc_auc_score(y[300:], ensemble.decision_function(X[300:])) > 0.7


def test_feature_bagging(data):
    X, y = data
    bag = FeatureBagging(to_pyod(MahalanobisDetector()), random_state=0).fit(X)
    assert roc_auc_score(y, bag.decision_scores_) > 0.7
    features = bag.estimators_features_[0]
    alone = MahalanobisDetector().fit(X[:, features])
    np.testing.assert_array_equal(
        bag[0].decision_function(X[:, features]), alone.anomaly_score(X[:, features])
    )


def test_seeds_of_an_ensemble_reach_the_detector(data):
    X, _ = data
    base = to_pyod(RealNVPOutlierDetector(max_iter=2))
    bags = [FeatureBagging(base, n_estimators=2, random_state=s).fit(X) for s in (0, 0, 1)]
    np.testing.assert_array_equal(bags[0].decision_scores_, bags[1].decision_scores_)
    assert not np.allclose(bags[0].decision_scores_, bags[2].decision_scores_)
    assert bags[0][0].estimator.random_state != bags[0][1].estimator.random_state


def test_there_and_back(data):
    X, _ = data
    there = PyODDetector(to_pyod(MahalanobisDetector())).fit(X)
    np.testing.assert_array_equal(
        there.score_samples(X), MahalanobisDetector().fit(X).score_samples(X)
    )
    back = to_pyod(PyODDetector(KNN())).fit(X)
    np.testing.assert_array_equal(back.decision_function(X), KNN().fit(X).decision_function(X))


def test_rows_that_are_not_judged_are_refused(data):
    X, _ = data
    adapter = to_pyod(MahalanobisDetector(nan_policy="omit")).fit(X)
    before = adapter.decision_scores_
    broken = X[:50].copy()
    broken[[3, 7], 1] = np.nan
    message = "MahalanobisDetector gave nan to 2 of 50 rows, the first at row 3"
    for method in (adapter.decision_function, adapter.predict, adapter.fit):
        with pytest.raises(ValueError, match=message):
            method(broken)
    assert adapter.decision_scores_ is before


class TwoSigma:
    """A threshold in the manner of PyThresh."""

    def eval(self, scores):
        self.thresh_ = scores.mean() + 2 * scores.std()
        return self.predict(scores)

    def fit(self, scores):
        self.labels_ = self.eval(scores)

    def predict(self, scores):
        return (scores > self.thresh_).astype(int)


def test_contamination_may_be_a_threshold_object(data):
    X, _ = data
    adapter = to_pyod(MahalanobisDetector(), contamination=TwoSigma()).fit(X)
    scores = adapter.decision_scores_
    np.testing.assert_array_equal(adapter.labels_, scores > scores.mean() + 2 * scores.std())
    np.testing.assert_array_equal(adapter.predict(X), adapter.labels_)


def test_what_is_not_valid_is_refused(data):
    X, _ = data
    with pytest.raises(ValueError, match=r"contamination must be in \(0, 0.5\]"):
        to_pyod(MahalanobisDetector(), contamination=0.6)
    with pytest.raises(ValueError, match="'contamination' parameter of PyODAdapter must be"):
        to_pyod(MahalanobisDetector(), contamination="auto").fit(X)
    for estimator in (KNN(), LocalOutlierFactor(), "knn"):
        with pytest.raises(ValueError, match="implementing 'fit' and 'score_samples'"):
            to_pyod(estimator).fit(X)


def test_without_pyod_the_error_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "skflow.interop._pyod_adapter", raising=False)
    monkeypatch.setitem(sys.modules, "pyod.models.base", None)
    with pytest.raises(ImportError, match=r"pip install skflow-detect\[pyod\]"):
        to_pyod(MahalanobisDetector())
