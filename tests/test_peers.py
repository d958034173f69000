"""Densities and gradients equal those of independent implementations with the same weights."""

import importlib.util
import math
from pathlib import Path

import pytest
import torch

from skflow.flows import fuse, realnvp

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "peers.py"
SPEC = importlib.util.spec_from_file_location("peers", SCRIPT)
peers = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(peers)


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
