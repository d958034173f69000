"""The fast form of a RealNVP flow: all blocks in one autograd function, written by hand.

Autograd's bookkeeping, and many small tensors, cost as much as the arithmetic of a small batch.
Here features come first, so that every slice is contiguous, and all parameters lie in one tensor,
as do their gradients.
"""

import math
from itertools import repeat
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ._adapters import RowFlow
from ._coupling import AffineCoupling
from ._flow import Flow
from ._layers import ActNorm, Standardize
from ._linear import Permutation, Rotation
from ._matmul import product

#: Permutations become matrices of d * d numbers; with more features they stay what they are.
MAX_FEATURES = 512
#: Rows that go through all blocks at once on a CPU, for every thread: what they need stays in the
#: cache.
CACHED_ROWS = 1024


class _Shape(NamedTuple):
    n_blocks: int
    n_features: int
    n_conditions: int
    hidden_features: int
    clamp: float
    reach: float

    @property
    def n_passed(self) -> int:
        return self.n_features // 2

    @property
    def n_moved(self) -> int:
        return self.n_features - self.n_passed

    def parameters(self, flat: Tensor) -> list[Tensor]:
        """Views of a flat tensor: shift, log-scale, weights and biases, stacked over blocks."""
        d, h = self.n_features, self.hidden_features
        n_in, n_out = self.n_conditions + self.n_passed, 2 * self.n_moved
        shapes = [(d,), (d,), (h, n_in), (h, 1), (h, h), (h, 1), (n_out, h), (n_out, 1)]
        parts = flat.split([self.n_blocks * math.prod(shape) for shape in shapes])
        return [part.view(self.n_blocks, *shape) for part, shape in zip(parts, shapes, strict=True)]


class _Weights:
    """Views of a flat tensor, taken once: whole stacks, and block by block."""

    def __init__(self, flat: Tensor, rotations: Tensor, shape: _Shape):
        self.flat, self.rotations, self.shape = flat, rotations, shape
        self.shift, self.log_scale, *networks = shape.parameters(flat)
        self.networks = [stack.unbind() for stack in networks]
        self.transposed = [stack.mT.unbind() for stack in networks[::2]]


def _forward(
    x: Tensor, condition: Tensor | None, weights: _Weights, *, for_backward: bool
) -> tuple[Tensor, tuple[Tensor, Tensor, list[Any]]]:
    """Log-density of standardised rows, mirroring the layers' own; and what backward needs."""
    shape = weights.shape
    p, m = shape.n_passed, shape.n_moved
    # ActNorm and rotation are one affine map.
    linear = weights.rotations * weights.log_scale.exp()[:, None]
    offset = weights.rotations @ weights.shift[..., None]
    z = x.T.contiguous()
    tanhs, is_near = x.new_empty(2, shape.n_blocks, m, len(x))
    kept = []
    stacks = (linear.unbind(), offset.unbind(), *weights.networks, tanhs.unbind(), is_near.unbind())
    for block_linear, block_offset, w1, b1, w2, b2, w3, b3, tanh, inside in zip(
        *stacks, strict=True
    ):
        z_next = product(block_linear, z, block_offset)
        moved = z_next[p:]
        clipped = z_next.clamp(-shape.reach, shape.reach)
        known, near = clipped[:p], clipped[p:]
        torch.eq(near, moved, out=inside)
        if condition is not None:
            known = torch.cat([condition.T.clamp(-shape.reach, shape.reach), known])
        h1 = product(w1, known, b1).relu_()
        h2 = product(w2, h1, b2).relu_()
        raw = product(w3, h2, b3)
        torch.mul(raw[m:], 1 / shape.clamp, out=tanh).tanh_()
        growth = torch.mul(tanh, shape.clamp).expm1_()
        if for_backward:
            kept.append((z, near, known, h1, h2, tanh, growth, inside))
        moved.add_(raw[:m]).addcmul_(near, growth)
        z = z_next
    log_det = weights.log_scale.sum() + shape.clamp * tanhs.mul(is_near).sum(dim=(0, 1))
    log_base = -0.5 * (z.square().sum(dim=0) + shape.n_features * math.log(2 * math.pi))
    return log_base + log_det, (z, linear, kept)


