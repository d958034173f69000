"""The fast form of a flow gives what the readable form gives, gradients included."""

import pytest
import torch
from test_flows import generator, randomized, rows

from skflow.flows import AffineCoupling, Flow, RowFlow, _matmul, fuse, realnvp, spline


def pair(d: int, n_conditions: int = 0, n_blocks: int = 3, hidden_features: int = 16):
    """A flow, and the fast form of a copy of it."""
    flows = []
    for _ in range(2):
        flow = realnvp(
            d,
            n_conditions=n_conditions,
            n_blocks=n_blocks,
            hidden_features=hidden_features,
            generator=generator(),
        )
        flow.initialize(rows(500, d), rows(500, n_conditions, 2) if n_conditions else None)
        flows.append(randomized(flow, scale=0.1))
    return flows[0], fuse(flows[1])


@pytest.mark.parametrize("n", [1, 20, 2100])  # 2100: more than one piece
@pytest.mark.parametrize("n_conditions", [0, 2])
@pytest.mark.parametrize("d", [2, 3, 10])
def test_values_and_gradients(d, n_conditions, n):
    flow, fast = pair(d, n_conditions)
    assert type(fast) is not Flow
    weight = torch.rand(n, generator=generator(9), dtype=torch.float64)
    results = []
    for module in (flow, fast):
        # Wide rows: some inputs of the networks are clipped.
        x = (4 * rows(n, d, 3)).requires_grad_()
        condition = (3 * rows(n, n_conditions, 4)).requires_grad_() if n_conditions else None
        log_prob = module.log_prob(x, condition)
        (weight * log_prob).sum().backward()
        results.append((log_prob.detach(), x.grad, None if condition is None else condition.grad))
    for ours, expected in zip(results[1], results[0], strict=True):
        if expected is not None:
            torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-9)
    # The flat gradient is that of the readable form, as one optimiser step shows.
    for module in (flow, fast):
        torch.optim.SGD(module.parameters(), lr=1e-3).step()
    for ours, expected in zip(fast.unfused.parameters(), flow.parameters(), strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-9)


def test_scoring_needs_no_gradient():
    flow, fast = pair(10)
    x = rows(700, 10)
    with torch.no_grad():
        torch.testing.assert_close(fast.log_prob(x), flow.log_prob(x), rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(fast.latent(x), flow.latent(x))


@pytest.mark.parametrize("onednn", [True, False])
def test_single_precision_with_and_without_onednn(onednn, monkeypatch):
    """Wide enough for oneDNN's products, which torch builds may lack."""
    if not onednn:
        monkeypatch.setattr(_matmul, "_onednn", None)
    flow, _ = pair(10, n_blocks=2, hidden_features=128)
    x = rows(300, 10)
    expected = flow.log_prob(x)
    flow.float()
    flow.layers[1].matrix, flow.layers[4].matrix = (flow.layers[i].matrix.double() for i in (1, 4))
    readable = flow.log_prob(x)
    readable.mean().backward()
    gradients = torch.cat([p.grad.flatten() for p in flow.layers[2].parameters()])
    fast = fuse(flow)
    torch.testing.assert_close(fast.log_prob(x), expected, rtol=0, atol=1e-3)
    fast.log_prob(x).mean().backward()
    assert fast.flat.grad.isfinite().all()
    norm = torch.cat([p.grad.flatten() for p in flow.parameters()]).norm()
    torch.testing.assert_close(fast.flat.grad.norm(), norm, rtol=1e-4, atol=0)
    assert gradients.norm() > 0


def test_repeated_backward_and_state():
    _, fast = pair(4)
    loss = fast.log_prob(rows(20, 4)).mean()
    loss.backward(retain_graph=True)
    first = fast.flat.grad.clone()
    loss.backward()
    torch.testing.assert_close(fast.flat.grad, 2 * first)
    state = {name: value.clone() for name, value in fast.state_dict().items()}
    before = fast.unfused.layers[0].shift.clone()
    with torch.no_grad():
        fast.flat.zero_()
    assert (fast.unfused.layers[0].shift == 0).all()
    fast.load_state_dict(state)
    assert fast.unfused.layers[0].shift.equal(before)


def test_row_flow():
    flow, fast = pair(3, 2)
    x = rows(20, 5)
    slow_rows, fast_rows = RowFlow(flow, [4, 1]), fuse(RowFlow(fast.unfused, [4, 1]))
    expected = flow.log_prob(x[:, [0, 2, 3]], x[:, [4, 1]])
    torch.testing.assert_close(slow_rows.log_prob(x), expected)
    torch.testing.assert_close(fast_rows.log_prob(x), expected)
    torch.testing.assert_close(fast_rows.latent(x), slow_rows.latent(x))
    assert len(list(fast_rows.parameters())) == 1


def uneven() -> list[Flow]:
    """Flows whose couplings differ, or have networks of another kind."""
    flows = [realnvp(4, n_blocks=2, hidden_features=8, generator=generator()) for _ in range(2)]
    flows[0].layers[5] = AffineCoupling(4, 9, generator=generator())
    for coupling in flows[1].layers[2::3]:
        coupling.network[2] = torch.nn.Tanh()
    return flows


@pytest.mark.parametrize(
    "flow",
    [
        *uneven(),
        realnvp(1, generator=generator()),
        spline(3, n_blocks=1, hidden_features=8, generator=generator()),
        realnvp(600, n_blocks=1, hidden_features=8, generator=generator()),
        Flow([AffineCoupling(3, 8, generator=generator())], 3),
        RowFlow(spline(2, n_conditions=1, n_blocks=1, generator=generator()), [0]),
        torch.nn.Linear(2, 2),
    ],
    ids=[
        "widths",
        "activations",
        "d = 1",
        "spline",
        "permuted",
        "other layers",
        "conditional spline",
        "no flow",
    ],
)
def test_what_has_no_fast_form_stays(flow):
    assert fuse(flow) is flow
