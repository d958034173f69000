"""Normalizing flows in torch: exact densities, latent coordinates, inverses and samples."""

from ._flow import Flow, realnvp
from ._layers import ActNorm, AffineCoupling, Permutation, Rotation, Standardize
from ._networks import mlp

__all__ = [
    "ActNorm",
    "AffineCoupling",
    "Flow",
    "Permutation",
    "Rotation",
    "Standardize",
    "mlp",
    "realnvp",
]
