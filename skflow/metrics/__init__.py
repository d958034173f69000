"""Figures of merit for rankings with -1 as the positive class, and ready scorers."""

from ._ranking import (
    average_precision_score,
    precision_at_n_score,
    roc_auc_score,
    tpr_at_fpr_score,
)
from ._scorers import get_scorer, get_scorer_names

__all__ = [
    "average_precision_score",
    "get_scorer",
    "get_scorer_names",
    "precision_at_n_score",
    "roc_auc_score",
    "tpr_at_fpr_score",
]
