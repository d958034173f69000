"""Displays of detectors: what they draw is what the metrics say."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import IsolationForest
from sklearn.model_selection import StratifiedKFold, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skflow import (
    AutoencoderDetector,
    ContrastiveFlowDetector,
    MahalanobisDetector,
    RealNVPOutlierDetector,
)
from skflow.calibration import CalibratedDetectorCV, ConformalDetector
from skflow.datasets import make_shower_images
from skflow.hillas import CameraGeometry, HillasTransformer
from skflow.inspection import (
    BinnedMetricDisplay,
    ContributionsDisplay,
    LatentQQDisplay,
    PairPlotDisplay,
    PrecisionRecallDisplay,
    ReliabilityDisplay,
    RocCurveDisplay,
    ScoreHistogramDisplay,
    TrainingHistoryDisplay,
    explain,
    nearest_normal,
    plot_top_events,
)
from skflow.metrics import (
    average_precision_score,
    bootstrap_interval,
    get_scorer,
    roc_auc_score,
    roc_curve,
    tpr_at_fpr_score,
)

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


def test_training_history(labelled):
    X, y = labelled
    flow = make_pipeline(StandardScaler(), RealNVPOutlierDetector(max_iter=40, random_state=0))
    display = TrainingHistoryDisplay.from_estimator(flow.fit(X))
    history = flow[-1].history_
    train, held_out = display.axes_[0].lines
    np.testing.assert_array_equal(train.get_xdata(), history["step"])
    np.testing.assert_array_equal(train.get_ydata(), history["loss"])
    np.testing.assert_array_equal(held_out.get_ydata(), history["validation_loss"])
    contrastive = ContrastiveFlowDetector(max_iter=60, random_state=0).fit(X, y)
    display = TrainingHistoryDisplay.from_estimator(contrastive)
    assert [ax.get_title() for ax in display.axes_] == ["warm-up", "contrast"]
    n_drawn = sum(len(ax.lines[0].get_xdata()) for ax in display.axes_)
    assert n_drawn == len(contrastive.history_["step"])
    alone = AutoencoderDetector(max_iter=3, early_stopping=False, random_state=0).fit(X)
    display = TrainingHistoryDisplay.from_estimator(alone)
    assert [line.get_label() for line in display.axes_[0].lines] == ["training rows"]
    around = ConformalDetector(contrastive, random_state=0).fit(X)
    assert len(TrainingHistoryDisplay.from_estimator(around).axes_) == 1  # no labels, no contrast
    with pytest.raises(ValueError, match="must be fitted and have a single network"):
        TrainingHistoryDisplay.from_estimator(MahalanobisDetector().fit(X))
    with pytest.raises(ValueError, match=r"it lacks \['validation_loss', 'phase'\]"):
        TrainingHistoryDisplay({"step": [1], "loss": [2.0]})
    with pytest.raises(ValueError, match="at least one step"):
        TrainingHistoryDisplay({key: [] for key in contrastive.history_})
    with pytest.raises(ValueError, match="axes must be 2, one a phase; got 1"):
        TrainingHistoryDisplay(contrastive.history_).plot(axes=plt.figure().subplots())


def test_metric_in_bins(labelled):
    X, y = labelled
    score = -MahalanobisDetector().fit(X[y == 1]).score_samples(X)
    energy = np.random.RandomState(1).uniform(1, 100, len(y))
    energy[0] = np.nan
    display = BinnedMetricDisplay.from_predictions(
        y, score, energy, bins=[1, 10, 50, 100], metric=tpr_at_fpr_score, random_state=0
    )
    for k, (low, high) in enumerate([(1, 10), (10, 50), (50, 100)]):
        own = (energy >= low) & (energy < high)
        assert display.n_anomalies_[k] == np.sum(own & (y == -1))
        assert display.n_bulk_[k] == np.sum(own & (y == 1))
        expected = bootstrap_interval(
            tpr_at_fpr_score, y[own], score[own], n_resamples=200, random_state=0
        )
        found = display.metric_[k], display.low_[k], display.high_[k]
        assert found == pytest.approx(tuple(expected))
    assert display.ax_.get_ylabel() == "tpr at fpr"
    # Bins without one of the classes have no figure.
    display = BinnedMetricDisplay(y, score, np.where(y == -1, 1.0, energy), bins=[0, 1, 2, 100])
    assert np.isnan(display.metric_[[0, 2]]).all()
    weight = np.random.RandomState(2).uniform(size=len(y))
    series = pd.Series(energy, name="energy (TeV)")
    detector = MahalanobisDetector().fit(X)
    display = BinnedMetricDisplay.from_estimator(
        detector, X, y, series, bins=2, sample_weight=weight
    )
    assert display.ax_.get_xlabel() == "energy (TeV)"
    own = energy <= display.edges_[1]
    own &= energy < display.edges_[1]
    expected = roc_auc_score(y[own], -detector.score_samples(X[own]), sample_weight=weight[own])
    assert display.metric_[0] == pytest.approx(expected)
    # Weight 0 is no row, and outer edges may be infinite.
    display = BinnedMetricDisplay.from_estimator(
        detector, X, y, energy, bins=[-np.inf, 50, np.inf], sample_weight=(energy < 50) | (y == 1)
    )
    assert np.isnan(display.metric_[1])
    assert display.n_anomalies_[1] == 0
    assert np.isfinite(display.ax_.lines[0].get_xdata()).all()
    with pytest.raises(ValueError, match="at least one bin must hold rows of both classes"):
        BinnedMetricDisplay(y, score, y, bins=[-1, 0, 1])


def test_pair_plot(labelled):
    X, y = labelled
    wide = np.column_stack([np.random.RandomState(1).normal(size=(1000, 3)), X])
    wide[:5, 0] = np.nan
    display = PairPlotDisplay(wide, y == -1, features=3).plot()
    # Only squares tell here: the far rows are on both sides, so that no feature alone does much.
    assert display.axes_.shape == (3, 3)
    assert (np.diff(display.separation_) <= 0).all()
    assert (display.separation_ >= 0.5).all()
    shifted = wide + np.where(y == -1, 3, 0)[:, None] * [0, 0, 1, 0, 2]
    display = PairPlotDisplay(shifted, y == -1, features=2, feature_names=list("abcde")).plot()
    assert display.features_ == ["c", "e"]
    assert display.axes_[1, 0].get_xlabel() == "c"
    x, values = display.axes_[1, 0].lines[1].get_data()
    flagged = (y == -1) & ~np.isnan(wide[:, 0])
    np.testing.assert_array_equal(np.sort(x), np.sort(shifted[flagged, 2]))
    np.testing.assert_array_equal(np.sort(values), np.sort(shifted[flagged, 4]))
    pipeline = make_pipeline(StandardScaler(), MahalanobisDetector(contamination=0.1))
    frame = pd.DataFrame(X, columns=["width", "length"])
    display = PairPlotDisplay.from_estimator(pipeline.fit(frame), frame, features=["length"])
    assert display.features_ == ["length"]
    (label,) = [text.get_text() for text in display.figure_.legends[0].get_texts()][1:]
    assert label == "flagged (100)"
    with pytest.raises(ValueError, match="some rows must be flagged and some not; got 0 of 1000"):
        PairPlotDisplay(X, np.zeros(1000))
    with pytest.raises(ValueError, match="flagged must have 1000 entries"):
        PairPlotDisplay(X, [True])
    for features in (["x7"], "x7", 0, []):
        with pytest.raises(ValueError, match="features must be a number of at least 1, or names"):
            PairPlotDisplay(X, y == -1, features=features)
    with pytest.raises(ValueError, match="feature_names must be 2; got 1"):
        PairPlotDisplay(X, y == -1, feature_names=["a"])
    assert PairPlotDisplay(frame, y == -1, features="width").features_ == ["width"]
    around = ConformalDetector(pipeline, random_state=0).fit(frame)
    assert set(PairPlotDisplay.from_estimator(around, frame).features_) == {"width", "length"}


def test_contributions(labelled):
    X, _ = labelled
    detector = MahalanobisDetector().fit(X)
    contributions = explain(detector, X[:3])
    display = ContributionsDisplay.from_explanation(contributions, row=2, max_features=1)
    (bar,) = display.ax_.patches
    own = contributions.iloc[2].drop("baseline")
    assert display.features_ == [own.abs().idxmax()]
    assert bar.get_width() == own.iloc[own.abs().argmax()]
    assert display.ax_.get_title().startswith(f"score {detector.score_samples(X[2:3])[0]:.1f}, ")
    flow = RealNVPOutlierDetector(max_iter=40, random_state=0).fit(X)
    nearest = nearest_normal(flow, [[0.5, 30.0]])
    display = ContributionsDisplay.from_nearest_normal(nearest)
    assert display.features_[0] == "x1"
    assert display.ax_.patches[0].get_width() == nearest.deviations["x1"][0]
    texts = [text.get_text() for text in display.ax_.texts]
    assert texts[0] == f"30 for {nearest.rows['x1'][0]:.3g}"
    with pytest.raises(ValueError, match="must be finite for some features"):
        ContributionsDisplay({"x0": np.nan})


def test_images_of_top_events():
    camera = CameraGeometry.hexagonal(10)
    images = make_shower_images(60, camera, random_state=0)
    images[7] = 0  # lost
    hillas = HillasTransformer(camera, features=["hillas"])
    pipeline = make_pipeline(hillas, MahalanobisDetector(nan_policy="omit")).fit(images)
    figure = plot_top_events(pipeline, images, n_events=3, n_columns=3)
    score = -pipeline.score_samples(images)
    top = np.argsort(-np.where(np.isnan(score), -np.inf, score))[:3]
    titles = [ax.get_title() for ax in figure.axes if ax.get_title()]
    assert titles == [f"event {row}, anomaly score {score[row]:.3g}" for row in top]
    for ax, row in zip(figure.axes, top, strict=False):
        np.testing.assert_allclose(ax.collections[0].get_array(), images[row])
        (ellipse,) = [patch for patch in ax.patches if hasattr(patch, "width")]
        length = hillas.transform(images[[row]])[0][
            list(hillas.get_feature_names_out()).index("camera_frame_hillas_length")
        ]
        assert ellipse.width == pytest.approx(2 * length)
    # Steps before the transformer apply to what is drawn.
    brighter = make_pipeline(FunctionTransformer(lambda X: 3 * X), *pipeline.named_steps.values())
    figure = plot_top_events(brighter, images, n_events=1)
    row = int(np.nanargmin(brighter.score_samples(images)))
    np.testing.assert_allclose(figure.axes[0].collections[0].get_array(), 3 * images[row])
    with pytest.raises(ValueError, match="frame must be 'camera' or 'telescope'; got 'sky'"):
        plot_top_events(pipeline, images, frame="sky")
    # All that have a score, also from a detector around the pipeline, and in degrees.
    around = ConformalDetector(pipeline, alpha=0.1, random_state=0).fit(images)
    on_sky = CameraGeometry.hexagonal(10, focal_length=10.0)
    figure = plot_top_events(around, images[:9], n_events=100, geometry=on_sky, frame="telescope")
    assert len(figure.axes) == np.sum(~np.isnan(score[:9])) < 9
    assert figure.axes[0].get_ylabel() == "fov_lat (deg)"
    for_folds = ConformalDetector(Pipeline([("none", "passthrough"), *pipeline.steps]), cv=2)
    figure = plot_top_events(for_folds.fit(images), images, n_events=1)
    assert any(hasattr(patch, "width") for patch in figure.axes[0].patches)
    direct = MahalanobisDetector(covariance="diagonal").fit(images)
    with pytest.raises(ValueError, match="geometry must be given: no HillasTransformer"):
        plot_top_events(direct, images)
    assert len(plot_top_events(direct, images, geometry=camera, n_events=1).axes) >= 1
    with pytest.raises(ValueError, match="n_events must be at least 1; got 0"):
        plot_top_events(pipeline, images, n_events=0)
    with pytest.raises(ValueError, match="some events must have a score"):
        plot_top_events(pipeline, images[[7]])


def test_images_of_top_events_with_times():
    camera = CameraGeometry.hexagonal(10)
    images = make_shower_images(60, camera, times=True, random_state=0)
    hillas = HillasTransformer(camera, timing=True, features=["hillas", "timing"])
    pipeline = make_pipeline(hillas, MahalanobisDetector(nan_policy="omit")).fit(images)
    figure = plot_top_events(pipeline, images, n_events=1)
    row = int(np.nanargmin(pipeline.score_samples(images)))
    drawn = figure.axes[0].collections[0].get_array()
    np.testing.assert_allclose(drawn, images[row, : camera.n_pixels])
