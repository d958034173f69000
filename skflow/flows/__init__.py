"""Normalizing flows in torch: exact densities, latent coordinates, inverses and samples."""

from ._adapters import ForeignFlow, RowFlow
from ._conv import ConvCoupling, ConvFlow
from ._coupling import AdditiveCoupling, AffineCoupling, Coupling, SplineCoupling
from ._flow import Flow
from ._fused import fuse
from ._layers import ActNorm, Standardize
from ._linear import LULinear, Permutation, Rotation
from ._networks import conv, mlp
from ._presets import is_preset, make_flow, realnvp, register_flow, registered_name, spline
from ._spline import ElementwiseSpline, rational_quadratic

__all__ = [
    "ActNorm",
    "AdditiveCoupling",
    "AffineCoupling",
    "ConvCoupling",
    "ConvFlow",
    "Coupling",
    "ElementwiseSpline",
    "Flow",
    "ForeignFlow",
    "LULinear",
    "Permutation",
    "Rotation",
    "RowFlow",
    "SplineCoupling",
    "Standardize",
    "conv",
    "fuse",
    "is_preset",
    "make_flow",
    "mlp",
    "rational_quadratic",
    "realnvp",
    "register_flow",
    "registered_name",
    "spline",
]
