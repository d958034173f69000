"""The one training loop, its batches and its seeds."""

from ._batches import Batch, batches
from ._loop import train
from ._seeds import resolve_seed

__all__ = ["Batch", "batches", "resolve_seed", "train"]
