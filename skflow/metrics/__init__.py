"""Figures of merit for rankings with -1 as the positive class, and ready scorers."""

from ._binned import acceptance_flatness, binned_cuts
from ._curves import roc_curve, significance_improvement_curve
from ._ranking import (
    average_precision_score,
    precision_at_n_score,
    precision_score,
    roc_auc_score,
    tpr_at_fpr_score,
)
from ._resampling import bootstrap_interval, paired_difference
from ._scorers import get_scorer, get_scorer_names
from ._significance import li_ma_significance, quality_factor_score

__all__ = [
    "acceptance_flatness",
    "average_precision_score",
    "binned_cuts",
    "bootstrap_interval",
    "get_scorer",
    "get_scorer_names",
    "li_ma_significance",
    "paired_difference",
    "precision_at_n_score",
    "precision_score",
    "quality_factor_score",
    "roc_auc_score",
    "roc_curve",
    "significance_improvement_curve",
    "tpr_at_fpr_score",
]
