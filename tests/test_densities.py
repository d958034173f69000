"""The presets learn densities that are known: small flows, a few hundred steps."""

import numpy as np
import pytest
import torch
from scipy import stats

from skflow.flows import fuse, realnvp, spline
from skflow.objectives import Likelihood
from skflow.training import Batch, Noise, batches, train


def exponential(n, rng):
    x = rng.exponential(size=(n, 1))
    return x, -x[:, 0]


def two_normals(n, rng):
    left = rng.uniform(size=n) < 0.3
    x = np.where(left, rng.normal(-2, 0.3, n), rng.normal(1, 1, n))
    return x[:, None], np.log(0.3 * stats.norm.pdf(x, -2, 0.3) + 0.7 * stats.norm.pdf(x, 1, 1))


def ring(n, rng):
    r, angle = rng.normal(3, 0.3, n), rng.uniform(0, 2 * np.pi, n)
    log_p = stats.norm.logpdf(r, 3, 0.3) - np.log(2 * np.pi * r)
    return np.column_stack([r * np.cos(angle), r * np.sin(angle)]), log_p


def funnel(n, rng):
    v = rng.normal(0, 1.5, n)
    x = rng.normal(0, np.exp(v / 2))
    log_p = stats.norm.logpdf(v, 0, 1.5) + stats.norm.logpdf(x, 0, np.exp(v / 2))
    return np.column_stack([v, x]), log_p


@pytest.mark.parametrize(
    ("density", "preset", "most"),
    [
        (exponential, realnvp, 0.025),
        (exponential, spline, 0.025),
        (two_normals, realnvp, 0.015),
        (two_normals, spline, 0.015),
        (ring, realnvp, 0.35),
        (ring, spline, 0.06),
        (funnel, realnvp, 0.03),
        (funnel, spline, 0.05),
    ],
)
def test_divergence_from_a_known_density(density, preset, most):
    """KL(p || f) in nats, on fresh draws."""
    rng = np.random.RandomState(0)
    x = torch.as_tensor(density(5000, rng)[0])
    generator = torch.Generator().manual_seed(0)
    n_blocks = {realnvp: 6, spline: 4}[preset]
    flow = preset(x.shape[1], n_blocks=n_blocks, hidden_features=32, generator=generator)
    flow.initialize(x)
    module = fuse(flow)
    stream = batches(Batch(x), 256, (Noise(), Noise()), generator)
    train(module, Likelihood(), stream, max_iter=400, learning_rate=5e-3)
    x_test, log_p = density(20_000, rng)
    with torch.no_grad():
        log_f = module.log_prob(torch.as_tensor(x_test)).numpy()
    divergence = (log_p - log_f).mean()
    assert -0.02 < divergence < most
