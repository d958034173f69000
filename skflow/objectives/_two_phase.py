"""TwoPhase: likelihood first, then a loss that tells the bulk from contrast rows."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor


class TwoPhase(ABC):
    """Base of the objectives that contrast: until `freeze` the loss is the likelihood alone."""

    #: Whether the warm-up is over.
    is_warm = False

    def freeze(self, nll_bulk: Tensor) -> None:
        """End the warm-up, given the bulk's negative log-densities (n,)."""
        self.is_warm = True

    def __call__(self, module: Any, batch: Any) -> Tensor:
        if not self.is_warm:
            return -module.log_prob(batch.bulk).mean()
        return self._loss(*self._nll(module, batch))

    def validation_loss(self, module: Any, batch: Any) -> Tensor:
        """What held-out rows are judged by."""
        return self(module, batch)

    def _nll(self, module: Any, batch: Any) -> tuple[Tensor, Tensor]:
        nll = -module.log_prob(torch.cat([batch.bulk, batch.contrast]))
        bulk, contrast = nll.split([len(batch.bulk), len(batch.contrast)])
        return bulk, contrast

    @abstractmethod
    def _loss(self, nll_bulk: Tensor, nll_contrast: Tensor) -> Tensor:
        """Loss of both after the warm-up."""
