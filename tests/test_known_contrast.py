"""The contrastive flow against densities that are known: the clamped optimum and (p - c q)+."""

import warnings

import numpy as np
import pytest
from contrast_figure import EXACT, learned_density
from known_optimum import contrastive_optimum, positive_difference, total_variation
from scipy.stats import ks_2samp, norm
from sklearn.base import clone

from skflow import ContrastiveFlowDetector, RealNVPOutlierDetector

N = 50_000
AXIS, CELL = np.linspace(-10, 10, 2001, retstep=True)
BULK = norm.pdf(AXIS)


def drawn_mixture(n, rng):
    """A broad contrast sample: four normals, and its density on the axis."""
    means, widths = np.array([-3.0, -1.0, 1.0, 3.0]), np.array([1.5, 0.5, 0.5, 1.5])
    kind = rng.randint(4, size=n)
    density = np.mean([norm.pdf(AXIS, m, s) for m, s in zip(means, widths, strict=True)], axis=0)
    return rng.normal(means[kind], widths[kind])[:, None], density


def fitted(weight, clamp, contrast, rng):
    detector = clone(EXACT).set_params(contrast_weight=weight, clamp=clamp)
    return detector.fit(rng.normal(size=(N, 1)), X_contrast=contrast)


@pytest.mark.parametrize("weight", [0.5, 1.0])
@pytest.mark.parametrize("clamp", [2.0, 4.0, 6.0])
def test_figure_of_the_paper(weight, clamp):
    """p = N(0, 1), q = N(1, 2^2): figure 3 of arXiv:2208.14024."""
    learned, q = learned_density(weight, clamp, AXIS), norm.pdf(AXIS, 1, 2)
    optimum = contrastive_optimum(BULK, q, weight, clamp, CELL)
    assert total_variation(learned, optimum, CELL) < 0.05
    limit = positive_difference(BULK, q, weight, CELL)
    if clamp == 6:
        assert total_variation(learned, limit, CELL) < 0.05
    if clamp == 2:  # what the clamp does is seen
        assert total_variation(learned, limit, CELL) > 0.1
    if clamp == 6:  # and what contrast does
        assert total_variation(BULK, optimum, CELL) > 0.1


def test_broad_mixture_as_contrast():
    rng = np.random.RandomState(0)
    contrast, q = drawn_mixture(N, rng)
    learned = np.exp(fitted(1.0, 6.0, contrast, rng).score_samples(AXIS[:, None]))
    assert total_variation(learned, contrastive_optimum(BULK, q, 1.0, 6.0, CELL), CELL) < 0.05
    assert total_variation(BULK, learned, CELL) > 0.1


def box_density(X):
    margin = 0.1 * np.ptp(X)
    low, high = X.min() - margin, X.max() + margin
    return ((low < AXIS) & (high > AXIS)) / (high - low)


def noise_density(X):
    scales = np.exp(np.linspace(np.log(0.1), np.log(3), 200))
    return np.mean([norm.pdf(AXIS, scale=np.hypot(1, s)) for s in scales], axis=0)


@pytest.mark.parametrize(("kind", "density"), [("box", box_density), ("noise", noise_density)])
def test_synthetic_negatives_as_contrast(kind, density):
    X = np.random.RandomState(0).normal(size=(N, 1))
    detector = clone(EXACT).set_params(negatives=kind, contrast_weight=0.5, clamp=8.0).fit(X)
    learned, q = np.exp(detector.score_samples(AXIS[:, None])), density(X)
    assert total_variation(learned, contrastive_optimum(BULK, q, 0.5, 8.0, CELL), CELL) < 0.05
    assert total_variation(BULK, learned, CELL) > 0.07


