"""Bulk-rare loss: the contrastive loss with the clamp and the sum of Chiu and Lai."""

from typing import Any

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

    Its value *rises* when a row passes the limit, from minus the limit to zero. So held-out rows
    are judged by what has the same slopes and no such step: min(nll, limit), for as many rare rows
    as a batch has.
    """

    _n_rare = 1

    def _loss(self, nll_bulk: Tensor, nll_contrast: Tensor) -> Tensor:
        self._n_rare = len(nll_contrast)
        likely = torch.where(nll_contrast < self._limit(nll_bulk), nll_contrast, 0.0)
        return nll_bulk.mean() - self.contrast_weight * likely.sum()

    def _limit(self, nll_bulk: Tensor) -> Tensor:
        return nll_bulk.detach().max().clamp(max=self.clamp)

    def validation_loss(self, module: Any, batch: Any) -> Tensor:
        """What held-out rows are judged by."""
        if not self.is_warm:
            return self(module, batch)
        nll_bulk, nll_contrast = self._nll(module, batch)
        clamped = torch.minimum(nll_contrast, self._limit(nll_bulk))
        return nll_bulk.mean() - self.contrast_weight * self._n_rare * clamped.mean()
