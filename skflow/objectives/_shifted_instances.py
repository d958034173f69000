"""Contrasting shifted instances: an image's turned copies count as other images."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize


class ShiftedInstances:
    r"""Loss of CSI: views of an image are alike, unless one is turned; and how it is turned.

    .. math::
        L = -\operatorname{mean} \log \frac{\exp(z \cdot z_+ / \tau)}
            {\sum_{z' \ne z} \exp(z \cdot z' / \tau)} + \operatorname{mean} (-\log P(S | S(x)))

    Tack et al., "CSI: Novelty Detection via Contrastive Learning on Distributionally Shifted
    Instances", NeurIPS 2020, arXiv:2007.08176, eqs. 3-5: over all views of all images of a batch
    under all shifting transformations S, here the four quarter turns. z are features on the unit
    sphere; z+ is the other view of the same image under the same S.

    Parameters
    ----------
    view : callable
        ``view(images)`` returns a random view of each.
    temperature : float
        The temperature tau.
    """

    def __init__(self, view: Callable[[Tensor], Tensor], temperature: float):
        self.view = view
        self.temperature = temperature

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps: what the views remember."""
        return getattr(self.view, "state_dict", dict)()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on as a checkpoint was left."""
        getattr(self.view, "load_state_dict", dict)(state)

    def __call__(self, module: Any, batch: Any) -> Tensor:
        images = module.images(batch.bulk)
        views = [module.turned(self.view(images)) for _ in range(2)]
        features, logits = module(torch.cat(views))
        n = len(features) // 2
        unit = normalize(features, dim=1)
        similarity = unit @ unit.T / self.temperature
        similarity.fill_diagonal_(-torch.inf)
        partner = torch.arange(2 * n, device=images.device).roll(n)
        turns = module.turns_of(len(images)).repeat(2)
        return cross_entropy(similarity, partner) + cross_entropy(logits, turns)