def test_ring_in_two_dimensions():
    """p a ring, q a normal across its right half."""
    rng = np.random.RandomState(0)
    angle, radius = rng.uniform(0, 2 * np.pi, N), rng.normal(2, 0.4, N)
    ring = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    detector = clone(EXACT).set_params(
        flow="spline", n_blocks=4, max_iter=800, contrast_weight=0.5, clamp=6.0
    )
    detector.fit(ring, X_contrast=rng.normal([1, 0], 1, size=(N, 2)))
    axis, width = np.linspace(-5.95, 5.95, 120, retstep=True)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    r, q = np.linalg.norm(grid, axis=1), norm.pdf(grid, [1, 0], 1).prod(axis=1)
    p = norm.pdf(r, 2, 0.4) / (2 * np.pi * r)
    learned = np.exp(detector.score_samples(grid))
    optimum = contrastive_optimum(p, q, 0.5, 6.0, width**2)
    assert total_variation(learned, optimum, width**2) < 0.05
    assert total_variation(p, optimum, width**2) > 0.15


def test_samples_are_those_of_the_positive_difference():
    rng = np.random.RandomState(0)
    detector = fitted(0.5, 8.0, rng.normal(1, 2, size=(N, 1)), rng)
    cumulated = positive_difference(BULK, norm.pdf(AXIS, 1, 2), 0.5, CELL).cumsum() * CELL
    expected = np.interp(rng.uniform(size=2000), cumulated, AXIS + CELL / 2)
    assert ks_2samp(detector.sample(2000, random_state=1).ravel(), expected).pvalue > 0.01
    # The test can fail: the bulk itself is told from it.
    assert ks_2samp(rng.normal(size=2000), expected).pvalue < 1e-6


def test_clamp_stays_where_it_was_frozen():
    """With 30 % of the bulk where q > p a running quantile of the bulk would chase itself."""
    rng = np.random.RandomState(0)
    bulk = np.vstack([rng.normal(size=(3500, 2)), rng.normal([4, 0], 0.3, size=(1500, 2))])
    detector = ContrastiveFlowDetector(random_state=0, early_stopping=False, contamination=0.05)
    detector.fit(bulk, X_contrast=rng.normal([4, 0], 0.3, size=(5000, 2)))
    entropy = -RealNVPOutlierDetector(random_state=0).fit(bulk).score(bulk)
    assert detector.clamp_ == pytest.approx(entropy + 30, abs=2)
    scores = detector.score_samples(bulk)
    assert np.isfinite(scores).all()
    assert scores[3500:].mean() < scores[:3500].mean() - 3  # contrast had its way
    assert scores[:3500].mean() > -entropy - 5  # and the other bulk is as likely as before


def test_clamp_below_the_density_of_the_bulk_is_warned_about():
    rng = np.random.RandomState(0)
    X, contrast = rng.normal(size=(500, 4)), rng.normal(1, 0.5, size=(200, 4))
    detector = ContrastiveFlowDetector(max_iter=60, n_blocks=2, clamp=-3.0, random_state=0)
    with pytest.warns(UserWarning, match="clamp of -3 nats lies below the bulk's median negative"):
        detector.fit(X, X_contrast=contrast)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        detector.set_params(clamp="auto").fit(X, X_contrast=contrast)


@pytest.mark.parametrize("source", ["X_contrast", "y"])
def test_contrast_equal_to_the_bulk_is_warned_about_and_destroys_nothing(source):
    rng = np.random.RandomState(0)
    bulk, same = rng.normal(size=(2, 1000, 3)) * [1, 10, 0.1]
    detector = ContrastiveFlowDetector(contrast_weight=0.5, random_state=0)
    given = {
        "X_contrast": {"X": bulk, "X_contrast": same},
        "y": {"X": np.vstack([bulk, same]), "y": np.repeat([1, -1], 1000)},
    }
    with pytest.warns(UserWarning, match=r"cannot be told from the bulk"):
        detector.fit(**given[source])
    fresh = rng.normal(size=(2000, 3)) * [1, 10, 0.1]
    plain = RealNVPOutlierDetector(random_state=0).fit(bulk).score_samples(fresh).mean()
    assert detector.score_samples(fresh).mean() > plain - 0.5
    # A contrast sample that differs is not warned about.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        detector.fit(bulk, X_contrast=same + [0.5, 5.0, 0.0])
