"""One fit of a benchmark: labels, scores, seeds, and what cannot be made."""

import os
import warnings

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier

from skflow.benchmark._config import Detector
from skflow.benchmark._features import fitted_features, make_transformer
from skflow.benchmark._fit import (
    Limits,
    Task,
    anomaly_scores,
    build,
    check_detectors,
    measure,
    run_fit,
)
from skflow.benchmark._protocol import Trial
from skflow.detectors import BaseDetector

WINE = "sklearn/wine"


@pytest.fixture
def trial():
    rng = np.random.RandomState(0)
    y = np.repeat([1, -1], [60, 20])
    X = rng.normal(size=(80, 3)) * np.where(y == 1, 1, 5)[:, None]
    return Trial(X, y, X, y, repeated=0.0, twins=1.0)


def test_measure(trial):
    labelled = build(Detector("x", "misbehaving:Labelled", {}), seed=0, n_features=3)
    figures = measure(labelled, trial, True, 0)
    assert 0.8 < figures["auroc"] < 1
    with pytest.raises(ValueError, match="labels None"):
        measure(labelled, trial, False, 0)
    random = build(Detector("x", "misbehaving:Random", {}), seed=0, n_features=3)
    aurocs = [measure(random, trial, False, seed)["auroc"] for seed in (0, 1, 0)]
    assert aurocs[0] == aurocs[2] != aurocs[1]


@pytest.mark.parametrize("name", ["KNN", "DTE-NP", "MahalanobisDetector", "RealNVPOutlierDetector"])
def test_nobody_spends_time_on_a_threshold(trial, name, monkeypatch):
    calls = []
    monkeypatch.setattr(BaseDetector, "_threshold", lambda *args: calls.append(args) or 0.0)
    model = build(Detector(name, name, {}), seed=0, n_features=3)
    assert measure(model, trial, False, 0)["auroc"] > 0.7
    assert not calls
    model.fit(trial.X_train)  # elsewhere there is one
    assert len(calls) == 1


def test_auxiliary_samples_go_where_they_are_known(trial):
    auxiliary = trial._replace(n_auxiliary=20)
    model = build(Detector("x", "misbehaving:Auxiliary", {}), seed=0, n_features=3)
    assert measure(model, auxiliary, True, 0)["auroc"] > 0.8
    X, y, X_contrast = model[-1].given_
    assert (X.shape, y, X_contrast.shape) == ((60, 3), None, (20, 3))
    # The scaler, fitted to the bulk alone, has transformed them, too.
    assert X.std() == pytest.approx(1)
    assert X_contrast.std() == pytest.approx(5, abs=1)
    forest = build(Detector("x", "random forest", {}), seed=0, n_features=3)
    assert measure(forest, auxiliary, True, 0)["auroc"] > 0.9


def test_features_are_of_the_same_split():
    """A transformer is fitted to the other table once, and sees every row once."""
    norm, limits = Detector("x", "misbehaving:Norm", {}), Limits(10.0, 1000.0)
    features = "misbehaving:Halves fitted to sklearn/breast_cancer"
    task = Task(WINE, "one-class", 0, None)
    tasks = task, task._replace(features=features)
    rows = [run_fit(task, norm, limits, os.getppid()) for task in tasks]
    assert [row["n_features"] for row in rows] == [13, 6]
    assert rows[1]["features"] == features
    assert all(rows[0][key] == rows[1][key] for key in ("n_train", "n_test", "twins"))
    transformer = fitted_features(features).transformer
    assert transformer.fitted_to_.shape == (357, 30)  # the normal rows
    run_fit(task._replace(features=features, seed=1), norm, limits, os.getppid())
    assert fitted_features(features).transformer is transformer
    assert sum(transformer.seen_) == 178


