"""Training objectives: each is called with (module, batch) and returns the loss."""

from ._bulk_rare import BulkRare
from ._class_conditional import ClassConditional, as_other_class
from ._contrastive import Contrastive
from ._exposure import Exposure
from ._likelihood import Likelihood
from ._local import LocalBulkRare, LocalContrastive
from ._momentum_contrast import MomentumContrast
from ._reconstruction import Reconstruction
from ._shifted_instances import ShiftedInstances
from ._two_phase import TwoPhase

__all__ = [
    "BulkRare",
    "ClassConditional",
    "Contrastive",
    "Exposure",
    "Likelihood",
    "LocalBulkRare",
    "LocalContrastive",
    "MomentumContrast",
    "Reconstruction",
    "ShiftedInstances",
    "TwoPhase",
    "as_other_class",
]
