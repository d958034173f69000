"""Other libraries' detectors and files under skflow's contracts."""

from ._pyod import PyODDetector
from ._to_pyod import to_pyod

__all__ = ["PyODDetector", "to_pyod"]
