"""Loaders and simulators of datasets."""

from ._magic import fetch_magic
from ._simulated import make_hillas

__all__ = ["fetch_magic", "make_hillas"]
