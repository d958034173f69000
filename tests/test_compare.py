"""compare_detectors: figures of held-out rows, with labels or by log-density."""

import numpy as np
import pandas as pd
import pytest
from pyod.models.knn import KNN
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skflow import AutoencoderDetector, MahalanobisDetector, RealNVPOutlierDetector
from skflow.inspection import compare_detectors
from skflow.interop import PyODDetector


@pytest.fixture(scope="module")
def labelled():
    rng = np.random.RandomState(0)
    y = rng.permutation(np.repeat([1, -1], [450, 50]))
    X = rng.normal(size=(500, 3)) * np.where(y == -1, 2, 1)[:, None]
    return pd.DataFrame(X, columns=list("abc")), y


def test_with_labels(labelled):
    X, y = labelled
    folds = list(StratifiedKFold(3).split(X, y))
    table = compare_detectors(
        {
            "Mahalanobis": MahalanobisDetector(),
            "forest": IsolationForest(n_estimators=20, random_state=0),
            "PyOD": make_pipeline(StandardScaler(), PyODDetector(KNN())),
            "LOF": LocalOutlierFactor(novelty=True),
        },
        X,
        y,
        metrics=["roc_auc", "tpr_at_fpr"],
        cv=folds,
        n_resamples=50,
        random_state=0,
    )
    assert table["metric"].tolist() == ["roc_auc"] * 4 + ["tpr_at_fpr"] * 4
    assert (table.groupby("metric")["value"].diff().dropna() <= 0).all()
    assert ((table["low"] <= table["value"]) & (table["value"] <= table["high"])).all()
    assert (table[["fit_seconds", "score_seconds"]] >= 0).all(axis=None)
    row = table.query("detector == 'Mahalanobis' and metric == 'roc_auc'").iloc[0]
    aucs = []
    for train, test in folds:
        model = MahalanobisDetector().fit(X.iloc[train], y[train])
        aucs.append(roc_auc_score(y[test] == -1, -model.score_samples(X.iloc[test])))
    assert row["value"] == pytest.approx(np.mean(aucs))
    # Anomalies do not train detectors of scikit-learn.
    row = table.query("detector == 'forest' and metric == 'roc_auc'").iloc[0]
    aucs = []
    for train, test in folds:
        forest = IsolationForest(n_estimators=20, random_state=0)
        forest.fit(X.iloc[train][y[train] == 1])
        aucs.append(roc_auc_score(y[test] == -1, -forest.score_samples(X.iloc[test])))
    assert row["value"] == pytest.approx(np.mean(aucs))


def test_without_labels_by_log_density(labelled):
    X, _ = labelled
    flow = RealNVPOutlierDetector(max_iter=100, random_state=0)
    table = compare_detectors([MahalanobisDetector(), flow], X, cv=2, n_jobs=2, random_state=0)
    assert set(table["metric"]) == {"log_density"}
    assert set(table["detector"]) == {"MahalanobisDetector", "RealNVPOutlierDetector"}
    assert ((table["low"] < table["value"]) & (table["value"] < table["high"])).all()
    again = compare_detectors([MahalanobisDetector(), flow], X, cv=2, random_state=0)
    columns = ["detector", "value", "low", "high"]
    pd.testing.assert_frame_equal(table[columns], again[columns])
    same = {
        "full": make_pipeline(StandardScaler(), MahalanobisDetector()),
        "diagonal": make_pipeline(StandardScaler(), MahalanobisDetector(covariance="diagonal")),
    }
    assert len(compare_detectors(same, X)) == 2


def test_few_anomalies_and_lost_rows():
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(100, 2)), np.repeat([1, -1], [90, 10])
    X[3] = np.nan
    detector = MahalanobisDetector(nan_policy="omit")
    table = compare_detectors([detector], X, y, n_resamples=200, random_state=0)
    assert table["low"].notna().all()  # every draw has anomalies in every fold
    table = compare_detectors([detector], X[y == 1], n_resamples=20, random_state=0)
    assert table["value"][0] < -1e6  # as in `score`: losing rows is no way to win


def test_what_cannot_be_compared(labelled):
    X, y = labelled
    scaled = make_pipeline(StandardScaler(), MahalanobisDetector())
    with pytest.raises(ValueError, match=r"same preprocessing; raw has none, scaled has \['Stand"):
        compare_detectors({"raw": MahalanobisDetector(), "scaled": scaled}, X)
    for other in (AutoencoderDetector(), IsolationForest()):
        with pytest.raises(ValueError, match="only log-densities can be compared, and those of"):
            compare_detectors([MahalanobisDetector(), other], X)
    with pytest.raises(ValueError, match=r"metrics must be among .*; got \['auc'\]"):
        compare_detectors([MahalanobisDetector()], X, y, metrics=["auc"])
    with pytest.raises(ValueError, match="estimators of one class must have names"):
        compare_detectors([scaled, MahalanobisDetector()], X, y)
