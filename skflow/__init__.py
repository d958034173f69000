"""skflow finds what is rare in a bulk of ordinary events with normalizing flows."""

from .detectors import (
    AutoencoderDetector,
    ClassConditionalFlowDetector,
    ContrastiveFlowDetector,
    DensityRatioDetector,
    FlowEnsemble,
    FlowNeighborsDetector,
    MahalanobisDetector,
    RareEventDetector,
    RealNVPOutlierDetector,
)
from .hillas import HillasTransformer
from .io import load, save

__version__ = "0.1.0"

__all__ = [
    "AutoencoderDetector",
    "ClassConditionalFlowDetector",
    "ContrastiveFlowDetector",
    "DensityRatioDetector",
    "FlowEnsemble",
    "FlowNeighborsDetector",
    "HillasTransformer",
    "MahalanobisDetector",
    "RareEventDetector",
    "RealNVPOutlierDetector",
    "load",
    "save",
]
