"""Other libraries' detectors and files under skflow's contracts."""

from ._pyod import PyODDetector

__all__ = ["PyODDetector"]
