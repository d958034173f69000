"""Pictures and explanations of events. What draws needs matplotlib, imported when called."""

from ._camera import CameraImageDisplay
from ._explain import explain
from ._gallery import plot_camera_images
from ._nearest import nearest_normal

__all__ = ["CameraImageDisplay", "explain", "nearest_normal", "plot_camera_images"]
