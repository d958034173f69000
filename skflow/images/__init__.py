"""Camera images and photos as features."""

from ._square import HexToSquare

__all__ = ["HexToSquare"]
