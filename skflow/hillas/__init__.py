"""From camera images to Hillas parameters."""

from ._geometry import CameraGeometry
from ._transformer import HillasTransformer

__all__ = ["CameraGeometry", "HillasTransformer"]
