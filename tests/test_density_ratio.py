"""The ratio of two densities: of two detectors, and of one class-conditional flow."""

import numpy as np
import pytest
from contrast_detectors import mse_ratio
from scipy.stats import multivariate_normal

from skflow import (
    ClassConditionalFlowDetector,
    ContrastiveFlowDetector,
    DensityRatioDetector,
    MahalanobisDetector,
)
from skflow.metrics import roc_auc_score

P, Q = multivariate_normal([0, 0]), multivariate_normal([1, 0], [[0.5, 0.2], [0.2, 0.5]])


@pytest.fixture
def samples():
    rng = np.random.RandomState(0)
    return P.rvs(4000, random_state=rng), Q.rvs(4000, random_state=rng)


def test_ratio_of_two_normals(samples):
    bulk, contrast = samples
    detector = DensityRatioDetector(MahalanobisDetector(), MahalanobisDetector())
    detector.fit(bulk, X_contrast=contrast)
    grid = np.random.RandomState(1).uniform(-2, 2, size=(200, 2))
    expected = P.logpdf(grid) - Q.logpdf(grid)
    np.testing.assert_allclose(detector.score_samples(grid), expected, atol=0.5)
    flagged = (detector.predict(P.rvs(4000, random_state=2)) == -1).mean()
    assert flagged == pytest.approx(0.05, abs=0.02)


def test_mse_ratio_is_the_difference_of_squared_distances(samples):
    """Spherical Mahalanobis detectors: squared errors to two means, each in its own variance."""
    bulk, contrast = samples
    detector = mse_ratio().fit(bulk, X_contrast=contrast)
    squared = [
        ((bulk[:5] - kind.mean(axis=0)) ** 2).sum(axis=1) / kind.var(axis=0).mean()
        for kind in samples
    ]
    constant = np.log(contrast.var(axis=0).mean() / bulk.var(axis=0).mean())
    np.testing.assert_allclose(
        detector.score_samples(bulk[:5]), (squared[1] - squared[0]) / 2 + constant
    )


def test_labels_and_auxiliary_rows_have_a_density_each(samples):
    """Repeated to be as many as the others, a few labels would be spikes in one density."""
    bulk, contrast = samples
    labelled = contrast[:30] - [3, 0]
    X, y = np.vstack([bulk, labelled]), np.repeat([1, -1], [4000, 30])
    normal = MahalanobisDetector()
    detector = DensityRatioDetector(normal, normal).fit(X, y, X_contrast=contrast)
    p, q1, q2 = (normal.fit(rows).score_samples(X) for rows in (bulk, labelled, contrast))
    np.testing.assert_allclose(detector.score_samples(X), p - np.logaddexp(q1, q2) + np.log(2))


def test_labels_and_auxiliary_rows_are_the_same_and_without_any_it_is_the_density(samples):
    bulk, contrast = samples
    detector = DensityRatioDetector(MahalanobisDetector(), MahalanobisDetector())
    by_sample = detector.fit(bulk, X_contrast=contrast).score_samples(bulk)
    X, y = np.vstack(samples), np.repeat([1, -1], 4000)
    np.testing.assert_array_equal(detector.fit(X, y).score_samples(bulk), by_sample)
    alone = detector.fit(bulk).score_samples(bulk)
    np.testing.assert_array_equal(alone, MahalanobisDetector().fit(bulk).score_samples(bulk))


def test_scores_that_are_no_density_are_refused(samples):
    bulk, contrast = samples
    detector = DensityRatioDetector(MahalanobisDetector(), ContrastiveFlowDetector())
    with pytest.raises(ValueError, match=r"contrast_estimator must be .* is a log-density"):
        detector.fit(bulk, X_contrast=contrast)
    detector = DensityRatioDetector(MahalanobisDetector(), MahalanobisDetector())
    with pytest.raises(ValueError, match="at least 2 rows with y = -1 or none"):
        detector.fit(bulk, X_contrast=contrast[:1])


@pytest.fixture(scope="module")
def conditional():
    rng = np.random.RandomState(0)
    bulk, contrast = P.rvs(4000, random_state=rng), Q.rvs(4000, random_state=rng)
    return ClassConditionalFlowDetector(
        noise=0, contrast_noise=0, max_iter=800, n_blocks=4, random_state=0
    ).fit(bulk, X_contrast=contrast)