class _LogProb(torch.autograd.Function):
    """`_forward` with its backward pass."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, condition: Tensor | None, flat: Tensor, weights: _Weights
    ) -> Tensor:
        log_prob, ctx.kept = _forward(x, condition, weights, for_backward=True)
        ctx.weights = weights
        ctx.save_for_backward(flat)  # tells if it was changed meanwhile
        return log_prob

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (flat,) = ctx.saved_tensors
        weights: _Weights = ctx.weights
        z, linear, all_kept = ctx.kept
        shape = weights.shape
        k, p = shape.n_conditions, shape.n_passed
        flat_grad = torch.empty_like(flat)
        d_shift, d_log_scale, *d_networks = shape.parameters(flat_grad)
        d_linear, d_offset = torch.empty_like(linear), torch.empty_like(d_shift)[..., None]
        d_condition = z.new_zeros(k, z.shape[1])
        d_z = z * -grad
        outputs = (stack.unbind() for stack in (d_linear, d_offset, *d_networks))
        transposed = (linear.mT.unbind(), *weights.transposed)
        blocks = list(zip(all_kept, *transposed, *outputs, strict=True))
        for kept, block_linear, w1, w2, w3, *d_block in reversed(blocks):
            z, near, known, h1, h2, tanh, growth, inside = kept
            d_linear_i, d_offset_i, d_w1, d_b1, d_w2, d_b2, d_w3, d_b3 = d_block
            d_out = d_z[p:]
            d_growth = d_out * growth
            d_moved = torch.addcmul(d_out, d_growth, inside)
            d_log = d_growth.add_(d_out).mul_(near).addcmul_(inside, grad)
            # The derivative of the clamp c tanh(r / c) is 1 - tanh^2.
            d_raw = torch.cat([d_out, torch.addcmul(d_log, d_log * tanh, tanh, value=-1)])
            d_h2 = _linear_backward(w3, h2, d_raw, d_w3, d_b3)
            d_h1 = _linear_backward(w2, h1, _relu_backward(d_h2, h2), d_w2, d_b2)
            d_known = _linear_backward(w1, known, _relu_backward(d_h1, h1), d_w1, d_b1)
            d_known.mul_(known.abs() < shape.reach)
            d_condition += d_known[:k]
            d_u = torch.cat([d_known[k:].add_(d_z[:p]), d_moved])
            d_z = _linear_backward(block_linear, z, d_u, d_linear_i, d_offset_i)
        torch.sum(d_linear.mul_(linear), 1, out=d_log_scale).add_(grad.sum())
        torch.matmul(d_offset.mT, weights.rotations, out=d_shift[:, None])
        return d_z.T, d_condition.T if k else None, flat_grad, None


def _linear_backward(
    transposed: Tensor, inputs: Tensor, d_outputs: Tensor, d_weight: Tensor, d_bias: Tensor
) -> Tensor:
    """Write the gradients of a linear layer's weight and bias; return that of its inputs."""
    product(d_outputs, inputs.T, out=d_weight)
    torch.sum(d_outputs, 1, keepdim=True, out=d_bias)
    return product(transposed, d_outputs)


def _relu_backward(grad: Tensor, output: Tensor) -> Tensor:
    """Zero the gradient, in place, where the output of the ReLU is zero."""
    return torch.ops.aten.threshold_backward.grad_input(grad, output, 0, grad_input=grad)


