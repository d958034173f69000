"""Flows are exact: inverse, log-determinant, normalisation, samples."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp, multivariate_normal

from skflow.flows import (
    ActNorm,
    AdditiveCoupling,
    AffineCoupling,
    ElementwiseSpline,
    Flow,
    LULinear,
    Permutation,
    Rotation,
    SplineCoupling,
    Standardize,
    mlp,
    realnvp,
    spline,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rows(n: int, d: int, seed: int = 0) -> torch.Tensor:
    return 3 * torch.randn(n, d, generator=generator(seed), dtype=torch.float64) + 1


def randomized(module: torch.nn.Module, seed: int = 1, scale: float = 0.3) -> torch.nn.Module:
    """Give every parameter a value far from its start, where couplings are the identity."""
    module.double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(scale * torch.randn(parameter.shape, generator=generator(seed)))
    return module


def layer(name: str, d: int) -> torch.nn.Module:
    if name == "Standardize":
        module = Standardize(d)
        module.initialize(5 * rows(100, d) + 2)
        return module
    if name in ("ActNorm", "ElementwiseSpline"):
        return {"ActNorm": ActNorm, "ElementwiseSpline": ElementwiseSpline}[name](d)
    mixing = {"LULinear": LULinear, "Permutation": Permutation, "Rotation": Rotation}
    if name in mixing:
        return mixing[name](d, generator(1))
    coupling = {"Additive": AdditiveCoupling, "Affine": AffineCoupling, "Spline": SplineCoupling}
    return coupling[name](d, 16, generator=generator())


COUPLINGS = ["Additive", "Affine", "Spline"]
ONE_BY_ONE = ["Standardize", "ActNorm", "ElementwiseSpline", "LULinear"]
LAYERS = [*ONE_BY_ONE, "Rotation", "Permutation", *COUPLINGS]
PRESETS = {"realnvp": realnvp, "spline": spline}


def jacobian_log_det(function, x: torch.Tensor) -> torch.Tensor:
    jacobian = torch.func.vmap(torch.func.jacrev(lambda row: function(row[None])[0][0]))(x)
    return torch.linalg.slogdet(jacobian)[1]


@pytest.mark.parametrize(
    ("name", "d"),
    [(name, 1) for name in ONE_BY_ONE] + [(name, d) for name in LAYERS for d in (2, 3, 10, 64)],
)
def test_layer_inverse_and_log_det(name, d):
    # A random matrix of 64 rows is nearly singular unless its entries are small.
    module = randomized(layer(name, d), scale=0.03 if name == "LULinear" else 0.3)
    x = rows(20, d)
    z, log_det = module(x)
    assert not torch.allclose(z, x)
    torch.testing.assert_close(module.inverse(z), x, rtol=0, atol=1e-8)
    expected = jacobian_log_det(module, x)
    torch.testing.assert_close(log_det.expand(20), expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("d", [1, 2, 3, 10, 64])
@pytest.mark.parametrize("name", PRESETS)
def test_flow_inverse_and_log_det(name, d):
    make = PRESETS[name]
    flow = randomized(make(d, n_blocks=4, hidden_features=16, generator=generator()), scale=0.15)
    flow.standardize.initialize(100 * rows(100, d))
    x = 100 * rows(20, d)
    z, log_det = flow(x)
    torch.testing.assert_close(flow.inverse(z) / 100, x / 100, rtol=0, atol=1e-8)
    torch.testing.assert_close(log_det, jacobian_log_det(flow, x), rtol=0, atol=1e-8)
    torch.testing.assert_close(flow.latent(x), z)


@pytest.mark.parametrize("name", [name for name in LAYERS if name != "Standardize"])
def test_autocast_leaves_maps_exact(name):
    """What is rounded is the network that says how to map; the map stays one to one."""
    module = randomized(layer(name, 10), scale=0.1).float()
    x = rows(20, 10).float()
    with torch.autocast("cpu", torch.bfloat16):
        z, log_det = module(x)
        assert z.dtype == log_det.dtype == torch.float32
        torch.testing.assert_close(module.inverse(z), x, rtol=0, atol=1e-4)
    exact, exact_log_det = module(x)
    torch.testing.assert_close(z, exact, rtol=0, atol=0.1)
    torch.testing.assert_close(log_det, exact_log_det, rtol=0, atol=0.1)
    assert torch.equal(z, exact) == (name not in COUPLINGS)


@pytest.mark.parametrize("d", [1, 2, 10])
@pytest.mark.parametrize("name", PRESETS)
def test_conditional_flow_is_a_flow_for_every_condition(name, d):
    make = PRESETS[name]
    flow = make(d, n_conditions=2, n_blocks=3, hidden_features=16, generator=generator())
    randomized(flow, scale=0.15)
    x, condition = rows(20, d), rows(20, 2, seed=4)
    flow.initialize(rows(200, d, seed=5), rows(200, 2, seed=6))
    z, log_det = flow(x, condition)
    torch.testing.assert_close(flow.inverse(z, condition), x, rtol=0, atol=1e-8)
    for i in range(3):
        expected = jacobian_log_det(lambda row, c=condition[i : i + 1]: flow(row, c), x[i : i + 1])
        torch.testing.assert_close(log_det[i : i + 1], expected, rtol=0, atol=1e-8)
    assert not torch.allclose(flow.log_prob(x, condition), flow.log_prob(x, condition + 1))
    with pytest.raises(ValueError, match=r"condition must have 2 columns.*got 0"):
        flow.log_prob(x)
    with pytest.raises(ValueError, match=r"condition must have 0 columns.*got 2"):
        make(d, generator=generator()).log_prob(x, condition)


def test_a_coupling_of_one_feature_needs_a_condition():
    with pytest.raises(ValueError, match="at least 2 features, or a condition; got n_features=1"):
        AffineCoupling(1, 16)
    assert AffineCoupling(1, 16, n_conditions=1).network[1].in_features == 1


def test_starts_as_the_normal_distribution_of_the_data():
    x = rows(5000, 3) @ torch.diag(torch.tensor([1.0, 10.0, 1e-3], dtype=torch.float64))
    flow = realnvp(3, n_blocks=4, generator=generator()).double()
    flow.initialize(x)
    z = flow.latent(x)
    torch.testing.assert_close(z.mean(0), torch.zeros(3, dtype=z.dtype), rtol=0, atol=1e-6)
    torch.testing.assert_close(z.std(0), torch.ones(3, dtype=z.dtype), rtol=0, atol=0.02)
    expected = multivariate_normal(x.mean(0), np.cov(x.T.numpy(), bias=True)).logpdf(x)
    assert abs(flow.log_prob(x).mean().item() - expected.mean()) < 0.01


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("name", PRESETS)
def test_density_integrates_to_one(name, d):
    make = PRESETS[name]
    flow = make(d, n_blocks=3, hidden_features=16, generator=generator())
    randomized(flow, seed=3, scale=0.15)  # steeper splines would need a finer grid
    # The density spreads widely, so integrate where the samples are, in units of their spread.
    x = flow.sample(200_000, generator())
    low, high = x.amin(0) - 1, x.amax(0) + 1
    n = 200_001 if d == 1 else 1500
    axes = [torch.linspace(a, b, n, dtype=torch.float64) for a, b in zip(low, high, strict=True)]
    cell = math.prod((axis[1] - axis[0]).item() for axis in axes)
    grid = torch.cartesian_prod(*axes).reshape(-1, d)
    with torch.no_grad():
        total = sum(flow.log_prob(part).exp().sum().item() for part in grid.split(100_000))
    assert total * cell == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("d", [1, 2, 10, 64])
@pytest.mark.parametrize("name", PRESETS)
def test_samples_follow_the_density(name, d):
    """Two-sample tests: latent rows of samples against normal rows, margins and radii."""
    make = PRESETS[name]
    flow = make(d, n_blocks=3, hidden_features=16, generator=generator())
    randomized(flow, scale=0.15)
    with torch.no_grad():
        z = flow.latent(flow.sample(5000, generator(5))).numpy()
    normal = np.random.RandomState(0).normal(size=(5000, d))
    assert ks_2samp((z**2).sum(axis=1), (normal**2).sum(axis=1)).pvalue > 1e-3
    for k in range(min(d, 3)):
        assert ks_2samp(z[:, k], normal[:, k]).pvalue > 1e-3
    assert flow.sample(3, generator(7)).equal(flow.sample(3, generator(7)))


def test_single_precision_agrees_with_double():
    flow = realnvp(5, n_blocks=4, generator=generator())
    flow.initialize(rows(1000, 5))
    x = rows(50, 5)
    single = flow.log_prob(x)
    assert single.dtype == torch.float64
    torch.testing.assert_close(single, flow.double().log_prob(x), rtol=0, atol=1e-4)


def test_extreme_rows_have_finite_low_density():
    flow = randomized(realnvp(3, generator=generator()))
    flow.initialize(rows(100, 3))
    far = [[0, 0, 0], [1e6, 0, 0], [1e60, 0, 0], [1e308, -1e308, 1e308]]
    x = torch.tensor(far, dtype=torch.float64)
    log_prob = flow.log_prob(x)
    assert log_prob.isfinite().all()
    assert (log_prob.diff() < 0).all()


def test_standardize_extreme_constant_and_offset_columns():
    x = torch.tensor(
        [[1e308, 7.0, 1e9, 0.0, 5e-324], [-1e308, 7.0, 1e9 + 2, 0.0, 0.0]], dtype=torch.float64
    )
    layer = Standardize(5)
    layer.initialize(x)
    z, log_det = layer(x)
    expected = torch.tensor([[1, 0, -1, 0], [-1, 0, 1, 0]], dtype=torch.float64)
    torch.testing.assert_close(z[:, :4], expected)
    assert torch.isfinite(z).all()
    assert torch.isfinite(log_det)
    assert layer.scale[1] == 1


def test_many_features_are_permuted_not_rotated():
    flow = realnvp(1500, n_blocks=1, hidden_features=8, generator=generator())
    assert any(isinstance(layer, Permutation) for layer in flow.layers)
    assert flow.log_prob(rows(4, 1500)).isfinite().all()


def test_global_generator_is_untouched():
    before = torch.random.get_rng_state()
    flow = realnvp(3, generator=generator())
    flow.sample(5, generator())
    mlp([2, 4, 2], generator())
    assert torch.random.get_rng_state().equal(before)


def test_same_seed_same_flow():
    a, b, c = (realnvp(4, n_blocks=2, generator=generator(seed)) for seed in (0, 0, 1))
    assert all(
        p.equal(q) for p, q in zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    )
    assert not a.state_dict()["layers.1.matrix"].equal(c.state_dict()["layers.1.matrix"])


def test_flow_needs_no_particular_layers():
    flow = Flow([ActNorm(2)], 2)
    flow.initialize(rows(50, 2))
    assert flow.log_prob(rows(3, 2)).shape == (3,)
