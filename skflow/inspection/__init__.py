"""Pictures of events. They need matplotlib, which is imported when the first is drawn."""

from ._camera import CameraImageDisplay
from ._gallery import plot_camera_images

__all__ = ["CameraImageDisplay", "plot_camera_images"]
