"""Layers and small networks, initialised from a private generator."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import nn


def linear(
    in_features: int, out_features: int, generator: torch.Generator | None, *, zero: bool = False
) -> nn.Linear:
    """Make a linear layer without touching torch's global generator."""
    layer = nn.Linear(in_features, out_features, device="meta")
    return _drawn(layer, in_features, generator, zero)


def conv(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    generator: torch.Generator | None,
    *,
    stride: int = 1,
    zero: bool = False,
) -> nn.Conv2d:
    """Make a convolution that keeps the size of maps (but for `stride`), likewise."""
    padding = kernel_size // 2
    layer = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, device="meta")
    return _drawn(layer, in_channels * kernel_size**2, generator, zero)


def _drawn(layer: Any, n_inputs: int, generator: torch.Generator | None, zero: bool) -> Any:
    """Give a layer that has no values its first ones: torch's own would be of its global generator.

    Weights and biases are uniform within ``1 / sqrt(n_inputs)``, torch's rule, or all zero.
    """
    layer.to_empty(device=torch.get_default_device())
    bound = 0.0 if zero else n_inputs**-0.5
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=generator)
        layer.bias.uniform_(-bound, bound, generator=generator)
    return layer


def mlp(
    widths: Sequence[int], generator: torch.Generator | None, *, zero_output: bool = False
) -> nn.Sequential:
    """Make a perceptron with ReLU between its linear layers.

    Parameters
    ----------
    widths : sequence of int
        Input width, hidden widths, output width.
    generator : torch.Generator or None
        Where the initial weights are drawn from.
    zero_output : bool, default=False
        Start with a last layer of zeros, so that the network starts as the zero function.
    """
    layers: list[nn.Module] = []
    last = len(widths) - 2
    for i, (n_in, n_out) in enumerate(pairwise(widths)):
        layers.append(linear(n_in, n_out, generator, zero=zero_output and i == last))
        if i < last:
            layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)
