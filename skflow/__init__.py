"""skflow finds what is rare in a bulk of ordinary events with normalizing flows."""

from .detectors import (
    AutoencoderDetector,
    ContrastiveFlowDetector,
    FlowEnsemble,
    FlowNeighborsDetector,
    MahalanobisDetector,
    RealNVPOutlierDetector,
)
from .hillas import HillasTransformer

__version__ = "0.1.0"

__all__ = [
    "AutoencoderDetector",
    "ContrastiveFlowDetector",
    "FlowEnsemble",
    "FlowNeighborsDetector",
    "HillasTransformer",
    "MahalanobisDetector",
    "RealNVPOutlierDetector",
]
