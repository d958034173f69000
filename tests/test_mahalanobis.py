"""MahalanobisDetector against scipy and scikit-learn."""

import numpy as np
import pytest
from scipy.stats import chi2, multivariate_normal
from sklearn.covariance import EmpiricalCovariance, LedoitWolf, MinCovDet

from skflow import MahalanobisDetector


@pytest.fixture
def X():
    rng = np.random.RandomState(0)
    return rng.normal(size=(300, 4)) @ rng.normal(size=(4, 4)) * [1, 20, 0.05, 1] + [5, 0, 9, 0]


@pytest.mark.parametrize(
    ("covariance", "estimator"),
    [
        ("full", EmpiricalCovariance()),
        ("ledoit_wolf", LedoitWolf()),
        ("mcd", MinCovDet(random_state=0)),
    ],
)
def test_agrees_with_scikit_learn(X, covariance, estimator):
    detector = MahalanobisDetector(covariance=covariance, random_state=0).fit(X)
    estimator.fit(X)
    np.testing.assert_allclose(detector.location_, estimator.location_)
    np.testing.assert_allclose(detector.covariance_, estimator.covariance_, rtol=1e-9)
    np.testing.assert_allclose(detector.mahalanobis(X) ** 2, estimator.mahalanobis(X), rtol=1e-8)


@pytest.mark.parametrize("covariance", ["full", "diagonal", "spherical", "ledoit_wolf", "mcd"])
def test_score_is_the_log_density(X, covariance):
    detector = MahalanobisDetector(covariance=covariance, random_state=0).fit(X)
    expected = multivariate_normal(detector.location_, detector.covariance_).logpdf(X)
    np.testing.assert_allclose(detector.score_samples(X), expected, rtol=1e-9)
    assert detector.score(X) == pytest.approx(expected.mean())


def test_spherical_ranks_by_squared_error_to_the_mean(X):
    detector = MahalanobisDetector(covariance="spherical").fit(X)
    error = np.square(X - X.mean(axis=0)).sum(axis=1)
    np.testing.assert_allclose(detector.mahalanobis(X) ** 2, error / X.var(axis=0).mean())


def test_robust_against_outliers(X):
    spoiled = np.vstack([X, X[:40] + [100, 0, 0, 0]])
    plain = MahalanobisDetector().fit(spoiled)
    robust = MahalanobisDetector(covariance="mcd", random_state=0).fit(spoiled)
    assert plain.mahalanobis(spoiled[-40:]).mean() < 5
    assert robust.mahalanobis(spoiled[-40:]).min() > 10


def test_distances_of_normal_data_follow_chi_square():
    X = np.random.RandomState(0).normal(size=(20_000, 3))
    distances = MahalanobisDetector().fit(X[:10_000]).mahalanobis(X[10_000:])
    share = (distances**2 > chi2(3).ppf(0.95)).mean()
    assert share == pytest.approx(0.05, abs=0.01)


def test_distance_of_rows_with_nan(X):
    detector = MahalanobisDetector(nan_policy="omit").fit(X)
    distances = detector.mahalanobis([[np.nan, 0, 0, 0], [0, 0, 0, 0]])
    assert np.isnan(distances[0])
    assert np.isfinite(distances[1])
    # Losing rows never helps a search, and the others decide between equal losses.
    rows = np.vstack([X[:10], [[np.nan, 0, 0, 0]]])
    assert detector.score(rows) < detector.score(X[:10] + 10)
    assert detector.score(rows) > detector.score(rows + 10)
    with pytest.raises(ValueError, match="at least one bulk row"):
        detector.score(X[:3], [-1, -1, -1])
