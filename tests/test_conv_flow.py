"""Flows of feature maps are exact: inverse, log-determinant by autograd, places."""

import math

import pytest
import torch
from torch.distributions import Normal

from skflow.flows import ConvFlow


@pytest.fixture
def flow():
    """A small flow with parameters far from where they start."""
    generator = torch.Generator().manual_seed(0)
    flow = ConvFlow(3, n_blocks=3, hidden_channels=5, generator=generator).double()
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return flow


@pytest.fixture
def maps():
    return torch.randn(4, 3, 5, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_inverse(flow, maps):
    z, _ = flow(maps)
    torch.testing.assert_close(flow.inverse(z), maps, rtol=0, atol=1e-9)


def test_log_determinants_sum_to_that_of_the_jacobian(flow, maps):
    def latent(flat):
        return flow(flat.reshape(1, *maps.shape[1:]))[0].flatten()

    jacobian = torch.autograd.functional.jacobian(latent, maps[0].flatten())
    expected = torch.linalg.slogdet(jacobian).logabsdet
    torch.testing.assert_close(flow(maps[:1])[1].sum(), expected)


def test_log_density(flow, maps):
    z, log_det = flow(maps)
    expected = Normal(0.0, 1.0).log_prob(z).sum(dim=1) + log_det
    torch.testing.assert_close(flow.log_prob_map(maps), expected)


def test_an_untrained_flow_is_a_rotation(maps):
    flow = ConvFlow(3, n_blocks=4, hidden_channels=5).double()
    expected = -0.5 * (maps.square().sum(dim=1) + 3 * math.log(2 * math.pi))
    torch.testing.assert_close(flow.log_prob_map(maps), expected)


def test_initialize_standardises_channels(flow, maps):
    many = 7 + 3 * torch.randn(200, 3, 6, 6, dtype=torch.float64)
    flow = ConvFlow(3, n_blocks=1, hidden_channels=4).double()
    flow.initialize(many)
    z, _ = flow(many)
    torch.testing.assert_close(z.mean(dim=(0, 2, 3)), torch.zeros(3).double(), rtol=0, atol=1e-6)
    torch.testing.assert_close(z.std(dim=(0, 2, 3)), torch.ones(3).double(), rtol=0, atol=1e-2)


def test_what_is_far_away_does_not_matter(flow, maps):
    """Two 3x3 convolutions a coupling, and one such coupling: three pixels at most away."""
    flow = ConvFlow(3, n_blocks=2, hidden_channels=5).double()
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.2)
    wide = torch.zeros(1, 3, 1, 12, dtype=torch.float64)
    changed = wide.clone()
    changed[..., 0] = 2.0
    difference = (flow.log_prob_map(changed) - flow.log_prob_map(wide))[0, 0].abs()
    assert difference[0] > 1e-3
    assert (difference[3:] < 1e-12).all()