def test_class_conditional_densities_are_those_of_the_classes(conditional):
    grid = np.stack(np.meshgrid(*[np.linspace(-1.5, 2, 15)] * 2), axis=-1).reshape(-1, 2)
    found = conditional.log_densities(grid)
    np.testing.assert_array_equal(found[:, 0] - found[:, 1], conditional.score_samples(grid))
    for column, truth in enumerate((P, Q)):
        expected = truth.logpdf(grid)
        near = expected > -5
        assert np.abs(found[near, column] - expected[near]).mean() < 0.25
    # Both are normalised.
    axis, width = np.linspace(-8, 8, 161, retstep=True)
    plane = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    total = np.exp(conditional.log_densities(plane)).sum(axis=0) * width**2
    np.testing.assert_allclose(total, 1, atol=0.03)


def test_class_conditional_samples(conditional):
    for rare, truth in ((False, P), (True, Q)):
        drawn = conditional.sample(4000, random_state=0, rare=rare)
        np.testing.assert_allclose(drawn.mean(axis=0), truth.mean, atol=0.15)
        np.testing.assert_allclose(np.cov(drawn.T), truth.cov, atol=0.2)
    assert conditional.transform(drawn).shape == (4000, 2)


def test_few_rare_rows_share_weights_with_the_bulk():
    rng = np.random.RandomState(0)
    bulk, rare = rng.normal(size=(3000, 5)), 0.8 + 0.3 * rng.normal(size=(1030, 5))
    X, y = np.vstack([bulk[:2000], rare[:30]]), np.repeat([1, -1], [2000, 30])
    X_test, y_test = np.vstack([bulk[2000:], rare[30:]]), np.repeat([1, -1], 1000)
    detector = ClassConditionalFlowDetector(random_state=0).fit(X, y)
    assert roc_auc_score(y_test, detector.anomaly_score(X_test)) > 0.95


def test_class_conditional_with_a_condition_and_a_discrete_feature():
    rng = np.random.RandomState(0)
    angle, count = rng.uniform(0, 1, 1500), rng.poisson(3, 1500)
    X = np.column_stack([angle, rng.normal(5 * angle, 1), count])
    y = np.repeat([1, -1], [1400, 100])
    X[1400:, 1] += 3
    detector = ClassConditionalFlowDetector(
        condition=[0], discrete_features=[2], n_blocks=4, random_state=0
    ).fit(X, y)
    assert detector.transform(X).shape == (1500, 2)
    drawn = detector.sample(500, random_state=0, condition=[0.5], rare=True)
    assert (drawn[:, 0] == 0.5).all()
    np.testing.assert_array_equal(drawn[:, 2], np.round(drawn[:, 2]))
    assert drawn[:, 1].mean() == pytest.approx(5.5, abs=0.7)
    assert roc_auc_score(y, detector.anomaly_score(X)) > 0.9


def test_class_conditional_without_rare_rows(bulk):
    detector = ClassConditionalFlowDetector(max_iter=40, n_blocks=2, random_state=0).fit(bulk)
    assert np.isfinite(detector.score_samples(bulk)).all()
    with pytest.raises(ValueError, match="log_densities needs the density of rare events"):
        detector.log_densities(bulk)
    with pytest.raises(ValueError, match=r"sample\(rare=True\) needs"):
        detector.sample(5, rare=True)


def test_class_conditional_conditions_are_checked(bulk):
    detector = ClassConditionalFlowDetector(max_iter=20, n_blocks=2, random_state=0)
    with pytest.raises(ValueError, match="must leave a column of X to score; got all 3"):
        detector.set_params(condition=[0, 1, 2]).fit(bulk)
    detector.set_params(condition=[0]).fit(bulk)
    with pytest.raises(ValueError, match="condition must be values of 1 columns; got None"):
        detector.sample(3)
    with pytest.raises(ValueError, match=r"shape \(1,\) or \(3, 1\); got \(2,\)"):
        detector.sample(3, condition=[1.0, 2.0])
    with pytest.raises(ValueError, match="condition must be None"):
        detector.set_params(condition=None).fit(bulk).sample(3, condition=[1.0])
