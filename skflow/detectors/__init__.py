"""Outlier detectors: scikit-learn estimators, one a file."""

from ._autoencoder import AutoencoderDetector
from ._base import BaseDetector
from ._contrastive import ContrastiveFlowDetector
from ._ensemble import FlowEnsemble
from ._flow_neighbors import FlowNeighborsDetector
from ._mahalanobis import MahalanobisDetector
from ._realnvp import RealNVPOutlierDetector
from ._torch import TorchDetector

__all__ = [
    "AutoencoderDetector",
    "BaseDetector",
    "ContrastiveFlowDetector",
    "FlowEnsemble",
    "FlowNeighborsDetector",
    "MahalanobisDetector",
    "RealNVPOutlierDetector",
    "TorchDetector",
]
