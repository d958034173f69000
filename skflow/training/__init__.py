"""The one training loop, its batches and its seeds."""

from ._batches import Batch, Noise, batches
from ._checkpoint import Checkpoint
from ._loop import train
from ._seeds import resolve_seed, seeded_torch

__all__ = ["Batch", "Checkpoint", "Noise", "batches", "resolve_seed", "seeded_torch", "train"]
