"""Files of fitted models, without code in them, and files of rows larger than memory."""

from .._rows import read_batches
from ._model_file import fingerprint, info, load, save

__all__ = ["fingerprint", "info", "load", "read_batches", "save"]