class FusedFlow(nn.Module):
    """A RealNVP flow in its fast form; made by `fuse`."""

    unfused: Flow

    def __init__(self, flow: Flow):
        super().__init__()
        coupling: Any = flow.layers[2]
        self.n_features, self.n_conditions = flow.n_features, flow.n_conditions
        shape = _Shape(
            len(flow.layers) // 3,
            flow.n_features,
            flow.n_conditions,
            coupling.hidden_features,
            coupling.clamp,
            coupling.reach,
        )
        parameters = _by_kind(flow)
        self.flat = nn.Parameter(torch.cat([p.detach().reshape(-1) for p in parameters]))
        parts = self.flat.detach().split([p.numel() for p in parameters])
        for parameter, part in zip(parameters, parts, strict=True):
            parameter.data = part.view(parameter.shape)
        rotations: list[Any] = [layer.matrix for layer in flow.layers[1::3]]
        self._weights = _Weights(
            self.flat.detach(), torch.stack(rotations).to(self.flat.dtype), shape
        )
        # Hidden from `parameters`: the flow's are those of `flat`.
        object.__setattr__(self, "unfused", flow)

    @property
    def standardize(self) -> Standardize:
        """The flow's own."""
        return self.unfused.standardize

    def log_prob(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """As `Flow.log_prob`; in full precision, which is faster so, under autocast as well."""
        with torch.autocast(x.device.type, enabled=False):
            return self._log_prob(x, condition)

    def _log_prob(self, x: Tensor, condition: Tensor | None) -> Tensor:
        z, known, log_det = self.unfused._standardized(x, condition)
        weights = self._weights
        if weights.flat.data_ptr() != self.flat.data_ptr():  # moved or cast
            weights = _Weights(self.flat.detach(), weights.rotations.to(self.flat), weights.shape)
            self._weights = weights
        n_rows = CACHED_ROWS * torch.get_num_threads() if z.device.type == "cpu" else max(len(z), 1)
        parts = []
        for rows, given in zip(
            z.split(n_rows), repeat(None) if known is None else known.split(n_rows), strict=False
        ):
            if torch.is_grad_enabled():
                parts.append(_LogProb.apply(rows, given, self.flat, weights))  # type: ignore[no-untyped-call]
            else:
                parts.append(_forward(rows, given, weights, for_backward=False)[0])
        return torch.cat(parts).double() + log_det

    def latent(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """As `Flow.latent`, in the readable form."""
        return self.unfused.latent(x, condition)


class _FusedRowFlow(RowFlow):
    """A `RowFlow` with its flow in the fast form."""

    def __init__(self, fast: FusedFlow, unfused: RowFlow):
        super().__init__(fast, unfused.condition)
        object.__setattr__(self, "unfused", unfused)


def fuse(flow: Any) -> Any:
    """Return the fast form of a flow, where there is one, else the flow itself.

    There is one for blocks of `ActNorm`, `Permutation` or `Rotation`, and `AffineCoupling`, such
    as `realnvp` makes, for 2 to 512 features. It computes the same log-densities from the same
    parameters: those of the flow become views of one tensor, ``flat``, which one optimiser step
    updates at once. Gradients are of first order.

    Parameters
    ----------
    flow : torch.nn.Module
        Already on its device and in its dtype.

    Returns
    -------
    fused : torch.nn.Module
        With ``log_prob``; its ``parameters()`` are what an optimiser wants, its ``unfused`` is
        the flow.

    Examples
    --------
    >>> import torch
    >>> from skflow.flows import fuse, realnvp
    >>> flow = realnvp(3, n_blocks=2, generator=torch.Generator().manual_seed(0))
    >>> x = torch.zeros(5, 3)
    >>> bool(torch.allclose(fuse(flow).log_prob(x), flow.log_prob(x)))
    True
    """
    if isinstance(flow, RowFlow):
        fast = fuse(flow.flow)
        return flow if fast is flow.flow else _FusedRowFlow(fast, flow)
    layers = list(flow.layers) if type(flow) is Flow else []
    kinds = [type(layer) for layer in layers]
    mixing = kinds[1] if len(kinds) > 1 and kinds[1] is Permutation else Rotation
    block = [ActNorm, mixing, AffineCoupling]
    if not layers or kinds != block * (len(layers) // 3) or flow.n_features > MAX_FEATURES:
        return flow
    plans = [_plan(coupling) for coupling in layers[2::3]]
    network = (nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear)
    return FusedFlow(flow) if set(plans) == {(*plans[0][:-1], network)} else flow


def _plan(coupling: Any) -> tuple[Any, ...]:
    """What couplings of one flow must have in common."""
    sizes = tuple(parameter.shape for parameter in coupling.network.parameters())
    kinds = tuple(type(part) for part in coupling.network if type(part) is not nn.Hardtanh)
    return coupling.reach, coupling.clamp, sizes, kinds


def _by_kind(flow: Any) -> list[nn.Parameter]:
    """Parameters of all blocks in the order of `_Shape.parameters`."""
    blocks = [
        [norm.shift, norm.log_scale, *coupling.network.parameters()]
        for norm, coupling in zip(flow.layers[::3], flow.layers[2::3], strict=True)
    ]
    return [parameter for kind in zip(*blocks, strict=True) for parameter in kind]
