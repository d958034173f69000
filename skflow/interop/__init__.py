"""Other libraries' detectors and files under skflow's contracts."""

from ._ctapipe import geometry_from_ctapipe
from ._dask import lazily
from ._dl1 import read_dl1
from ._dl2 import write_scores
from ._onnx import to_onnx
from ._pyod import PyODDetector
from ._to_pyod import to_pyod

__all__ = [
    "PyODDetector",
    "geometry_from_ctapipe",
    "lazily",
    "read_dl1",
    "to_onnx",
    "to_pyod",
    "write_scores",
]
