"""Losses of maps: what is planted in an image is contrasted there, and the rest of it is bulk."""

from typing import Any

import torch
from torch import Tensor

from ._bulk_rare import BulkRare
from ._contrastive import Contrastive


class _Local:
    """Bulk and contrast by positions: ``module.log_prob`` is (n, n_positions).

    ``module.planted(rows)`` tells the positions inside the mask of contrast rows, and those
    outside; the border, which is a little of both, counts as neither.
    """

    def _nll(self, module: Any, batch: Any) -> tuple[Tensor, Tensor]:
        nll = -module.log_prob(torch.cat([batch.bulk, batch.contrast]))
        bulk, contrast = nll.split([len(batch.bulk), len(batch.contrast)])
        inside, outside = module.planted(batch.contrast)
        planted = contrast[inside]
        if len(planted) == 0:  # nothing that has a slope
            planted = contrast.new_full((1,), torch.inf)
        return torch.cat([bulk.flatten(), contrast[outside]]), planted


class LocalContrastive(_Local, Contrastive):
    """`Contrastive` with positions of maps in place of rows."""


class LocalBulkRare(_Local, BulkRare):
    """`BulkRare` with positions of maps in place of rows, and their mean in place of the sum.

    A sum over all positions would be of another size for each size of images.
    """

    def _loss(self, nll_bulk: Tensor, nll_contrast: Tensor) -> Tensor:
        likely = torch.where(nll_contrast < self._limit(nll_bulk), nll_contrast, 0.0)
        return nll_bulk.mean() - self.contrast_weight * likely.mean()
