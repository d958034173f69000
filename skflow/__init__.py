"""skflow finds what is rare in a bulk of ordinary events with normalizing flows."""

from ._environment import show_versions
from ._version import __version__
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
    "__version__",
    "load",
    "save",
    "show_versions",
]
