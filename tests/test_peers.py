"""Densities and gradients equal those of independent implementations with the same weights."""

import math

import peers
import pytest
import torch
import zuko

from skflow.flows import SplineCoupling, fuse, rational_quadratic, realnvp


@pytest.mark.parametrize("build", [peers.to_zuko, peers.to_freia])
@pytest.mark.parametrize("d", [2, 10, 64])
def test_same_density_and_gradient(build, d):
    generator = torch.Generator().manual_seed(d)
    flow = realnvp(d, n_blocks=4, hidden_features=32, reach=math.inf, generator=generator).double()
    with torch.no_grad():
        for parameter in flow.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.add_(0.5 * parameter.shape[-1] ** -0.5 * noise)
    x = 2 * torch.randn(200, d, generator=generator, dtype=torch.float64)

    def density_and_gradient(model: torch.nn.Module) -> list[torch.Tensor]:
        rows = x.clone().requires_grad_()
        log_prob = model.log_prob(rows)
        log_prob.mean().backward()
        return [log_prob.detach(), len(x) * rows.grad]

    theirs = density_and_gradient(build(flow))
    for model in (flow, fuse(flow)):
        torch.testing.assert_close(density_and_gradient(model), theirs, rtol=1e-5, atol=1e-5)
    # Neither the identity, nor so far out that the clamp hides everything.
    standard = torch.distributions.Normal(0, 1).log_prob(x).sum(dim=1)
    assert (theirs[0] - standard).abs().median() > 1


def test_rational_quadratic_spline_is_zukos():
    """Values, slopes and inverses, inside the box and in its identity tails."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return 2 * torch.randn(*shape, generator=generator, dtype=torch.float64)

    theirs = zuko.transforms.MonotonicRQSTransform(
        normal(40, 3, 8), normal(40, 3, 8), normal(40, 3, 7), bound=5.0
    )
    knots = theirs.horizontal, theirs.vertical, theirs.derivatives
    x = 2 * normal(40, 3)
    assert (x.abs() > 5).any()
    y, log_slope = theirs.call_and_ladj(x)
    ours = rational_quadratic(x, *knots)
    torch.testing.assert_close(ours, (y, log_slope), rtol=0, atol=1e-9)
    back, log_slope_back = rational_quadratic(y, *knots, inverse=True)
    torch.testing.assert_close(back, x, rtol=0, atol=1e-7)
    torch.testing.assert_close(log_slope_back, -log_slope, rtol=0, atol=1e-6)


def test_spline_coupling_is_zukos():
    """The whole layer, weights copied: zuko's transform on the knots that the network gives."""
    generator = torch.Generator().manual_seed(1)
    layer = SplineCoupling(5, 16, generator=generator).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.add_(0.5 * noise)
    x = 2 * torch.randn(50, 5, generator=generator, dtype=torch.float64)
    z, log_det = layer(x)
    theirs = zuko.transforms.MonotonicRQSTransform(
        *(torch.zeros(50, 3, n, dtype=torch.float64) for n in (8, 8, 7)), bound=5.0
    )
    theirs.horizontal, theirs.vertical, theirs.derivatives = layer._knots(layer.network(x[:, :2]))
    y, log_slope = theirs.call_and_ladj(x[:, 2:])
    torch.testing.assert_close(z, torch.cat([x[:, :2], y], dim=1), rtol=0, atol=1e-9)
    torch.testing.assert_close(log_det, log_slope.sum(dim=1), rtol=0, atol=1e-9)
    assert not torch.allclose(z, x, atol=0.1)
