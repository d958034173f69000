"""Bulk-rare loss: the contrastive loss with the clamp and the sum of Chiu and Lai."""

import torch
from torch import Tensor

from ._contrastive import Contrastive


class BulkRare(Contrastive):
    r"""Bulk-rare loss of Chiu and Lai.

    .. math::
        L = \operatorname{mean}_B(\mathrm{nll}) - c \sum_R \mathrm{nll} \;
            1[\log p > k \wedge \log p > \min_B \log p],
        \qquad \mathrm{nll} = -\log p

    Chiu and Lai, "Self-Supervised Normalizing Flows for Image Anomaly Detection and
    Localization", CVPR workshops 2023, where c is 1 (and k is called c). A rare row that is less
    likely than every bulk row of the batch, or than k, contributes nothing. In the terms of
    `Contrastive`, whose parameters it has, k is minus the clamp t, and because it sums over rare
    rows the weight of their mean is c times their number.
    """

    def _loss(self, nll_bulk: Tensor, nll_contrast: Tensor) -> Tensor:
        limit = nll_bulk.detach().max().clamp(max=self.clamp)
        likely = torch.where(nll_contrast < limit, nll_contrast, 0.0)
        return nll_bulk.mean() - self.contrast_weight * likely.sum()
