"""Loaders and simulators of datasets."""

from ._adbench import fetch_adbench
from ._fact import fetch_fact_tables
from ._iact import fetch_camera_images
from ._image_sets import fetch_image_set
from ._magic import fetch_magic
from ._showers import make_shower_images
from ._simulated import make_hillas

__all__ = [
    "fetch_adbench",
    "fetch_camera_images",
    "fetch_fact_tables",
    "fetch_image_set",
    "fetch_magic",
    "make_hillas",
    "make_shower_images",
]
