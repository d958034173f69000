"""Objectives against hand-computed values and the known optimum of the contrastive loss."""

import numpy as np
import pytest
import torch
from known_optimum import contrastive_optimum, total_variation
from scipy.stats import norm

from skflow.objectives import Contrastive, Likelihood, Reconstruction
from skflow.training import Batch


class Table(torch.nn.Module):
    """A density over bins: any density at all, so that only the loss decides."""

    def __init__(self, n_bins: int, width: float):
        super().__init__()
        self.logits = torch.nn.Parameter(torch.zeros(n_bins, dtype=torch.float64))
        self.width = width

    def log_prob(self, bins: torch.Tensor) -> torch.Tensor:
        return (self.logits.log_softmax(0) - np.log(self.width))[bins]


class Fixed(torch.nn.Module):
    """Rows are their own negative log-densities and reconstruction errors."""

    def log_prob(self, x: torch.Tensor) -> torch.Tensor:
        return -x

    def reconstruction_error(self, x: torch.Tensor) -> torch.Tensor:
        return x


def test_values_by_hand():
    batch = Batch(torch.tensor([1.0, 3.0]), torch.tensor([2.0, 4.0, 9.0]))
    assert Likelihood()(Fixed(), batch) == 2.0
    assert Reconstruction()(Fixed(), batch) == 2.0
    loss = Contrastive(contrast_weight=0.5, clamp_margin=3.0)
    assert loss(Fixed(), batch) == 2.0  # warm-up
    loss.freeze(torch.tensor([1.0, 2.0, 30.0]))
    assert loss.clamp == 5.0
    assert loss(Fixed(), batch) == pytest.approx(2.0 - 0.5 * (2 + 4 + 5) / 3)


def test_clamped_negatives_have_no_gradient():
    loss = Contrastive(contrast_weight=1.0, clamp_margin=3.0)
    loss.freeze(torch.tensor([2.0]))
    contrast = torch.tensor([4.0, 6.0, 1e30], requires_grad=True)
    loss(Fixed(), Batch(torch.tensor([1.0]), contrast)).backward()
    assert contrast.grad.tolist() == pytest.approx([-1 / 3, 0, 0])


@pytest.mark.parametrize("weight", [0.5, 1.0])
@pytest.mark.parametrize("clamp", [3.0, 5.0])
def test_minimum_is_the_known_optimum(weight, clamp):
    """Minimise the loss over all binned densities, without the closed form."""
    x, width = np.linspace(-5, 6, 111, retstep=True)
    p, q = norm.pdf(x), norm.pdf(x, 1, 2**0.5)
    counts = [np.round(20_000 * f * width).astype(int) for f in (p, q)]
    bulk, contrast = (torch.from_numpy(np.repeat(np.arange(111), n)) for n in counts)
    module, loss = Table(111, width), Contrastive(weight, 1.0)
    loss.freeze(torch.tensor([clamp - 1.0]))
    optimizer = torch.optim.Adam(module.parameters(), lr=0.05)
    for _ in range(800):
        optimizer.zero_grad()
        loss(module, Batch(bulk, contrast)).backward()
        optimizer.step()
    found = module.log_prob(torch.arange(111)).exp().detach().numpy()
    expected = contrastive_optimum(p, q, weight, clamp, width)
    assert total_variation(found, expected, width) < 0.02
    # The check can fail: the bulk's own density is far away.
    assert total_variation(p, expected, width) > 0.1
