"""Pipelines, searches and safe files: the tools scikit-learn's users reach for."""

import numpy as np
import pandas as pd
import pytest
import skops.io
from pyod.models.iforest import IForest
from pyod.models.knn import KNN
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from skflow import (
    AutoencoderDetector,
    ContrastiveFlowDetector,
    FlowEnsemble,
    MahalanobisDetector,
    RealNVPOutlierDetector,
)
from skflow.interop import PyODDetector
from skflow.metrics import get_scorer


def test_search_needs_neither_scoring_nor_labels(bulk):
    detector, folds = RealNVPOutlierDetector(max_iter=60, random_state=0), KFold(2)
    search = GridSearchCV(detector, {"n_blocks": [1, 4]}, cv=folds, error_score="raise").fit(bulk)
    for n_blocks, score in zip([1, 4], search.cv_results_["mean_test_score"], strict=True):
        detector.set_params(n_blocks=n_blocks)
        by_hand = [detector.fit(bulk[i]).score(bulk[j]) for i, j in folds.split(bulk)]
        assert score == pytest.approx(np.mean(by_hand))


@pytest.mark.parametrize(
    ("detector", "grid"),
    [
        (RealNVPOutlierDetector(max_iter=40, random_state=0), {"n_blocks": [1, 2]}),
        (ContrastiveFlowDetector(max_iter=40, random_state=0), {"contrast_weight": [0.5, 3]}),
        (AutoencoderDetector(max_iter=40, random_state=0), {"latent_features": [1, 2]}),
        (MahalanobisDetector(), {"covariance": ["full", "diagonal"]}),
        (PyODDetector(KNN(), random_state=0), {"estimator__n_neighbors": [3, 10]}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_labelled_search_in_a_pipeline(detector, grid, labelled):
    X, y = labelled
    step = type(detector).__name__.lower()
    search = GridSearchCV(
        make_pipeline(StandardScaler(), detector),
        {f"{step}__{name}": values for name, values in grid.items()},
        scoring=get_scorer("average_precision"),
        cv=StratifiedKFold(2, shuffle=True, random_state=0),
        n_jobs=2,
        error_score="raise",
    ).fit(X, y)
    assert search.best_score_ > 0.5
    assert search.predict(X).shape == (460,)


@pytest.mark.parametrize(
    "detector",
    [
        RealNVPOutlierDetector(max_iter=10, random_state=0),
        ContrastiveFlowDetector(max_iter=10, random_state=0),
        AutoencoderDetector(max_iter=10, random_state=0),
        MahalanobisDetector(),
        FlowEnsemble(RealNVPOutlierDetector(max_iter=10), n_estimators=2),
    ],
    ids=lambda detector: type(detector).__name__,
)
def test_safe_files(detector, bulk, tmp_path):
    """skops writes and reads a fitted pipeline without trusting anything but our own class."""
    frame = pd.DataFrame(bulk, columns=["a", "b", "c"])
    pipeline = make_pipeline(
        QuantileTransformer(n_quantiles=50).set_output(transform="pandas"), detector
    ).fit(frame)
    skops.io.dump(pipeline, tmp_path / "pipeline.skops")
    unknown = skops.io.get_untrusted_types(file=tmp_path / "pipeline.skops")
    assert all(name.startswith("skflow.") for name in unknown), unknown
    loaded = skops.io.load(tmp_path / "pipeline.skops", trusted=unknown)
    np.testing.assert_array_equal(loaded.score_samples(frame), pipeline.score_samples(frame))


def test_latent_coordinates_as_features(labelled):
    X, y = labelled
    pipeline = make_pipeline(
        RealNVPOutlierDetector(max_iter=60, random_state=0), PyODDetector(IForest(), random_state=0)
    ).fit(X, y)
    assert pipeline.score_samples(X).shape == (460,)
