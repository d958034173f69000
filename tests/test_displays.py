"""Displays of detectors: what they draw is what the metrics say."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.ensemble import IsolationForest
from sklearn.model_selection import StratifiedKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skflow import MahalanobisDetector, RealNVPOutlierDetector
from skflow.calibration import CalibratedDetectorCV, ConformalDetector
from skflow.inspection import (
    LatentQQDisplay,
    PrecisionRecallDisplay,
    ReliabilityDisplay,
    RocCurveDisplay,
    ScoreHistogramDisplay,
)
from skflow.metrics import average_precision_score, get_scorer, roc_auc_score, roc_curve

CURVES = [RocCurveDisplay, PrecisionRecallDisplay]


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.fixture
def labelled():
    rng = np.random.RandomState(0)
    y = rng.permutation(np.repeat([1, -1], [900, 100]))
    return rng.normal(size=(1000, 2)) * np.where(y == -1, 3, 1)[:, None], y


def test_roc_curve(labelled):
    X, y = labelled
    detector = make_pipeline(StandardScaler(), MahalanobisDetector()).fit(X, y)
    score = -detector.score_samples(X)
    display = RocCurveDisplay.from_estimator(detector, X, y)
    (line,) = display.lines_
    fpr, tpr, _ = roc_curve(y, score)
    np.testing.assert_array_equal(line.get_xdata(), fpr)
    np.testing.assert_array_equal(line.get_ydata(), tpr)
    assert line.get_label() == f"MahalanobisDetector (AUROC {roc_auc_score(y, score):.3f})"
    assert display.ax_.get_xscale() == "linear"
    _, ax = plt.subplots()
    display = RocCurveDisplay.from_predictions(
        y, score, name="mine", ax=ax, log_fpr=True, color="red"
    )
    assert display.ax_ is ax
    assert ax.get_xscale() == "log"
    assert ax.get_xlim() == (1 / 900, 1)
    assert display.lines_[0].get_color() == "red"
    assert display.lines_[0].get_xdata().min() > 0
    two = RocCurveDisplay([("a", y, score), ("b", y, -score)]).plot()
    assert two.roc_auc_[0] == pytest.approx(1 - two.roc_auc_[1])
    # Lost anomalies are never found, and the curve says so.
    lost = np.where(y == -1, np.nan, score)
    assert RocCurveDisplay.from_predictions(y, lost).lines_[0].get_ydata().max() == 0


def test_precision_recall(labelled):
    X, y = labelled
    detector = IsolationForest(random_state=0).fit(X)
    score = -detector.score_samples(X)
    for prevalence in (None, 0.01):
        display = PrecisionRecallDisplay.from_estimator(detector, X, y, prevalence=prevalence)
        expected = average_precision_score(y, score, prevalence=prevalence)
        assert display.average_precision_ == [pytest.approx(expected)]
        recall, precision = display.lines_[0].get_data()
        area = -np.sum(np.diff(recall) * precision[:-1])
        assert area == pytest.approx(expected)
        # Where all rows are flagged it is the prevalence.
        assert precision[0] == pytest.approx(prevalence or 0.1)
    assert "0.01" in display.ax_.get_ylabel()
    with pytest.raises(ValueError, match="prevalence must be between 0 and 1; got 2"):
        PrecisionRecallDisplay.from_predictions(y, score, prevalence=2)


@pytest.mark.parametrize("display", CURVES)
def test_curves_of_folds(display, labelled):
    X, y = labelled
    results = cross_validate(
        MahalanobisDetector(),
        X,
        y,
        cv=StratifiedKFold(3),
        scoring=get_scorer("roc_auc"),
        return_estimator=True,
        return_indices=True,
    )
    shown = display.from_cv_results(results, X, y)
    assert len(shown.lines_) == 3
    if display is RocCurveDisplay:
        np.testing.assert_allclose(shown.roc_auc_, results["test_score"])
    del results["indices"]
    with pytest.raises(ValueError, match=r"return_indices=True\); got no 'indices'"):
        display.from_cv_results(results, X, y)


def test_score_histogram(labelled):
    X, y = labelled
    detector = MahalanobisDetector(contamination=0.1).fit(X, y)
    display = ScoreHistogramDisplay.from_estimator(detector, X, y)
    assert display.threshold == -detector.offset_
    heights = [bar.get_height() for bar in display.ax_.patches]
    assert sum(heights) == 1000
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    flagged = np.mean(detector.predict(X) == -1)
    assert set(labels) == {"bulk (900)", "anomalies (100)", f"threshold, {flagged:.1%} above"}
    # Without labels, in a pipeline, with lost rows, and where nothing can be flagged.
    X[:7] = np.nan
    pipeline = make_pipeline(MahalanobisDetector(nan_policy="omit")).fit(X)
    display = ScoreHistogramDisplay.from_estimator(pipeline, X)
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert "rows (1,000, 7 without a score)" in labels
    assert display.threshold == -pipeline[-1].offset_
    with pytest.warns(UserWarning, match="too few for alpha"):
        strict = ConformalDetector(MahalanobisDetector(), alpha=0.001).fit(X[7:])
    assert ScoreHistogramDisplay.from_estimator(strict, X[7:]).threshold is None
    alike = ScoreHistogramDisplay.from_predictions([1, -1], [2.0, 2.0], threshold=1.0)
    assert sum(bar.get_height() for bar in alike.ax_.patches) == 2
    with pytest.raises(ValueError, match="anomaly_score must be finite for some rows; got none"):
        ScoreHistogramDisplay([np.nan, np.nan]).plot()


def test_reliability_by_hand():
    probability = np.repeat([0.1, 0.5, 0.9], [10, 10, 20])
    y = np.concatenate([np.repeat([-1, 1], n) for n in [(1, 9), (5, 5), (20, 0)]])
    display = ReliabilityDisplay.from_predictions(y, probability, bins=3)
    np.testing.assert_allclose(display.mean_, [0.1, 0.5, 0.9])
    np.testing.assert_allclose(display.share_, [0.1, 0.5, 1.0])
    np.testing.assert_array_equal(display.n_rows_, [10, 10, 20])
    # Clopper and Pearson for 1 of 10, 5 of 10 and 20 of 20.
    np.testing.assert_allclose(display.low_, [0.0025, 0.1871, 0.8316], atol=1e-4)
    np.testing.assert_allclose(display.high_, [0.4450, 0.8129, 1.0], atol=1e-4)
    with pytest.raises(ValueError, match="probability must be known for some rows"):
        ReliabilityDisplay([1, -1], [np.nan, np.nan])
    with pytest.raises(ValueError, match=r"probability must lie between 0 and 1; got -0\.5 to 2"):
        ReliabilityDisplay([1, -1], [-0.5, 2.0])


def test_reliability_of_a_detector(labelled):
    X, y = labelled
    detector = CalibratedDetectorCV(MahalanobisDetector(), method="sigmoid").fit(X[:500], y[:500])
    display = ReliabilityDisplay.from_estimator(detector, X[500:], y[500:], bins=4, color="k")
    inside = (display.low_ <= display.mean_) & (display.mean_ <= display.high_)
    assert inside.sum() >= 3
    constant = ReliabilityDisplay.from_predictions(y, np.full(1000, 0.1))
    np.testing.assert_allclose([constant.mean_, constant.share_], [[0.1], [0.1]])


def test_latent_quantiles():
    X = np.random.RandomState(0).normal(size=(600, 2))
    flow = RealNVPOutlierDetector(max_iter=200, random_state=0).fit(X[:300])
    display = LatentQQDisplay.from_estimator(flow, X[300:])
    for axes, n_lines in zip(display.axes_, (2, 1), strict=True):
        *lines, diagonal = axes.get_lines()
        assert len(lines) == n_lines
        for line in lines:
            expected, found = line.get_data()
            middle = slice(30, 270)
            np.testing.assert_allclose(found[middle], expected[middle], atol=0.35)
        np.testing.assert_array_equal(*diagonal.get_data())
    _, axes = plt.subplots(1, 2)
    assert LatentQQDisplay(np.ones((5, 9))).plot(axes=axes).axes_[0] is axes[0]
    assert axes[0].get_legend() is None  # nine coordinates need none
    with pytest.raises(ValueError, match="Z must have at least 2 rows without NaN; got 0"):
        LatentQQDisplay(np.full((3, 2), np.nan))
    with pytest.raises(ValueError, match="must be a flow trained by likelihood alone"):
        LatentQQDisplay.from_estimator(IsolationForest(n_estimators=2).fit(X), X)
