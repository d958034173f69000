"""Training objectives: each is called with (module, batch) and returns the loss."""

from ._contrastive import Contrastive
from ._likelihood import Likelihood
from ._reconstruction import Reconstruction

__all__ = ["Contrastive", "Likelihood", "Reconstruction"]
