"""Ready-made flows, and the names by which detectors find them."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from ._adapters import ForeignFlow
from ._coupling import REACH, AffineCoupling, Coupling, SplineCoupling
from ._flow import Flow
from ._layers import ActNorm
from ._linear import Permutation, Rotation
from ._spline import ElementwiseSpline

#: A rotation stores d * d numbers; beyond this many features a permutation stands in for it.
MAX_ROTATED_FEATURES = 512


def realnvp(
    n_features: int,
    *,
    n_conditions: int = 0,
    n_blocks: int = 8,
    hidden_features: int = 128,
    reach: float = REACH,
    generator: torch.Generator | None = None,
) -> Flow:
    """Make a RealNVP flow: blocks of ActNorm, fixed rotation and affine coupling.

    Dinh et al. 2017, arXiv:1605.08803. One feature leaves nothing to couple: then a spline bends
    it, and couplings only bring in the condition.

    Parameters
    ----------
    n_features : int
        Number of features d, at least 1.
    n_conditions : int, default=0
        Number of columns of the condition.
    n_blocks : int, default=8
        Number of blocks.
    hidden_features : int, default=128
        Width of the two hidden layers of every coupling network.
    reach : float, default=4.0
        Where couplings stop to follow their inputs, in standard deviations, so that densities
        fall with the distance from the data; infinite in the paper.
    generator : torch.Generator or None
        Where rotations and initial weights are drawn from; torch's global one if None.

    Examples
    --------
    >>> import torch
    >>> from skflow.flows import realnvp
    >>> flow = realnvp(3, n_blocks=2, generator=torch.Generator().manual_seed(0))
    >>> flow.log_prob(torch.zeros(5, 3)).shape
    torch.Size([5])
    """
    margins = [ElementwiseSpline(1)] if n_features == 1 else []
    mix = Rotation if n_features <= MAX_ROTATED_FEATURES else Permutation
    mixing = [mix(n_features, generator) for _ in range(n_blocks)]
    blocks = _blocks(
        AffineCoupling, mixing, n_features, n_conditions, hidden_features, reach, generator
    )
    return Flow([*margins, *blocks], n_features, n_conditions)


def spline(
    n_features: int,
    *,
    n_conditions: int = 0,
    n_blocks: int = 8,
    hidden_features: int = 128,
    reach: float = REACH,
    generator: torch.Generator | None = None,
) -> Flow:
    """Make a neural spline flow: bent margins, then blocks with rational-quadratic couplings.

    Durkan et al. 2019, arXiv:1906.04032, with ActNorm and a permutation of the features before
    every coupling, and a spline for every feature before and after all of them; the first starts
    from the data's quantiles. For skewed and bounded margins, sharp structure and few features;
    slower than `realnvp`.

    Parameters
    ----------
    n_features, n_conditions, n_blocks, hidden_features, reach, generator
        As for `realnvp`.

    Examples
    --------
    >>> import torch
    >>> from skflow.flows import spline
    >>> flow = spline(1, generator=torch.Generator().manual_seed(0))
    >>> x = torch.rand(1000, 1, generator=torch.Generator().manual_seed(1))
    >>> flow.initialize(x)  # the density of the uniform distribution is 1
    >>> bool((flow.log_prob(x).mean().exp() - 1).abs() < 0.1)
    True
    """
    # In pairs of blocks every feature moves, given others that the pair draws.
    mixing = [
        Permutation(n_features, generator, exchange=n_features == 2 or i % 2 == 1)
        for i in range(n_blocks)
    ]
    blocks = _blocks(
        SplineCoupling, mixing, n_features, n_conditions, hidden_features, reach, generator
    )
    margins = [ElementwiseSpline(n_features) for _ in range(min(n_features, 2))]
    return Flow([*margins[:1], *blocks, *margins[1:]], n_features, n_conditions)


def _blocks(
    coupling: type[Coupling],
    mixing: Sequence[nn.Module],
    n_features: int,
    n_conditions: int,
    hidden_features: int,
    reach: float,
    generator: torch.Generator | None,
) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for mix in mixing:
        layers.append(ActNorm(n_features))
        if n_features > 1:
            layers.append(mix)
        if n_features > 1 or n_conditions:
            layers.append(
                coupling(
                    n_features,
                    hidden_features,
                    n_conditions=n_conditions,
                    reach=reach,
                    generator=generator,
                )
            )
    return layers


#: Presets by name, and what `register_flow` adds.
_FLOWS: dict[str, Callable[..., Any]] = {"realnvp": realnvp, "spline": spline}
_PRESETS = tuple(_FLOWS)


def register_flow(name: str, factory: Callable[..., Any]) -> None:
    """Give a flow of your own a name, so that detectors with it can be saved.

    A saved detector holds the name, never code: whoever loads it registers the same first.

    Parameters
    ----------
    name : str
        What detectors take as ``flow=``.
    factory : callable
        ``factory(n_features)``, or ``factory(n_features, n_conditions)`` for detectors with a
        condition, returns the flow: a `Flow`, or a module of zuko, nflows or normflows.

    Raises
    ------
    ValueError
        If the name is a preset's, or another factory has it.

    Examples
    --------
    >>> from skflow.flows import register_flow, spline
    >>> def small_spline(n_features):
    ...     return spline(n_features, n_blocks=2, hidden_features=16)
    >>> register_flow("small-spline", small_spline)
    """
    if name in _PRESETS:
        raise ValueError(f"name must not be one of the presets {list(_PRESETS)}; got {name!r}")
    if _FLOWS.setdefault(name, factory) is not factory:
        raise ValueError(f"name must be new; {name!r} is already the name of {_FLOWS[name]!r}")


def is_preset(flow: str | Callable[..., Any]) -> bool:
    """Whether a flow is one of skflow's own presets, which draw from a private generator."""
    return isinstance(flow, str) and flow in _PRESETS