def test_features_that_have_seen_test_rows_are_refused():
    norm, limits = Detector("x", "misbehaving:Norm", {}), Limits(10.0, 1000.0)
    task = Task(WINE, "one-class", 0, None, "misbehaving:Halves fitted to sklearn/wine")
    row = run_fit(task, norm, limits, os.getppid())
    assert row["error"] == "ValueError: features must not be fitted to test rows; got 65 such rows"
    with pytest.raises(ValueError, match=r"features 'nowhere:X .*' cannot be made: Module"):
        make_transformer("nowhere:X fitted to sklearn/wine")


def test_a_pipeline_without_a_scaler():
    norm = Detector("x", "misbehaving:Norm", {})
    assert list(build(norm, seed=0, n_features=3).named_steps) == ["scaler", "detector"]
    for detector in (norm, Detector("x", "FastFlowDetector", {})):
        model = build(detector, seed=0, n_features=9, scale=False)
        assert list(model.named_steps) == ["detector"]


def test_each_class_of_anomalies(trial):
    classes = np.repeat([0, 3, 12], [60, 10, 10])
    X = trial.X_test * np.select([classes == 3, classes == 12], [0.2, 1e3], 1)[:, None]
    trial = trial._replace(X_test=X, test_classes=classes)
    model = build(Detector("x", "misbehaving:Norm", {}), seed=0, n_features=3)
    figures = measure(model, trial, False, 0)
    by_class = figures["auroc_by_class"]
    assert by_class == {"3": pytest.approx(2 * figures["auroc"] - 1), "12": 1.0}
    assert 0.5 < by_class["3"] < 1


def test_classifiers_score_by_their_probability(trial):
    forest = ExtraTreesClassifier(random_state=0).fit(trial.X_train, trial.y_train)
    scores = anomaly_scores(forest, trial.X_test)
    np.testing.assert_array_equal(scores, forest.predict_proba(trial.X_test)[:, 0])
    assert scores[trial.y_test == -1].min() > scores[trial.y_test == 1].max()


def test_import_paths_get_the_seed():
    forest = Detector("x", "sklearn.ensemble:IsolationForest", {"n_estimators": 3})
    assert build(forest, seed=7, n_features=3)[-1].get_params()["random_state"] == 7
    fixed = forest._replace(params={"random_state": 5})
    assert build(fixed, seed=7, n_features=3)[-1].get_params()["random_state"] == 5


def test_what_cannot_be_imported():
    message = "detector x cannot be made: ModuleNotFoundError: No module named 'nowhere'"
    with pytest.raises(ValueError, match=message):
        check_detectors((Detector("x", "nowhere.at_all:Norm", {}),))


def test_a_table_that_is_warned_of_is_an_error(monkeypatch):
    def load(name):
        warnings.warn("other values", UserWarning, stacklevel=2)

    monkeypatch.setattr("skflow.benchmark._fit.load_table", load)
    task = Task("adbench/glass", "one-class", 0, None)
    row = run_fit(task, Detector("x", "misbehaving:Norm", {}), Limits(9.0, 999.0), os.getppid())
    assert row["error"] == "UserWarning: other values"


def test_a_split_that_cannot_be_made_is_an_error():
    limits = Limits(10.0, 1000.0)
    task = Task(WINE, "rare-event:100000", 0, None)
    row = run_fit(task, Detector("x", "misbehaving:Norm", {}), limits, os.getppid())
    assert row["error"].startswith("ValueError: ")
    assert row["n_train"] is None
    task = task._replace(protocol="one-class")
    row = run_fit(task, Detector("x", "misbehaving:Nobody", {}), limits, os.getppid())
    assert row["error"].startswith("AttributeError: ")
    assert row["n_train"] > 0


def test_a_classifier_without_labelled_anomalies_is_refused(trial):
    forest = ExtraTreesClassifier(n_estimators=3).fit(trial.X_train, np.ones(len(trial.X_train)))
    with pytest.raises(ValueError, match=r"needs labelled anomalies \(-1\).*got classes \[.*1.0"):
        anomaly_scores(forest, trial.X_test)
