"""Small dense networks, initialised from a private generator."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn


def linear(
    in_features: int, out_features: int, generator: torch.Generator | None, *, zero: bool = False
) -> nn.Linear:
    """Make a linear layer without touching torch's global generator.

    Weights and biases are uniform within ``1 / sqrt(in_features)``, torch's own rule for
    `torch.nn.Linear`, or all zero.
    """
    # Made without values, because torch's own would come from the global generator.
    layer = nn.Linear(in_features, out_features, device="meta")
    layer.to_empty(device=torch.get_default_device())
    bound = 0.0 if zero else in_features**-0.5
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
