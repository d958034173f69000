"""Pictures, explanations and checks. What draws needs matplotlib, imported when called."""

from ._binned import BinnedMetricDisplay
from ._camera import CameraImageDisplay
from ._compare import compare_detectors
from ._contributions import ContributionsDisplay
from ._curves import PrecisionRecallDisplay, RocCurveDisplay
from ._distributions import ReliabilityDisplay, ScoreHistogramDisplay
from ._domain import domain_check
from ._explain import explain
from ._gallery import plot_camera_images
from ._health import health_check
from ._latent import LatentQQDisplay
from ._nearest import nearest_normal
from ._pairs import PairPlotDisplay
from ._top import plot_top_events
from ._training import TrainingHistoryDisplay

__all__ = [
    "BinnedMetricDisplay",
    "CameraImageDisplay",
    "ContributionsDisplay",
    "LatentQQDisplay",
    "PairPlotDisplay",
    "PrecisionRecallDisplay",
    "ReliabilityDisplay",
    "RocCurveDisplay",
    "ScoreHistogramDisplay",
    "TrainingHistoryDisplay",
    "compare_detectors",
    "domain_check",
    "explain",
    "health_check",
    "nearest_normal",
    "plot_camera_images",
    "plot_top_events",
]
