"""Outlier detectors: scikit-learn estimators, one a file."""

from ._autoencoder import AutoencoderDetector
from ._base import BaseDetector
from ._class_conditional import ClassConditionalFlowDetector
from ._contrastive import ContrastiveFlowDetector
from ._density_ratio import DensityRatioDetector
from ._ensemble import FlowEnsemble
from ._flow_neighbors import FlowNeighborsDetector
from ._mahalanobis import MahalanobisDetector
from ._rare_event import RareEventDetector
from ._realnvp import RealNVPOutlierDetector
from ._torch import TorchDetector

__all__ = [
    "AutoencoderDetector",
    "BaseDetector",
    "ClassConditionalFlowDetector",
    "ContrastiveFlowDetector",
    "DensityRatioDetector",
    "FlowEnsemble",
    "FlowNeighborsDetector",
    "MahalanobisDetector",
    "RareEventDetector",
    "RealNVPOutlierDetector",
    "TorchDetector",
]
