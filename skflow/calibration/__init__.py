"""From scores to decisions: p-values and thresholds for any outlier detector."""

from ._conformal import ConformalDetector

__all__ = ["ConformalDetector"]
