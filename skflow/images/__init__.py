"""Camera images and photos: features, synthetic anomalies, and detectors that localise."""

from ._csi import CSIDetector
from ._fastflow import FastFlowDetector
from ._features import FrozenFeatures
from ._moco import MoCoTransformer
from ._square import HexToSquare
from ._synthetic import make_anomalies
from ._transformation import TransformationDetector

__all__ = [
    "CSIDetector",
    "FastFlowDetector",
    "FrozenFeatures",
    "HexToSquare",
    "MoCoTransformer",
    "TransformationDetector",
    "make_anomalies",
]
