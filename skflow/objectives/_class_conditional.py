"""Class-conditional likelihood, with a discriminative term that tells the classes apart."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softplus


class ClassConditional:
    r"""Loss of one flow of two classes, bulk B and rare R.

    .. math::
        L = \operatorname{mean}_B(-\log p(x | b)) + \operatorname{mean}_R(-\log p(x | r))
            + \lambda \, [\operatorname{mean}_B(-\log P(b | x))
            + \operatorname{mean}_R(-\log P(r | x))]

    with :math:`P(b | x) = p(x | b) / (p(x | b) + p(x | r))`, as if both classes were equally
    frequent. The first two terms make densities, the others make their ratio tell the classes
    apart: generative and discriminative training weighed as by Ardizzone et al., "Training
    normalizing flows with the information bottleneck for competitive generative
    classification", NeurIPS 2020, arXiv:2001.06448. Without rare rows it is the likelihood of
    the bulk.

    The last column of a row is its class, 0 for bulk and 1 for rare, which is a condition of the
    flow.

    Parameters
    ----------
    discriminative_weight : float
        Weight lambda of the discriminative term; 0 leaves it out.
    """

    def __init__(self, discriminative_weight: float):
        self.discriminative_weight = discriminative_weight

    def __call__(self, module: Any, batch: Any) -> Tensor:
        if batch.contrast is None:
            return -module.log_prob(batch.bulk).mean()
        rows = torch.cat([batch.bulk, batch.contrast])
        sizes = [len(batch.bulk), len(batch.contrast)]
        own = module.log_prob(rows)
        loss = -sum(part.mean() for part in own.split(sizes))
        if self.discriminative_weight == 0:
            return loss
        wrong = softplus(module.log_prob(as_other_class(rows)) - own)
        return loss + self.discriminative_weight * sum(part.mean() for part in wrong.split(sizes))


def as_other_class(rows: Tensor) -> Tensor:
    """Rows (n, d + 1) with the class in the last column exchanged."""
    return torch.cat([rows[:, :-1], 1 - rows[:, -1:]], dim=1)
