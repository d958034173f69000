"""Pictures and explanations of events. What draws needs matplotlib, imported when called."""

from ._camera import CameraImageDisplay
from ._compare import compare_detectors
from ._curves import PrecisionRecallDisplay, RocCurveDisplay
from ._distributions import ReliabilityDisplay, ScoreHistogramDisplay
from ._explain import explain
from ._gallery import plot_camera_images
from ._latent import LatentQQDisplay
from ._nearest import nearest_normal

__all__ = [
    "CameraImageDisplay",
    "LatentQQDisplay",
    "PrecisionRecallDisplay",
    "ReliabilityDisplay",
    "RocCurveDisplay",
    "ScoreHistogramDisplay",
    "compare_detectors",
    "explain",
    "nearest_normal",
    "plot_camera_images",
]
