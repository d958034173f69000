"""Noise of training rows: one number for all features, or one for each."""

import numpy as np
import pytest

from skflow import AutoencoderDetector, ContrastiveFlowDetector, RealNVPOutlierDetector

DETECTORS = [RealNVPOutlierDetector, ContrastiveFlowDetector, AutoencoderDetector]
FAST = {"max_iter": 20, "hidden_features": 8, "random_state": 0}


def test_each_feature_has_its_own():
    """The density that is learned is that of the rows with their noise."""
    X = np.random.RandomState(0).normal(size=(3000, 3)) * [1.0, 1000.0, 1e-3]
    detector = RealNVPOutlierDetector(
        noise=[0.0, 1.0, 2.0],
        n_blocks=2,
        hidden_features=32,
        max_iter=400,
        early_stopping=False,  # held-out rows have no noise
        contamination=0.05,
        random_state=0,
    ).fit(X)
    spread = detector.sample(20_000, random_state=0).std(axis=0) / X.std(axis=0)
    np.testing.assert_allclose(spread, np.sqrt([1, 2, 5]), rtol=0.1)


def test_none_for_the_condition():
    rng = np.random.RandomState(0)
    X = np.column_stack([rng.normal(size=2000), rng.choice([-1.0, 1.0], 2000)])
    X[:, 0] += 3 * X[:, 1]
    detector = RealNVPOutlierDetector(
        condition=[1], noise=[0.01, 5.0], n_blocks=2, hidden_features=32, random_state=0
    ).fit(X)
    drawn = detector.sample(2000, random_state=0, condition=[1.0])[:, 0]
    assert drawn.mean() == pytest.approx(3, abs=0.3)
    assert drawn.std() == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("make", DETECTORS)
def test_one_number_is_the_same_for_all(make, labelled):
    X, y = labelled
    same = [make(noise=noise, **FAST).fit(X, y).score_samples(X) for noise in (0.3, [0.3] * 3)]
    np.testing.assert_array_equal(*same)


@pytest.mark.parametrize("noise", [[0.1, 0.2], [[0.1, 0.1, 0.1]], [0.1, -0.1, 0.1], [0, 0, np.inf]])
@pytest.mark.parametrize("make", DETECTORS)
def test_refuses_what_is_not_one_number_each(make, noise, labelled):
    message = "noise must be a number of at least 0, or one for each of the 3 columns; got "
    with pytest.raises(ValueError, match=f"^{message}"):
        make(noise=noise, **FAST).fit(*labelled)
    if make is ContrastiveFlowDetector:
        with pytest.raises(ValueError, match=f"^contrast_{message}"):
            make(contrast_noise=noise, **FAST).fit(*labelled)
