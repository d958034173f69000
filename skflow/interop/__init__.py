"""Other libraries' detectors and files under skflow's contracts."""

from ._ctapipe import geometry_from_ctapipe
from ._dl1 import read_dl1
from ._dl2 import write_scores
from ._pyod import PyODDetector
from ._to_pyod import to_pyod

__all__ = ["PyODDetector", "geometry_from_ctapipe", "read_dl1", "to_pyod", "write_scores"]