def registered_name(factory: Callable[..., Any]) -> str:
    """Name under which a factory was registered.

    Raises
    ------
    TypeError
        If it was not.
    """
    for name, known in _FLOWS.items():
        if known is factory:
            return name
    raise TypeError(
        f"a fitted detector whose flow is {factory!r} cannot be saved, because that code may be "
        "missing or different where it is loaded; call "
        "skflow.flows.register_flow(name, factory) here and there"
    )


def make_flow(
    flow: str | Callable[..., Any],
    n_features: int,
    n_conditions: int,
    *,
    n_blocks: int,
    hidden_features: int,
    generator: torch.Generator | None,
) -> Flow:
    """Make the flow that a detector asks for, by name or by callable.

    Callables know no generator: they draw from torch's global one.

    Raises
    ------
    ValueError
        If the name is not known, or the callable returns a flow of other widths.
    TypeError
        If the callable returns no module.
    """
    if isinstance(flow, str) and flow not in _FLOWS:
        raise ValueError(
            f"flow must be one of {sorted(_FLOWS)}, a name given to skflow.flows.register_flow, "
            f"or a callable; got {flow!r}"
        )
    if is_preset(flow):
        return _FLOWS[str(flow)](
            n_features,
            n_conditions=n_conditions,
            n_blocks=n_blocks,
            hidden_features=hidden_features,
            generator=generator,
        )
    factory = _FLOWS[flow] if isinstance(flow, str) else flow
    made = factory(n_features, n_conditions) if n_conditions else factory(n_features)
    if not isinstance(made, Flow):
        return ForeignFlow(made, n_features, n_conditions)
    if (made.n_features, made.n_conditions) != (n_features, n_conditions):
        raise ValueError(
            f"flow must return a flow of {n_features} features and {n_conditions} conditions; "
            f"got one of {made.n_features} and {made.n_conditions}"
        )
    return made
