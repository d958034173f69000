"""Peer libraries' flows that compute the same function as a given skflow RealNVP.

`to_zuko`, `to_freia`, `to_normflows` and `to_nflows` copy the weights of `skflow.flows.realnvp`
and return modules with ``log_prob(x)``, in the dtype of the flow, trainable by likelihood. Rows
must be standardised already: the flow's own standardising layer is left out. Splitting, merging,
chaining and the base density are each peer's own, in the cheapest form it has. What it lacks (the
fixed rotation, the clamp ``c tanh(r / c)`` of the log-scale) is added by subclasses, cheaply.
"""

import copy
import math
from collections.abc import Iterator
from functools import partial

import torch
import zuko
from FrEIA.framework import SequenceINN
from FrEIA.modules import ActNorm as FreiaActNorm
from FrEIA.modules import AffineCouplingOneSided, AllInOneBlock, FixedLinearTransform
from torch import Tensor, nn
from torch.distributions import Transform, constraints
from torch.nn.functional import linear
from zuko.flows.coupling import GeneralCouplingTransform

from skflow.flows import ActNorm, AffineCoupling, Flow, Rotation


def blocks(flow: Flow) -> Iterator[tuple[ActNorm, Rotation, AffineCoupling]]:
    """The blocks of a RealNVP, first to last."""
    return zip(*[iter(flow.layers)] * 3, strict=True)


def with_output(network: nn.Sequential, order: Tensor, factor: Tensor) -> nn.Sequential:
    """Copy of a network whose outputs come in another order, times a factor each."""
    network = copy.deepcopy(network)
    last = network[-1]
    with torch.no_grad():
        last.weight.copy_(last.weight[order] * factor.to(last.weight)[:, None])
        last.bias.copy_(last.bias[order] * factor.to(last.bias))
    return network


class ZukoActNorm(Transform):
    """Learned shift and scale of every feature, as a transform of zuko's kind."""

    domain = codomain = constraints.real_vector
    bijective = True

    def __init__(self, shift: Tensor, log_scale: Tensor):
        super().__init__()
        self.shift, self.log_scale = shift, log_scale

    def _call(self, x: Tensor) -> Tensor:
        return x * self.log_scale.exp() + self.shift

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return self.log_scale.sum()


class ZukoRotation(Transform):
    """Fixed rotation: zuko's own is learned, and takes a matrix exponential at every call."""

    domain = codomain = constraints.real_vector
    bijective = True

    def __init__(self, matrix: Tensor):
        super().__init__()
        self.matrix = matrix

    def _call(self, x: Tensor) -> Tensor:
        return linear(x, self.matrix)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return x.new_zeros(())


class ZukoAffine(zuko.transforms.MonotonicAffineTransform):
    """zuko's affine transform with our clamp of the log-scale in place of its own."""

    def __init__(self, shift: Tensor, scale: Tensor, clamp: float):
        Transform.__init__(self)
        self.shift = shift
        self.log_scale = clamp * torch.tanh(scale / clamp)
        self.scale = self.log_scale.exp()


class ZukoDensity(nn.Module):
    """zuko's flow, which makes its distribution anew at every call, with ``log_prob``."""

    def __init__(self, flow: zuko.flows.Flow):
        super().__init__()
        self.flow = flow

    def log_prob(self, x: Tensor) -> Tensor:
        return self.flow().log_prob(x)


def to_zuko(flow: Flow) -> nn.Module:
    """The flow in zuko."""
    d = flow.n_features
    unconditional = zuko.lazy.UnconditionalTransform
    layers: list[nn.Module] = []
    for norm, rotation, coupling in blocks(flow):
        zuko_coupling = GeneralCouplingTransform(
            d,
            mask=torch.arange(d) < coupling.n_passed,
            univariate=partial(ZukoAffine, clamp=coupling.clamp),
        )
        # Our outputs are all shifts, then all log-scales; zuko's are pairs.
        order = torch.arange(2 * (d - coupling.n_passed)).reshape(2, -1).T.flatten()
        zuko_coupling.hyper = with_output(coupling.network, order, torch.ones(len(order)))
        shift, log_scale = norm.shift.detach().clone(), norm.log_scale.detach().clone()
        layers += [
            unconditional(ZukoActNorm, shift, log_scale),
            unconditional(ZukoRotation, rotation.matrix.clone(), buffer=True),
            zuko_coupling,
        ]
    base = zuko.lazy.UnconditionalDistribution(
        zuko.distributions.DiagNormal, torch.zeros(d), torch.ones(d), buffer=True
    )
    return ZukoDensity(zuko.flows.Flow(layers, base)).to(flow.dtype)


class FreiaDensity(nn.Module):
    """FrEIA's chain with the base density that it leaves to the user."""

    def __init__(self, chain: SequenceINN):
        super().__init__()
        self.chain = chain

    def log_prob(self, x: Tensor) -> Tensor:
        z, log_det = self.chain(x)
        return log_det - 0.5 * (z.square().sum(dim=1) + z.shape[1] * math.log(2 * math.pi))


