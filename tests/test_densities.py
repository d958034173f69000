"""The presets learn densities that are known: small flows, a few hundred steps."""

import numpy as np
import pytest
import torch
from known import funnel, make_densities

from skflow.flows import fuse, realnvp, spline
from skflow.objectives import Likelihood
from skflow.training import Batch, Noise, batches, train

DENSITIES = make_densities()
EXPONENTIAL, TWO_NORMALS, RING = (
    DENSITIES[name] for name in ("exponential", "two normals", "ring")
)
FUNNEL = funnel(2, 1.5)


@pytest.mark.parametrize(
    ("density", "preset", "most"),
    [
        (EXPONENTIAL, realnvp, 0.025),
        (EXPONENTIAL, spline, 0.025),
        (TWO_NORMALS, realnvp, 0.015),
        (TWO_NORMALS, spline, 0.015),
        (RING, realnvp, 0.35),
        (RING, spline, 0.06),
        (FUNNEL, realnvp, 0.03),
        (FUNNEL, spline, 0.05),
    ],
)
def test_divergence_from_a_known_density(density, preset, most):
    """KL(p || f) in nats, on fresh draws."""
    rng = np.random.RandomState(0)
    x = torch.as_tensor(density.sample(5000, rng))
    generator = torch.Generator().manual_seed(0)
    n_blocks = {realnvp: 6, spline: 4}[preset]
    flow = preset(x.shape[1], n_blocks=n_blocks, hidden_features=32, generator=generator)
    flow.initialize(x)
    module = fuse(flow)
    stream = batches(Batch(x), 256, (Noise(), Noise()), generator)
    train(module, Likelihood(), stream, max_iter=400, learning_rate=5e-3)
    x_test = density.sample(20_000, rng)
    with torch.no_grad():
        log_f = module.log_prob(torch.as_tensor(x_test)).numpy()
    divergence = (density.log_prob(x_test) - log_f).mean()
    assert -0.02 < divergence < most
