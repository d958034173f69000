"""From scores to decisions: p-values, thresholds and probabilities for any outlier detector."""

from ._conformal import ConformalDetector
from ._probability import CalibratedDetectorCV
from ._threshold import ThresholdDetector
from ._tuned import TunedThresholdDetectorCV

__all__ = [
    "CalibratedDetectorCV",
    "ConformalDetector",
    "ThresholdDetector",
    "TunedThresholdDetectorCV",
]
