"""Thresholds by a rule and by a metric, and probabilities of being rare."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2, norm
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import balanced_accuracy_score, f1_score
from sklearn.model_selection import StratifiedShuffleSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skflow import (
    AutoencoderDetector,
    ContrastiveFlowDetector,
    DensityRatioDetector,
    MahalanobisDetector,
    RealNVPOutlierDetector,
)
from skflow.calibration import (
    CalibratedDetectorCV,
    ThresholdDetector,
    TunedThresholdDetectorCV,
)
from skflow.metrics import get_scorer, precision_score


@pytest.fixture
def labelled():
    """Normal rows, and anomalies of twice their spread, in random order."""
    rng = np.random.RandomState(0)
    y = rng.permutation(np.repeat([1, -1], [1800, 200]))
    return rng.normal(size=(2000, 2)) * np.where(y == -1, 3, 1)[:, None], y


def test_share_of_the_training_rows(labelled):
    X, y = labelled
    detector = ThresholdDetector(MahalanobisDetector(), level=0.1).fit(X, y)
    assert np.sum(detector.predict(X[y == 1]) == -1) == 180
    detector.set_params(level=0.02)
    assert np.sum(detector.predict(X[y == 1]) == -1) == 36
    np.testing.assert_allclose(
        detector.decision_function(X), detector.score_samples(X) - detector.offset_
    )
    # Known anomalies do not train scikit-learn's detectors, which have no use for them.
    forest = IsolationForest(n_estimators=10, random_state=0)
    with_labels = ThresholdDetector(forest).fit(X, y)
    np.testing.assert_array_equal(
        with_labels.score_samples(X), clone(forest).fit(X[y == 1]).score_samples(X)
    )


def test_false_alarms_on_rows_kept_from_training():
    """A detector that knows its training rows by heart: only held-out rows tell its rate."""
    rng = np.random.RandomState(0)
    X, new = rng.normal(size=(800, 8)), rng.normal(size=(4000, 8))
    memory = MahalanobisDetector()
    rates = {}
    for rule in ("quantile", "false_alarms"):
        detectors = [
            ThresholdDetector(memory, rule=rule, level=0.1, random_state=seed).fit(X[i : i + 40])
            for seed, i in enumerate(range(0, 800, 40))
        ]
        rates[rule] = np.mean([np.mean(d.predict(new) == -1) for d in detectors])
    assert rates["false_alarms"] == pytest.approx(0.1, abs=0.05)
    assert rates["quantile"] > 0.25
    frozen = FrozenEstimator(MahalanobisDetector().fit(X[:400]))
    detector = ThresholdDetector(frozen, rule="false_alarms", level=0.1).fit(X[400:])
    assert np.sum(detector.predict(X[400:]) == -1) == 39
    assert detector.set_params(level=0.002).offset_ == -np.inf
    assert len(detector.reference_scores_) == 400


@pytest.mark.parametrize("level", [1.0, 2.0, 3.0])
def test_standard_deviations_in_latent_space(level):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(20_000, 3)) * [1, 10, 100]
    share = 2 * norm.sf(level)
    detector = ThresholdDetector(MahalanobisDetector(), rule="sigma", level=level).fit(X)
    assert detector.offset_ == pytest.approx(-chi2.isf(share, 3))
    found = np.mean(detector.predict(X) == -1)
    assert found == pytest.approx(share, abs=4 * np.sqrt(share / len(X)))
    distance = -detector.score_samples(X[:5])
    np.testing.assert_allclose(distance, detector.estimator_.mahalanobis(X[:5]) ** 2)


def test_sigma_of_flows():
    rng = np.random.RandomState(0)
    X = pd.DataFrame(rng.normal(size=(1000, 2)), columns=["a", "b"])
    flow = RealNVPOutlierDetector(max_iter=200, random_state=0)
    pipeline = make_pipeline(StandardScaler().set_output(transform="pandas"), flow)
    detector = ThresholdDetector(pipeline, rule="sigma", level=2.0).fit(X)
    inner = detector.estimator_
    Z = inner[-1].transform(inner[:-1].transform(X))
    np.testing.assert_allclose(detector.score_samples(X), -np.square(Z).sum(axis=1))
    assert detector.offset_ == pytest.approx(-chi2.isf(2 * norm.sf(2), 2))
    assert 0.02 < np.mean(detector.predict(X) == -1) < 0.08
    assert list(detector.feature_names_in_) == ["a", "b"]
    frozen = ThresholdDetector(FrozenEstimator(inner), rule="sigma", level=2.0).fit(X[:2])
    np.testing.assert_array_equal(frozen.predict(X), detector.predict(X))
    # A column that conditions the density is no latent coordinate.
    conditional = RealNVPOutlierDetector(max_iter=20, condition=["b"], random_state=0)
    detector = ThresholdDetector(conditional, rule="sigma", level=2.0).fit(X)
    assert detector.offset_ == pytest.approx(-chi2.isf(2 * norm.sf(2), 1))


@pytest.mark.parametrize(
    "estimator",
    [
        AutoencoderDetector(max_iter=5),
        ContrastiveFlowDetector(max_iter=5),
        IsolationForest(n_estimators=2),
    ],
)
def test_sigma_needs_a_latent_space(estimator, labelled):
    X, _ = labelled
    with pytest.raises(ValueError, match="must be a flow trained by likelihood alone, such as"):
        ThresholdDetector(estimator, rule="sigma", level=2.0).fit(X)


def test_rows_without_a_score():
    X = np.random.RandomState(0).normal(size=(200, 2))
    X[:50, 0] = np.nan
    detector = ThresholdDetector(MahalanobisDetector(nan_policy="omit"), level=0.1).fit(X)
    assert (detector.predict(X[:50]) == 0).all()
    assert np.sum(detector.predict(X) == -1) == 15
    frozen = FrozenEstimator(MahalanobisDetector(nan_policy="omit").fit(X))
    with pytest.raises(ValueError, match="bulk rows must have scores; got NaN for all"):
        ThresholdDetector(frozen).fit(X[:50])


def test_bad_levels_and_rules(labelled):
    X, _ = labelled
    with pytest.raises(ValueError, match="level must be a share below 1 with rule='quantile'"):
        ThresholdDetector(MahalanobisDetector(), level=2.0).fit(X)
    with pytest.raises(ValueError, match=r"needs at least 2 bulk rows.*got 1 sample"):
        ThresholdDetector(MahalanobisDetector(), rule="false_alarms").fit(X[:1])
    detector = ThresholdDetector(MahalanobisDetector()).fit(X)
    detector.set_params(rule="sigma")
    with pytest.raises(
        AttributeError, match="a change of rule, from 'quantile', needs another fit"
    ):
        detector.predict(X)
    detector.set_params(rule="quantile", level=1.0)
    with pytest.raises(AttributeError, match=r"level must be a share below 1; got 1\.0"):
        detector.predict(X)
    assert not hasattr(ThresholdDetector(MahalanobisDetector()), "offset_")


def test_tuned_threshold_is_the_best(labelled):
    """No other threshold on the held-out scores has a better metric, found by trying all."""
    X, y = labelled
    frozen = FrozenEstimator(MahalanobisDetector().fit(X[:500], y[:500]))
    for name, metric in {
        "f1": lambda t, p: f1_score(t, p, pos_label=-1),
        "balanced_accuracy": balanced_accuracy_score,
    }.items():
        detector = TunedThresholdDetectorCV(frozen, metric=name).fit(X[500:], y[500:])
        scores = detector.score_samples(X[500:])
        every = [metric(y[500:], np.where(scores <= t, -1, 1)) for t in np.unique(scores)]
        assert detector.best_score_ == pytest.approx(max(every))
        assert detector.best_score_ == metric(y[500:], detector.predict(X[500:]))
        assert detector.offset_ == detector.best_threshold_
        assert len(detector.thresholds_) == len(detector.scores_) <= 200


class Remembering(DensityRatioDetector):
    """Knows the anomalies that it trained on by heart."""

    def fit(self, X, y=None, X_contrast=None):
        super().fit(X, y, X_contrast)
        self.known_ = {row.tobytes() for row in X[y == -1]}
        return self

    def score_samples(self, X):
        known = [row.tobytes() in self.known_ for row in X]
        return super().score_samples(X) - np.where(known, 1e4, 0.0)


def test_tuning_is_cross_fitted():
    """A detector with labels knows its training rows: its threshold must come from others."""
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(330, 3)), np.repeat([1, -1], [300, 30])  # nothing to find
    detector = Remembering(MahalanobisDetector(), MahalanobisDetector())
    tuned = TunedThresholdDetectorCV(detector, n_thresholds=20).fit(X, y)
    assert tuned.best_score_ < 0.65
    assert balanced_accuracy_score(y, tuned.predict(X)) > tuned.best_score_
    assert len(tuned.thresholds_) == 20
    assert (np.diff(tuned.thresholds_) > 0).all()


def test_a_metric_of_ones_own(labelled):
    X, y = labelled

    def metric(y_true, y_pred):
        return precision_score(y_true, y_pred, prevalence=0.001)

    careful = TunedThresholdDetectorCV(MahalanobisDetector(), metric=metric, cv=3).fit(X, y)
    bold = TunedThresholdDetectorCV(MahalanobisDetector(), cv=3, n_jobs=2).fit(X, y)
    assert careful.best_threshold_ < bold.best_threshold_
    scores = cross_val_score(bold, X, y, scoring=get_scorer("precision"), cv=3)
    assert (scores > 0.2).all()


def test_tuning_with_infinite_scores_and_folds_that_are_none():
    X = np.concatenate([np.arange(100.0), np.full(20, -1e9)])[:, None]
    y = np.repeat([1, -1], [100, 20])

    class Infinite(MahalanobisDetector):
        def score_samples(self, X):
            return np.where(np.asarray(X)[:, 0] < -1e8, -np.inf, np.asarray(X)[:, 0])

    frozen = FrozenEstimator(Infinite().fit(X))
    detector = TunedThresholdDetectorCV(frozen, metric="f1").fit(X, y)
    assert detector.best_score_ == 1
    np.testing.assert_array_equal(detector.predict(X), y)
    for method in ("isotonic", "sigmoid"):
        rare = CalibratedDetectorCV(frozen, method=method).fit(X, y).predict_proba(X)[:, 0]
        assert np.isfinite(rare).all()
        assert rare[y == -1].min() > rare[y == 1].mean()
    with pytest.raises(ValueError, match="cv must be a partition"):
        TunedThresholdDetectorCV(Infinite(), cv=StratifiedShuffleSplit(2)).fit(X, y)


def test_the_prior_has_a_say_beyond_all_labels(labelled):
    """Far out only anomalies were seen, but 200 rows cannot make a millionth likely."""
    X, y = labelled
    for method in ("isotonic", "sigmoid"):
        detector = CalibratedDetectorCV(MahalanobisDetector(), method=method, prevalence=1e-9)
        far = detector.fit(X, y).predict_proba([[9.0, 9.0]])[0, 0]
        # A logistic function goes on beyond the rows.
        assert far < 1e-5 if method == "isotonic" else far > 0.5
        other = "sigmoid" if method == "isotonic" else "isotonic"
        with pytest.raises(ValueError, match=f"a change of method, from '{method}', needs another"):
            detector.set_params(method=other).predict_proba(X)


def test_nothing_to_tune(labelled):
    X, y = labelled
    with pytest.warns(UserWarning, match="y holds no -1, so there is nothing to tune: 5%"):
        detector = TunedThresholdDetectorCV(MahalanobisDetector()).fit(X[y == 1])
    assert np.mean(detector.predict(X[y == 1]) == -1) == pytest.approx(0.05, abs=0.01)
    frozen = FrozenEstimator(MahalanobisDetector(nan_policy="omit").fit(X))
    with pytest.raises(ValueError, match="anomalies must have scores; got NaN for all"):
        TunedThresholdDetectorCV(frozen).fit(np.where(y == -1, np.nan, X.T).T, y)


@pytest.mark.parametrize("method", ["isotonic", "sigmoid"])
def test_probabilities_are_frequencies(method):
    """Where the answer is known: N(0, 1) and N(0, 9) have the odds exp(4 x^2 / 9) / 3."""
    rng = np.random.RandomState(0)
    y = np.where(rng.uniform(size=20_000) < 0.3, -1, 1)
    X = (rng.normal(size=20_000) * np.where(y == -1, 3, 1))[:, None]
    detector = CalibratedDetectorCV(MahalanobisDetector(), method=method).fit(X, y)
    grid = np.linspace(0, 3, 40)[:, None]
    odds = np.exp(4 * grid[:, 0] ** 2 / 9) / 3
    for prevalence in (None, 0.01, 0.9):
        detector.set_params(prevalence=prevalence)
        prior = 0.3 if prevalence is None else prevalence
        exact = prior * odds / (prior * odds + 1 - prior)
        found = detector.predict_proba(grid)
        np.testing.assert_allclose(found.sum(axis=1), 1)
        assert np.abs(found[:, 0] - exact).mean() < 0.03
        np.testing.assert_array_equal(detector.predict(grid), np.where(found[:, 0] >= 0.5, -1, 1))
    np.testing.assert_array_equal(detector.classes_, [-1, 1])


def test_probabilities_of_new_rows_are_calibrated(labelled):
    """In bins of the probability, as large a share is rare: with cross-fitting only."""
    rng = np.random.RandomState(1)
    y = np.where(rng.uniform(size=3000) < 0.3, -1, 1)
    X = rng.normal(size=(3000, 4)) + 1.0 * (y == -1)[:, None]
    learner = Remembering(MahalanobisDetector(), MahalanobisDetector())
    share = np.mean(learner.fit(X[:1000], y[:1000]).score_samples(X[:1000]) < -1e3)
    assert share == np.mean(y[:1000] == -1)  # without cross-fitting all would be certain
    detector = CalibratedDetectorCV(learner, method="sigmoid", cv=3).fit(X[:1000], y[:1000])
    rare = detector.predict_proba(X[1000:])[:, 0]
    for low in np.arange(0, 1, 0.25):
        own = (rare >= low) & (rare < low + 0.25)
        share = np.mean(y[1000:][own] == -1)
        error = np.sqrt(0.25 / own.sum())
        assert share == pytest.approx(rare[own].mean(), abs=3 * error)


def test_probability_without_labels_is_the_prior(labelled):
    X, y = labelled
    with pytest.warns(UserWarning, match="y holds no -1: nothing is known of rare rows"):
        detector = CalibratedDetectorCV(MahalanobisDetector(), prevalence=0.01).fit(X[y == 1])
    np.testing.assert_allclose(detector.predict_proba(X[:3]), [[0.01, 0.99]] * 3)
    X = np.where(np.arange(2) == 0, X, np.where(y == -1, np.nan, 0.0)[:, None])
    frozen = FrozenEstimator(MahalanobisDetector(nan_policy="omit").fit(X))
    with pytest.raises(ValueError, match="rows of both classes must have scores"):
        CalibratedDetectorCV(frozen).fit(X, y)


def test_lost_rows_have_no_probability(labelled):
    X, y = labelled
    X[:5] = np.nan
    detector = CalibratedDetectorCV(MahalanobisDetector(nan_policy="omit"), cv=2).fit(X, y)
    assert np.isnan(detector.predict_proba(X[:6])[:5]).all()
    np.testing.assert_array_equal(detector.predict(X[:5]), 0)
    assert detector.score_samples(X)[5] == detector.estimator_.score_samples(X)[5]


@pytest.mark.parametrize(
    "meta", [CalibratedDetectorCV, ThresholdDetector, TunedThresholdDetectorCV]
)
def test_a_failed_fit_loses_nothing(meta, labelled):
    X, y = labelled
    detector = meta(MahalanobisDetector()).fit(X, y)
    before = dict(vars(detector))
    with pytest.raises(ValueError, match="infinity"):
        detector.fit(np.where(X > 3, np.inf, X), y)
    assert vars(detector) == before
