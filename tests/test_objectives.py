"""Objectives against hand-computed values and the known optimum of the contrastive loss."""

import numpy as np
import pytest
import torch
from known_optimum import contrastive_optimum, total_variation
from scipy.stats import norm

from skflow.flows import realnvp
from skflow.objectives import (
    BulkRare,
    ClassConditional,
    Contrastive,
    Exposure,
    Likelihood,
    Reconstruction,
)
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


def test_bulk_rare_by_hand():
    """Rows less likely than k, or than every bulk row, contribute nothing: no value, no slope."""
    bulk = torch.tensor([1.0, 3.0], requires_grad=True)
    rare = torch.tensor([2.0, 2.5, 3.5, 9.0], requires_grad=True)
    batch = Batch(bulk, rare)
    loss = BulkRare(contrast_weight=1.0, clamp=5.0)  # k = -5: the least likely bulk row decides
    assert loss(Fixed(), batch) == 2.0  # warm-up
    loss.freeze(torch.tensor([100.0]))
    assert loss.clamp == 5.0
    value = loss(Fixed(), batch)
    assert value.item() == pytest.approx(2.0 - (2.0 + 2.5))
    value.backward()
    assert rare.grad.tolist() == [-1, -1, 0, 0]
    assert bulk.grad.tolist() == [0.5, 0.5]
    loss.clamp = 2.2  # k = -2.2 decides
    assert loss(Fixed(), batch).item() == pytest.approx(2.0 - 2.0)
    loss.clamp = 0.5  # all fail
    assert loss(Fixed(), batch) == 2.0


def test_bulk_rare_judges_held_out_rows_without_a_step():
    """The loss rises when a row passes the limit; what judges held-out rows falls until then."""
    loss = BulkRare(contrast_weight=1.0, clamp=5.0)
    loss.freeze(torch.tensor([1.0]))
    batches = [Batch(torch.tensor([1.0, 3.0]), torch.tensor([2.0, rare])) for rare in (2.9, 3.1)]
    values = [loss(Fixed(), batch).item() for batch in batches]
    assert values == pytest.approx([2 - 4.9, 2 - 2.0])
    judged = [loss.validation_loss(Fixed(), batch).item() for batch in batches]
    assert judged == pytest.approx([2 - 4.9, 2 - 5.0])
    # For as many rare rows as a batch has, however many are held out.
    many = Batch(batches[0].bulk, batches[0].contrast.repeat(10))
    assert loss.validation_loss(Fixed(), many).item() == pytest.approx(2 - 4.9)


def test_bulk_rare_is_contrastive_with_another_clamp_and_the_sum():
    """With no row past either clamp, c times the number of rare rows is the other's weight."""
    batch = Batch(torch.tensor([1.0, 30.0]), torch.tensor([2.0, 4.0, 9.0]))
    losses = BulkRare(0.1, clamp=50.0), Contrastive(0.3, clamp=50.0)
    for loss in losses:
        loss.freeze(batch.bulk)
    assert losses[0](Fixed(), batch) == pytest.approx(losses[1](Fixed(), batch).item())


def test_exposure_by_hand():
    bulk = torch.tensor([1.0, 3.0], requires_grad=True)
    contrast = torch.tensor([2.5, 9.0], requires_grad=True)
    loss = Exposure(margin=2.0)
    assert loss(Fixed(), Batch(bulk, contrast)) == 2.0  # warm-up
    loss.freeze(torch.tensor([1.0]))
    value = loss(Fixed(), Batch(bulk, contrast))  # pairs: 0.5, 0; 2.5, 0
    assert value.item() == pytest.approx((0.5 + 2.5) / 4)
    value.backward()
    assert bulk.grad.tolist() == [0.25, 0.25]
    assert contrast.grad.tolist() == [-0.5, 0]  # 9 is far enough from both


def test_exposure_of_many_rows_is_that_of_all_pairs():
    generator = torch.Generator().manual_seed(0)
    bulk, contrast = torch.randn(2, 300, dtype=torch.float64, generator=generator)
    bulk.requires_grad_()
    contrast.requires_grad_()
    loss = Exposure(margin=0.5)
    loss.freeze(bulk)
    expected = (0.5 + bulk[:, None] - contrast).clamp(min=0).mean()
    slopes = torch.autograd.grad(expected, (bulk, contrast))
    found = loss(Fixed(), Batch(bulk, contrast))
    assert found.item() == pytest.approx(expected.item())
    for one, other in zip(torch.autograd.grad(found, (bulk, contrast)), slopes, strict=True):
        torch.testing.assert_close(one, other)


class TwoClasses(torch.nn.Module):
    """Rows (x, class): log-density -x of the bulk, -2 x of rare events."""

    def log_prob(self, rows: torch.Tensor) -> torch.Tensor:
        return -rows[:, 0] * (1 + rows[:, 1])


def test_class_conditional_by_hand():
    batch = Batch(torch.tensor([[1.0, 0.0], [3.0, 0.0]]), torch.tensor([[0.5, 1.0]]))
    likelihood = 2.0 + 1.0
    assert ClassConditional(0.0)(TwoClasses(), batch) == pytest.approx(likelihood)
    # P(bulk | x) = 1 / (1 + exp(-x)), and the rare row has 1 minus that.
    wrong = np.log1p(np.exp([-1.0, -3.0])).mean() + np.log1p(np.exp(0.5))
    loss = ClassConditional(2.0)(TwoClasses(), batch)
    assert loss == pytest.approx(likelihood + 2 * wrong)
    assert ClassConditional(2.0)(TwoClasses(), Batch(batch.bulk)) == 2.0


@pytest.mark.parametrize(("clamp", "stays_finite"), [(20.0, True), (float("inf"), False)])
def test_clamp_keeps_training_from_diverging(clamp, stays_finite):
    """Negatives 1e6 standard deviations away, 10,000 steps of plain gradient descent."""
    generator = torch.Generator().manual_seed(0)
    flow = realnvp(2, n_blocks=2, hidden_features=8, generator=generator)
    bulk = torch.randn(64, 2, generator=generator)
    flow.initialize(bulk)
    loss = Contrastive(1.0, clamp=clamp)
    loss.freeze(bulk)
    batch = Batch(bulk, 1e6 * torch.randn(64, 2, generator=generator))
    optimizer = torch.optim.SGD(flow.parameters(), lr=1e-3)
    value = torch.tensor(0.0)
    for _ in range(10_000):
        optimizer.zero_grad()
        value = loss(flow, batch)
        if not torch.isfinite(value):
            break
        value.backward()
        optimizer.step()
    assert torch.isfinite(value) == stays_finite
    if stays_finite:
        assert value.abs() < 50


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