def to_freia(flow: Flow) -> nn.Module:
    """The flow in FrEIA, from its AllInOneBlock; the number of features must be even.

    FrEIA's block is coupling, global scale and shift, rotation. So each block takes the ActNorm
    and the rotation of our next one; the first ones stand before the chain, and the last
    coupling, which nothing follows, is FrEIA's plain one.
    """
    d = flow.n_features
    if d % 2:
        raise ValueError(f"the number of features must be even, got {d}")
    chain = SequenceINN(d)
    ours = list(blocks(flow))
    norm, rotation, _ = ours[0]
    chain.append(FreiaActNorm)
    chain.append(FixedLinearTransform, M=rotation.matrix)
    for _, _, coupling in ours:
        c, m = coupling.clamp, d // 2
        order = torch.arange(2 * m).roll(m)
        # Log-scale c tanh(a) of the first outputs; the AllInOneBlock divides all by ten.
        factor = torch.tensor([1 / c, 1.0]).repeat_interleave(m)
        if coupling is ours[-1][2]:
            network = with_output(coupling.network, order, factor)
            chain.append(
                AffineCouplingOneSided,
                subnet_constructor=lambda *widths, network=network: network,
                clamp=c,
                clamp_activation="TANH",
            )
        else:
            network = with_output(coupling.network, order, 10 * factor)
            chain.append(
                AllInOneBlock,
                subnet_constructor=lambda *widths, network=network: network,
                affine_clamping=c,
                global_affine_type="EXP",
            )
    chain.to(flow.dtype)
    with torch.no_grad():
        chain[0].scale.copy_(norm.log_scale)
        chain[0].bias.copy_(norm.shift)
        chain[0].init_on_next_batch = False
        for block, (norm, rotation, _) in zip(list(chain)[2:-1], ours[1:], strict=True):
            block.global_scale.copy_(norm.log_scale)
            block.global_offset.copy_(norm.shift)
            block.w_perm.copy_(rotation.matrix)
            block.w_perm_inv.copy_(rotation.matrix.T)
    return FreiaDensity(chain)


def to_normflows(flow: Flow) -> nn.Module:
    """The flow in normflows; the number of features must be even."""
    import normflows

    class FixedRotation(normflows.flows.Flow):
        """Fixed rotation, from rows to latent rows."""

        def __init__(self, matrix: Tensor):
            super().__init__()
            self.register_buffer("matrix", matrix)

        def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
            return linear(z, self.matrix), z.new_zeros(())

    class ClampedCoupling(normflows.flows.AffineCoupling):
        """normflows' coupling with our clamp; its own takes shifts and log-scales by turns."""

        def __init__(self, coupling: AffineCoupling):
            super().__init__(copy.deepcopy(coupling.network))
            self.clamp = coupling.clamp

        def forward(self, z: list[Tensor]) -> tuple[list[Tensor], Tensor]:
            passed, moved = z
            shift, raw = self.param_map(passed).chunk(2, dim=1)
            log_scale = self.clamp * torch.tanh(raw / self.clamp)
            return [passed, moved * log_scale.exp() + shift], log_scale.sum(dim=1)

    d = flow.n_features
    if d % 2:
        raise ValueError(f"the number of features must be even, got {d}")
    layers: list[nn.Module] = []
    for norm, rotation, coupling in blocks(flow):
        # normflows' ActNorm without its look at whether it has been initialised.
        affine = normflows.flows.AffineConstFlow(d)
        with torch.no_grad():
            affine.s.copy_(norm.log_scale)
            affine.t.copy_(norm.shift)
        block = normflows.flows.AffineCouplingBlock(nn.Identity())
        block.flows[1] = ClampedCoupling(coupling)
        # normflows goes from latent rows to rows.
        layers += [
            normflows.flows.Reverse(affine),
            FixedRotation(rotation.matrix.clone()),
            normflows.flows.Reverse(block),
        ]
    base = normflows.distributions.DiagGaussian(d, trainable=False)
    return normflows.NormalizingFlow(base, layers[::-1]).to(flow.dtype)


def to_nflows(flow: Flow) -> nn.Module:
    """The flow in nflows."""
    from nflows import transforms
    from nflows.distributions import StandardNormal
    from nflows.flows import Flow as NFlow

    class FixedRotation(transforms.Transform):
        """Fixed rotation: nflows' own are learned."""

        def __init__(self, matrix: Tensor):
            super().__init__()
            self.register_buffer("matrix", matrix)

        def forward(self, inputs: Tensor, context: None = None) -> tuple[Tensor, Tensor]:
            return linear(inputs, self.matrix), inputs.new_zeros(())

    class Network(nn.Module):
        """Our network with the context that nflows hands to all networks."""

        def __init__(self, network: nn.Sequential):
            super().__init__()
            self.network = copy.deepcopy(network)

        def forward(self, x: Tensor, context: None = None) -> Tensor:
            return self.network(x)

    class ClampedCoupling(transforms.AffineCouplingTransform):
        """nflows' coupling with our clamp in place of its sigmoid, and without its logarithm."""

        def __init__(self, coupling: AffineCoupling):
            super().__init__(
                torch.arange(d) >= coupling.n_passed, lambda *widths: Network(coupling.network)
            )
            self.clamp = coupling.clamp

        def _coupling_transform_forward(
            self, inputs: Tensor, transform_params: Tensor
        ) -> tuple[Tensor, Tensor]:
            shift, raw = transform_params.chunk(2, dim=1)
            log_scale = self.clamp * torch.tanh(raw / self.clamp)
            return inputs * log_scale.exp() + shift, log_scale.sum(dim=1)

    d = flow.n_features
    layers: list[nn.Module] = []
    for norm, rotation, coupling in blocks(flow):
        affine = transforms.ActNorm(d)
        affine.initialized.fill_(True)
        with torch.no_grad():
            affine.log_scale.copy_(norm.log_scale)
            affine.shift.copy_(norm.shift)
        layers += [affine, FixedRotation(rotation.matrix.clone()), ClampedCoupling(coupling)]
    chain = NFlow(transforms.CompositeTransform(layers), StandardNormal([d]))
    return chain.to(flow.dtype)
