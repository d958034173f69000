"""Data that is not smooth: discrete and mixed columns, atoms, heavy tails, far anomalies."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, poisson, t
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from skflow import RealNVPOutlierDetector


@pytest.mark.parametrize("flow", ["realnvp", "spline"])
def test_discrete_column_has_probabilities(flow):
    """Counts k and x ~ N(k / 2, 1): P(k) p(x | k), a sum over k that is the density of x."""
    rng = np.random.RandomState(0)
    k = rng.poisson(3, 4000)
    X = np.column_stack([k, rng.normal(k / 2, 1)])
    detector = RealNVPOutlierDetector(
        flow=flow, discrete_features=[0], hidden_features=64, n_blocks=4, random_state=0
    ).fit(X)
    counts, x = np.arange(9.0), np.linspace(-3, 7, 200)
    grid = np.array([(a, b) for a in counts for b in x])
    density = np.exp(detector.score_samples(grid)).reshape(9, 200)
    probability = density.sum(axis=1) * (x[1] - x[0])
    np.testing.assert_allclose(probability, poisson(3).pmf(counts), atol=0.035)
    assert probability.sum() == pytest.approx(1, abs=0.03)
    mean = (density[4] * x).sum() / density[4].sum()
    assert mean == pytest.approx(2, abs=0.15)
    drawn = detector.sample(3000, 0)
    assert set(drawn[:, 0]) <= set(range(-2, 20))
    assert drawn[:, 0].mean() == pytest.approx(3, abs=0.2)


def test_steps_are_learned_and_units_count():
    """Columns in steps of 0.25 from 1: the score is a probability, whatever the unit."""
    rng = np.random.RandomState(0)
    values = rng.choice([1.0, 1.25, 1.5, 1.75], 2000, p=[0.1, 0.2, 0.3, 0.4])
    X = np.column_stack([values, rng.normal(size=2000)])
    scores = []
    for unit in (1, 1000):
        detector = RealNVPOutlierDetector(discrete_features=[0], max_iter=200, random_state=0)
        detector.fit(X * [unit, 1])
        scores.append(detector.score_samples(X[:50] * [unit, 1]))
        drawn = detector.sample(500, 0)[:, 0] / unit
        np.testing.assert_allclose(drawn * 4, np.round(drawn * 4), atol=1e-9)
    np.testing.assert_allclose(scores[0], scores[1], atol=0.05)


def test_discrete_columns_by_name_and_their_errors():
    frame = pd.DataFrame({"n": [0, 1, 2, 0, 1] * 20, "x": np.linspace(0, 1, 100)})
    by_name = RealNVPOutlierDetector(discrete_features=["n"], max_iter=5, random_state=0)
    by_position = RealNVPOutlierDetector(discrete_features=[0], max_iter=5, random_state=0)
    np.testing.assert_array_equal(
        by_name.fit(frame).score_samples(frame), by_position.fit(frame).score_samples(frame)
    )
    with pytest.raises(ValueError, match="discrete_features must be columns of X"):
        RealNVPOutlierDetector(discrete_features=["m"]).fit(frame)
    with pytest.raises(ValueError, match="discrete_features must not be in the condition"):
        RealNVPOutlierDetector(discrete_features=[0], condition=["n"]).fit(frame)


def test_categories_through_encoders():
    """The recipes of the user guide: one-hot columns, and ordered codes as discrete columns."""
    rng = np.random.RandomState(0)
    colour = rng.choice(["red", "green", "blue"], 1500, p=[0.6, 0.38, 0.02])
    x = rng.normal(np.where(colour == "red", -2, 2), 0.5)
    frame = pd.DataFrame({"colour": colour, "x": x})
    asked = pd.DataFrame({"colour": ["red", "red", "green"], "x": [-2.0, 2.0, 2.0]})
    for encoder, discrete in (
        (OneHotEncoder(sparse_output=False), [0, 1, 2]),
        (OrdinalEncoder(), [0]),
    ):
        columns = make_column_transformer((encoder, ["colour"]), remainder="passthrough")
        flow = RealNVPOutlierDetector(
            discrete_features=discrete, hidden_features=64, random_state=0
        )
        pipeline = make_pipeline(columns, flow).fit(frame)
        usual, broken, other = pipeline.score_samples(asked)
        assert broken < min(usual, other) - 3
        assert pipeline.predict(asked).tolist() == [1, -1, 1]


def test_atoms():
    """Half of the rows are exactly 0: a spike of the width of the noise, and finite scores."""
    rng = np.random.RandomState(0)
    X = np.where(rng.rand(3000, 1) < 0.5, 0.0, rng.normal(5, 1, (3000, 1)))
    detector = RealNVPOutlierDetector(flow="spline", random_state=0).fit(X)
    scores = detector.score_samples([[0.0], [5.0], [2.0]])
    assert np.isfinite(scores).all()
    assert scores[0] > scores[1] > scores[2] + 1
    grid = np.linspace(-3, 12, 20_001)[:, None]
    density = np.exp(detector.score_samples(grid))
    near = np.abs(grid[:, 0]) < 0.5
    assert density[near].sum() * 15 / 20_000 == pytest.approx(0.5, abs=0.05)


def test_heavy_tails():
    """Student's t with 2 degrees of freedom: the spline follows the quantiles."""
    X = t(2).rvs((5000, 2), random_state=0)
    fresh = t(2).rvs((2000, 2), random_state=1)
    detector = RealNVPOutlierDetector(flow="spline", n_blocks=4, hidden_features=32, random_state=0)
    divergence = t(2).logpdf(fresh).sum(axis=1) - detector.fit(X).score_samples(fresh)
    assert np.median(np.abs(divergence)) < 0.3
    assert np.clip(divergence, -5, 5).mean() < 0.25


