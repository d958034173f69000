"""RareEventDetector: no label to many, cross-fitting, what is unlike all rows, weights, parts."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from skflow import (
    AutoencoderDetector,
    ContrastiveFlowDetector,
    DensityRatioDetector,
    MahalanobisDetector,
    RareEventDetector,
    RealNVPOutlierDetector,
)
from skflow.detectors._stack import PENALTY, fit_stack
from skflow.metrics import roc_auc_score

QUICK = RealNVPOutlierDetector(n_blocks=2, hidden_features=32, max_iter=100)


def blobs(n_rare, seed=0, n=1000):
    """Bulk that is standard normal and rare rows that lie within it, with test rows of both."""
    rng = np.random.RandomState(seed)
    X = np.vstack([rng.normal(size=(n, 3)), 1 + 0.3 * rng.normal(size=(n_rare, 3))])
    X_test = np.vstack([rng.normal(size=(1000, 3)), 1 + 0.3 * rng.normal(size=(1000, 3))])
    return X, np.repeat([1, -1], [n, n_rare]), X_test, np.repeat([1, -1], 1000)


@pytest.fixture
def quick():
    return RareEventDetector(QUICK, random_state=0)


@pytest.mark.parametrize(("n_rare", "least"), [(1, 0.7), (2, 0.7), (10, 0.9), (500, 0.95)])
def test_any_number_of_labels(quick, n_rare, least):
    X, y, X_test, y_test = blobs(n_rare)
    quick.fit(X, y)
    assert roc_auc_score(y_test, quick.anomaly_score(X_test)) > least
    assert (quick.predict(X_test[:1000]) == -1).mean() == pytest.approx(0.05, abs=0.03)
    assert (quick.coefficients_ >= 0).all()


def test_without_labels_it_is_a_flow(quick):
    X, _, X_test, _ = blobs(0)
    quick.fit(X)
    mean = np.mean([member.score_samples(X_test) for member in quick.estimators_], axis=0)
    np.testing.assert_allclose(quick.score_samples(X_test), mean)
    assert quick.part_names_ == ["log-density"]
    assert quick.classifiers_ == []
    # Cross-fitted, so that the threshold holds on fresh rows.
    assert (quick.predict(X_test[:1000]) == -1).mean() == pytest.approx(0.05, abs=0.025)


def test_training_rows_are_not_told_from_test_rows_by_their_log_density():
    rng = np.random.RandomState(0)
    X, fresh = rng.normal(size=(2, 4000, 8))
    y = np.where(np.arange(4000) < 3900, 1, -1)
    detector = RareEventDetector(
        RealNVPOutlierDetector(n_blocks=4, max_iter=400, early_stopping=False), random_state=0
    ).fit(X, y)
    is_fresh = np.repeat([0, 1], [3900, 4000])

    def told_apart(of_training):
        both = np.concatenate([of_training, detector._log_density(fresh)])
        # Not by the mean alone: by any threshold, and by distance from the middle.
        features = np.column_stack([both, np.abs(both - np.median(both))])
        scores = LogisticRegression().fit(features, is_fresh).decision_function(features)
        return roc_auc_score(np.where(is_fresh, -1, 1), scores)

    assert told_apart(detector.cross_fitted_log_density_) == pytest.approx(0.5, abs=0.02)
    assert told_apart(detector._log_density(X[:3900])) > 0.53  # in-sample betrays them


def test_rows_unlike_both_are_flagged_where_a_ratio_misses_them(quick):
    """p = N(0, I), q = N(2, 0.7^2 I): far on the side of the bulk the ratio p/q says bulk."""
    rng = np.random.RandomState(0)
    X = np.vstack([rng.normal(size=(2000, 2)), 2 + 0.7 * rng.normal(size=(500, 2))])
    y = np.repeat([1, -1], [2000, 500])
    outside = np.array([[-30.0, -30.0], [-30.0, 10.0], [1000.0, -1e6]])
    ratio = DensityRatioDetector(
        MahalanobisDetector(covariance="spherical"), MahalanobisDetector(covariance="spherical")
    )
    assert (ratio.fit(X, y).predict(outside) == 1).any()
    contrastive = ContrastiveFlowDetector(random_state=0)
    for detector in (quick, contrastive):
        assert (detector.fit(X, y).predict(outside) == -1).all(), detector
        inside = detector.score_samples(X).min()
        assert (detector.score_samples(outside) < inside).all(), detector


def test_contributions_sum_to_the_score(quick):
    X, y, X_test, _ = blobs(50)
    quick.fit(X, y)
    parts = quick.contributions(X_test)
    assert parts.shape == (2000, len(quick.part_names_))
    np.testing.assert_allclose(parts.sum(axis=1), quick.score_samples(X_test))
    far = quick.contributions(X_test[:1] + 1e4)
    assert quick.part_names_[far[0].argmin()] == "unlike all training rows"


def test_labels_and_auxiliary_rows_count_alike(quick):
    rng = np.random.RandomState(0)
    bulk = rng.normal(size=(600, 2))
    right = [2.0, 0.0] + 0.2 * rng.normal(size=(20, 2))
    left = [-2.0, 0.0] + 0.2 * rng.normal(size=(400, 2))
    X, y = np.vstack([bulk, right]), np.repeat([1, -1], [600, 20])
    scores = quick.fit(X, y, X_contrast=left).score_samples([[2.0, 0], [-2.0, 0], [0, 1.0]])
    assert scores[:2].max() < quick.offset_ < scores[2]


def test_sample_weight_of_zero_leaves_rows_out(quick):
    X, y, X_test, _ = blobs(20)
    weight = np.ones(len(X))
    weight[::3] = 0
    weighted = clone(quick).fit(X, y, sample_weight=weight).score_samples(X_test)
    left_out = clone(quick).fit(X[weight > 0], y[weight > 0]).score_samples(X_test)
    np.testing.assert_array_equal(weighted, left_out)


def test_sample_weight_moves_what_is_learned(quick):
    """The bulk is two blobs; with little weight one of them counts as unusual."""
    rng = np.random.RandomState(0)
    bulk = np.vstack([rng.normal([-3, 0], 0.5, (400, 2)), rng.normal([3, 0], 0.5, (400, 2))])
    rare = rng.normal([0, 3], 0.5, (40, 2))
    X, y = np.vstack([bulk, rare]), np.repeat([1, -1], [800, 40])
    weight = np.repeat([1.0, 0.01, 1.0], [400, 400, 40])
    for labels in (None, y):
        rows = X if labels is not None else bulk
        detector = clone(quick).fit(rows, labels, sample_weight=weight[: len(rows)])
        left, right = detector._log_density(np.array([[-3.0, 0], [3.0, 0]]))
        assert left > right + 1.5


def test_weights_that_hardly_differ_change_little(quick):
    """Every row is seen as often as its weight says: none is drawn twice or left out by chance."""
    X, y, X_test, _ = blobs(20)
    weight = np.ones(len(X))
    weight[0] = 1 + 1e-9
    weighted = clone(quick).fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(
        weighted._log_density(X_test), clone(quick).fit(X, y)._log_density(X_test)
    )


def test_thresholds_are_those_of_the_weighted_rows():
    rng = np.random.RandomState(0)
    bulk = np.vstack([rng.normal([-3, 0], 0.5, (400, 2)), rng.normal([3, 0], 0.5, (400, 2))])
    X, y = np.vstack([bulk, rng.normal([0, 3], 0.5, (40, 2))]), np.repeat([1, -1], [800, 40])
    weight = np.repeat([1.0, 1e-3, 1.0], [400, 400, 40])
    detector = RareEventDetector(MahalanobisDetector(), random_state=0)
    for n_rows in (800, 840):  # without and with labels
        detector.fit(X[:n_rows], y[:n_rows], sample_weight=weight[:n_rows])
        flagged = detector.predict(rng.normal([-3, 0], 0.5, (2000, 2))) == -1
        assert flagged.mean() == pytest.approx(0.05, abs=0.03)


@pytest.mark.parametrize("n_bulk", [2, 3, 5])
@pytest.mark.parametrize("n_rare", [1, 2, 3])
def test_hardly_any_rows(n_bulk, n_rare):
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(n_bulk + n_rare, 2)), np.repeat([1, -1], [n_bulk, n_rare])
    detector = RareEventDetector(MahalanobisDetector(), random_state=0).fit(X, y)
    assert np.isfinite(detector.score_samples(X)).all()
    assert len(detector.estimators_) == max(n_bulk // 2, 1)


def test_one_strange_row_in_the_bulk_makes_no_other_ordinary():
    rng = np.random.RandomState(0)
    X = np.vstack([rng.normal(size=(500, 2)), [[30.0, 30.0]], 1.5 + 0.3 * rng.normal(size=(20, 2))])
    y = np.repeat([1, -1], [501, 20])
    detector = RareEventDetector(MahalanobisDetector(), random_state=0).fit(X, y)
    assert (detector.predict([[10.0, -10.0], [-9.0, 0.0]]) == -1).all()


def test_values_that_trees_cannot_hold(quick):
    """Trees see float32: huge values are clipped, and time stamps keep their seconds."""
    rng = np.random.RandomState(0)
    seconds = np.concatenate([rng.uniform(0, 300, 600), 150 + 5 * rng.normal(size=60)])
    X, y = np.column_stack([seconds, rng.normal(size=660)]), np.repeat([1, -1], [600, 60])
    late = np.column_stack([1.6e9 + seconds, X[:, 1]])
    scores = [clone(quick).fit(rows, y).cross_fitted_scores_ for rows in (X, late)]
    assert np.corrcoef(scores)[0, 1] > 0.99
    quick.fit(X, y)
    far = quick.score_samples([[1e39, 0.0], [-1e300, 1e300]])
    assert np.isfinite(far).all()
    assert (far < quick.offset_).all()
    X[5] = 1e20, -1e20
    assert np.isfinite(quick.fit(X, y).score_samples(X)).all()


@pytest.mark.parametrize(
    ("changes", "given", "message"),
    [
        ({"estimator": AutoencoderDetector()}, {}, "estimator must be a detector whose score_samp"),
        ({"cv": 1}, {}, "The 'cv' parameter"),
        ({}, {"sample_weight": np.full(300, -1.0)}, "Negative values in data"),
        ({}, {"X_contrast": np.zeros((3, 2))}, "X_contrast does not match X"),
    ],
)
def test_bad_input_is_refused_and_changes_nothing(bulk, changes, given, message):
    detector = RareEventDetector(**changes)
    with pytest.raises(ValueError, match=message):
        detector.fit(bulk[:300], **given)
    assert not hasattr(detector, "estimators_")


def test_parallel_fits_are_the_same(quick):
    X, y, X_test, _ = blobs(20, n=300)
    alone = clone(quick).fit(X, y).score_samples(X_test)
    np.testing.assert_array_equal(
        clone(quick).set_params(n_jobs=2).fit(X, y).score_samples(X_test), alone
    )


def test_stack_against_scikit_learn():
    """Where no weight would be negative it is the ridge regression of scikit-learn."""
    rng = np.random.RandomState(0)
    is_rare = np.repeat([False, True], [900, 100])
    features = rng.normal(size=(1000, 3)) * [1, 5, 0.1] + is_rare[:, None] * [0.5, 4, 0.02] + 3
    weight = np.where(is_rare, 0.5 / 100, 0.5 / 900)
    coefficients, intercept = fit_stack(features, is_rare, weight, np.ones(3, dtype=bool))
    scale = features.std(axis=0)
    # There the penalty of one stands beside C times the sum of losses.
    expected = LogisticRegression(C=100 / PENALTY, tol=1e-10).fit(
        (features - features.mean(axis=0)) / scale, is_rare, sample_weight=weight
    )
    np.testing.assert_allclose(coefficients * scale, expected.coef_[0], rtol=1e-3)
    assert intercept + features.mean(axis=0) @ coefficients == pytest.approx(
        expected.intercept_[0], abs=1e-3
    )
    # A feature that falls with the odds, or is constant, gets no weight.
    features[:, 0] *= -1
    features[:, 2] = 7.0
    coefficients, _ = fit_stack(features, is_rare, weight, np.ones(features.shape[1], dtype=bool))
    assert coefficients[0] == coefficients[2] == 0 < coefficients[1]


def test_classifiers_are_not_dropped_by_chance():
    """Ten rare rows whose held-out odds happen to be low: no weights would leave a constant."""
    rng = np.random.RandomState(0)
    is_rare = np.arange(1010) >= 1000
    features = rng.normal(size=(1010, 3)) - 1.0 * is_rare[:, None]
    weight = np.where(is_rare, 0.1, 0.001)
    kept = np.array([True, False, False])
    few, _ = fit_stack(features, is_rare, weight, kept)
    np.testing.assert_allclose(few * features.std(axis=0), [0, 0.05, 0.05])
    # The floor falls with the number of rare rows, which then know better.
    many = np.repeat(is_rare, np.where(is_rare, 100, 1))
    rows = np.repeat(features, np.where(is_rare, 100, 1), axis=0)
    least, _ = fit_stack(rows, many, np.where(many, 1e-3, 1e-3), kept)
    np.testing.assert_allclose(least * rows.std(axis=0), [0, 0.0005, 0.0005], rtol=1e-6)
    # A feature that is constant gets nothing.
    constant, _ = fit_stack(np.ones((1010, 2)), is_rare, weight, kept[:2])
    np.testing.assert_array_equal(constant, [0, 0])


def test_rare_rows_without_weight():
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(60, 2)), np.repeat([1, -1], [50, 10])
    detector = RareEventDetector(MahalanobisDetector(), cv=2)
    with pytest.warns(UserWarning, match="all rows with y = -1 have weight 0"):
        detector.fit(X, y, sample_weight=(y == 1).astype(float))
    assert detector.part_names_ == ["log-density"]
