"""Images through the user's pipeline: the demo, searches over cleaning, groups, square cameras."""

import images
import numpy as np
import pandas as pd
import pytest
from joblib import Memory
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline

from skflow import ContrastiveFlowDetector
from skflow.datasets import make_shower_images
from skflow.hillas import CameraGeometry, HillasTransformer
from skflow.metrics import get_scorer

CAMERA = CameraGeometry.hexagonal(10)


@pytest.fixture(scope="module")
def events() -> tuple[np.ndarray, np.ndarray]:
    """Images of 300 hadrons and 60 gammas in random order, labelled +1 and -1."""
    kind = np.random.RandomState(0).permutation(np.repeat(["hadron", "gamma"], [300, 60]))
    X = make_shower_images(360, CAMERA, kind=kind, size=(200, 5000), random_state=0)
    return X, np.where(kind == "gamma", -1, 1)


def make_pipeline_of(camera, memory=None):
    hillas = HillasTransformer(camera, picture_threshold=6, boundary_threshold=3)
    flow = ContrastiveFlowDetector(max_iter=40, nan_policy="omit", random_state=0)
    return Pipeline([("hillas", hillas), ("flow", flow)], memory=memory)


def run_demo(folder, monkeypatch):
    monkeypatch.setattr(images, "N_SHOWN", 2)
    options = ["--events", "200", "--gammas", "40", "--output", str(folder)]
    monkeypatch.setattr("sys.argv", ["images.py", *options])
    images.main()
    table = pd.read_csv(folder / "images.csv", index_col="method")
    assert len(table) == 5
    # Labelled gammas help, whichever method learns from them.
    trained = table.loc[["ContrastiveFlowDetector", "extra-trees (supervised)"], "AUROC"]
    assert trained.min() > table.drop(index=trained.index)["AUROC"].max()
    assert all(path.stat().st_size > 10_000 for path in folder.glob("*.png"))
    pictures = sorted(path.name for path in folder.glob("*.png"))
    return (folder / "images.md").read_text(encoding="utf-8"), pictures


def test_demo_without_real_events(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("SKFLOW_DATA", raising=False)
    report, pictures = run_demo(tmp_path, monkeypatch)
    printed = capsys.readouterr().out
    assert report in printed
    assert "NO REAL EVENTS" in report
    assert printed.index("NO REAL EVENTS") < printed.index("AUROC")
    assert "The simulator is a toy" in report
    assert pictures == ["images-scores.png", "images-simulated.png"]


@pytest.mark.usefixtures("data_folder")
def test_demo_with_real_events(tmp_path, monkeypatch):
    report, pictures = run_demo(tmp_path, monkeypatch)
    assert "NO REAL EVENTS" not in report
    assert pictures == ["images-fact.png", "images-scores.png", "images-simulated.png"]
    # 37 of the 100 survive cleaning and 23 the cut on leakage; the share is of all triggers.
    assert "23 (26.7 %)" in report
    lost = [line for line in report.splitlines() if "FACT pedestal" in line or "code 2" in line]
    assert [line.count("0 (0.0 %)") for line in lost] == [2, 2]


def test_search_counts_lost_events_against_a_threshold(events, tmp_path):
    X, y = events
    thresholds = [6, 60]
    search = GridSearchCV(
        make_pipeline_of(CAMERA, Memory(tmp_path, verbose=0)),
        {"hillas__picture_threshold": thresholds, "flow__contrast_weight": [1.0, 3.0]},
        scoring=get_scorer("roc_auc"),
        cv=StratifiedKFold(3, shuffle=True, random_state=0),
        error_score="raise",
    ).fit(X, y)
    kept = [
        HillasTransformer(CAMERA, picture_threshold=t, boundary_threshold=3).valid_mask(X)
        for t in thresholds
    ]
    assert kept[0].mean() > 0.9
    assert kept[1].mean() < 0.3
    score = pd.DataFrame(search.cv_results_).groupby("param_hillas__picture_threshold")
    score = score["mean_test_score"]
    assert search.best_params_["hillas__picture_threshold"] == 6
    assert score.min()[6] > score.max()[60] + 0.1
    # Gammas that are lost lie below or beside every hadron: no ranking of the rest helps.
    gammas_kept = kept[1][y == -1].mean()
    assert score.max()[60] <= gammas_kept + (1 - gammas_kept) / 2
    # Cached: an image set is measured once a threshold and fold, and once for the refit.
    measured = list(tmp_path.rglob("output.pkl"))
    assert len(measured) == len(thresholds) * 3 + 1


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_threshold_that_loses_everything_never_wins(events):
    X, y = events
    search = GridSearchCV(
        make_pipeline_of(CAMERA),
        {"hillas__picture_threshold": [1e6, 6]},
        scoring=get_scorer("roc_auc"),
        cv=StratifiedKFold(2, shuffle=True, random_state=0),
    )
    with pytest.warns(FitFailedWarning, match="at least 2 bulk rows; got 0 of 180"):
        search.fit(X, y)
    assert search.best_params_ == {"hillas__picture_threshold": 6}
    np.testing.assert_array_equal(search.cv_results_["rank_test_score"], [2, 1])


def test_groups_stay_on_one_side(events):
    X, y = events
    groups = np.repeat(np.arange(120), 3)
    folds = GroupKFold(3)
    search = GridSearchCV(
        make_pipeline_of(CAMERA),
        {"hillas__picture_threshold": [5, 8]},
        scoring=get_scorer("average_precision"),
        cv=folds,
        error_score="raise",
    ).fit(X, y, groups=groups)
    train, test = next(folds.split(X, y, groups))
    assert not set(groups[train]) & set(groups[test])
    pipeline = (
        make_pipeline_of(CAMERA).set_params(hillas__picture_threshold=5).fit(X[train], y[train])
    )
    assert search.cv_results_["split0_test_score"][0] == pytest.approx(
        search.scorer_(pipeline, X[test], y[test])
    )


@pytest.mark.parametrize("camera", [CameraGeometry.square(20), CameraGeometry.hexagonal(9)])
def test_no_geometry_needed(camera):
    """The camera is found from the number of pixels; square images may be (n, h, w)."""
    kind = np.repeat(["hadron", "gamma"], [150, 30])
    X = make_shower_images(180, camera, kind=kind, size=(300, 5000), random_state=0)
    X = X.reshape(180, 20, 20) if camera.shape == "square" else X
    y = np.where(kind == "gamma", -1, 1)
    flow = ContrastiveFlowDetector(max_iter=100, nan_policy="omit", random_state=0)
    pipeline = make_pipeline(HillasTransformer(), flow).fit(X, y)
    verdict = pipeline.predict(X)
    assert verdict.shape == (180,)
    np.testing.assert_array_equal(verdict == 0, ~pipeline[0].valid_mask(X))
    assert get_scorer("roc_auc")(pipeline, X, y) > 0.8