@pytest.mark.parametrize("flow", ["realnvp", "spline"])
@pytest.mark.parametrize("data", ["normal", "banana", "heavy", "one feature"])
def test_far_anomalies_grow_with_distance(flow, data):
    rng = np.random.RandomState(0)
    if data == "normal":
        X = rng.normal(size=(1500, 10))
    elif data == "banana":
        x = rng.normal(size=1500)
        X = np.column_stack([x, x**2 + 0.3 * rng.normal(size=1500)])
    elif data == "heavy":
        X = rng.standard_t(2, size=(1500, 3))
    else:
        X = rng.exponential(size=(1500, 1))
    detector = RealNVPOutlierDetector(
        flow=flow, n_blocks=4, hidden_features=64, random_state=0
    ).fit(X)
    d = X.shape[1]
    rays = np.vstack([rng.normal(size=(60, d)), np.eye(d), -np.eye(d)])
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    distances = np.logspace(1, 6, 6)  # standard deviations
    rows = X.mean(axis=0) + distances[:, None, None] * rays * X.std(axis=0)
    scores = detector.score_samples(rows.reshape(-1, d)).reshape(len(distances), -1)
    assert (np.diff(scores, axis=0) < 0).all()
    assert (scores[1:] < detector.offset_).all()
    # As a normal density's: the square of the distance.
    assert (scores[-1] < -1e9).all()


def test_mixed_margins_bounded_and_skewed():
    """One flow for a uniform, an exponential and a normal column."""
    rng = np.random.RandomState(0)

    def draw(n):
        return np.column_stack([rng.uniform(size=n), rng.exponential(size=n), rng.normal(size=n)])

    fresh = draw(2000)
    expected = -fresh[:, 1] + norm.logpdf(fresh[:, 2])
    detector = RealNVPOutlierDetector(
        flow="spline", n_blocks=4, hidden_features=32, noise=0.01, random_state=0
    ).fit(draw(4000))
    assert (expected - detector.score_samples(fresh)).mean() < 0.15
