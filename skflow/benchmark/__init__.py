"""Evaluation protocols: splits that leak nothing."""

from ._protocol import Split, one_class_split, rare_event_split

__all__ = ["Split", "one_class_split", "rare_event_split"]
