"""Coupling layers: one half of the features, and the condition, say how the other half moves."""

import math
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from ._networks import mlp
from ._spline import rational_quadratic

#: Where couplings stop to follow, in the unit of the features that they get: after ActNorm about
#: a standard deviation.
REACH = 4.0


class Coupling(nn.Module, ABC):
    """Base of the coupling layers: Dinh et al. 2017, arXiv:1605.08803, section 3.2.

    ``x_1``, the first half of the features, passes unchanged; a network of ``x_1`` and of the
    condition gives the parameters of an invertible map of every feature of ``x_2``. A subclass
    defines that map in ``_move`` and ``_move_back``, the identity where the parameters are zero.

    Parameters
    ----------
    n_features : int
        At least 2; 1 with a condition.
    hidden_features : int
        Width of the two hidden layers of the network.
    n_conditions : int, default=0
        Number of columns of the condition.
    reach : float, default=4.0
        The network sees inputs clipped to this size: what it says of rows far away must not grow
        with their distance, or it could cancel that.
    generator : torch.Generator or None
        Where the initial weights are drawn from.
    """

    #: Parameters of the map of one feature.
    n_parameters: int

    def __init__(
        self,
        n_features: int,
        hidden_features: int,
        *,
        n_conditions: int = 0,
        reach: float = REACH,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        self.hidden_features = hidden_features
        self.reach = reach
        self.n_passed = n_features // 2
        n_moved = n_features - self.n_passed
        n_inputs = n_conditions + self.n_passed
        if n_inputs == 0:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 features, or a condition; "
                f"got n_features={n_features} and n_conditions=0"
            )
        widths = [n_inputs, hidden_features, hidden_features, self.n_parameters * n_moved]
        clip = [] if math.isinf(reach) else [nn.Hardtanh(-reach, reach)]
        self.network = nn.Sequential(*clip, *self._make_network(widths, generator))

    def _make_network(self, widths: list[int], generator: torch.Generator | None) -> Any:
        """Network from what is known to the parameters, zero at first."""
        return mlp(widths, generator, zero_output=True)

    def _split(self, x: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Features that pass, features that move, and the parameters of their map.

        Under autocast the network alone has less precision: the map and its density stay exact.
        """
        passed, moved = x[:, : self.n_passed], x[:, self.n_passed :]
        known = passed if condition is None else torch.cat([condition, passed], dim=1)
        return passed, moved, self.network(known).to(known.dtype)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        passed, moved, parameters = self._split(x, condition)
        moved, log_det = self._move(moved, parameters)
        return torch.cat([passed, moved], dim=1), log_det

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        passed, moved, parameters = self._split(z, condition)
        return torch.cat([passed, self._move_back(moved, parameters)], dim=1)

    @abstractmethod
    def _move(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Map x_2 (n, m) with the parameters (n, m * n_parameters); also log |det|, (n,)."""

    @abstractmethod
    def _move_back(self, z: Tensor, parameters: Tensor) -> Tensor:
        """Undo the map."""


class AdditiveCoupling(Coupling):
    """``z_2 = x_2 + t(x_1)``: keeps volumes. Dinh et al. 2014, arXiv:1410.8516."""

    n_parameters = 1

    def _move(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        return x + parameters, x.new_zeros(())

    def _move_back(self, z: Tensor, parameters: Tensor) -> Tensor:
        return z - parameters


class AffineCoupling(Coupling):
    """``z_2 = x_2 exp(s(x_1)) + t(x_1)``: Dinh et al. 2017, arXiv:1605.08803, eqs. 4-5.

    The log-scale is softly clamped, ``s = c tanh(r / c)`` with c = 2, so that no row can make it
    overflow. Beyond `reach` (infinite in the paper) the map goes on with slope 1: a chain of such
    layers tends to a linear map, and the density of rows far away falls with their distance.
    """

    n_parameters = 2
    #: Largest absolute log-scale c.
    clamp = 2.0

    def _shift_and_log_scale(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        shift, raw = parameters.chunk(2, dim=1)
        return shift, self.clamp * torch.tanh(raw / self.clamp)

    def _move(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        shift, log_scale = self._shift_and_log_scale(parameters)
        near = x.clamp(-self.reach, self.reach)
        z = torch.addcmul(x + shift, near, log_scale.expm1())
        return z, (log_scale * (near == x)).sum(dim=1)

    def _move_back(self, z: Tensor, parameters: Tensor) -> Tensor:
        shift, log_scale = self._shift_and_log_scale(parameters)
        near = ((z - shift) * torch.exp(-log_scale)).clamp(-self.reach, self.reach)
        return z - shift - near * log_scale.expm1()


class SplineCoupling(Coupling):
    """Monotone rational-quadratic splines of x_2: Durkan et al. 2019, arXiv:1906.04032.

    Inside ``[-bound, bound]`` a spline of `n_bins` bins, outside the identity.
    """

    n_bins = 8
    n_parameters = 3 * n_bins - 1
    bound = 5.0
    #: Smallest width and height of a bin, in parts of the whole; smallest slope.
    least = 1e-3

    def _knots(self, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        k = self.n_bins
        raw = parameters.unflatten(1, (-1, self.n_parameters))

        def knots(raw: Tensor) -> Tensor:
            parts = self.least + (1 - self.least * k) * raw.softmax(dim=-1)
            inner = self.bound * (2 * parts[..., :-1].cumsum(dim=-1) - 1)
            ends = torch.full_like(inner[..., :1], self.bound)
            return torch.cat([-ends, inner, ends], dim=-1)

        # Slope 1 where the parameter is 0, and at both ends.
        zero = math.log(math.expm1(1 - self.least))
        slopes = self.least + softplus(raw[..., 2 * k :] + zero)
        one = torch.ones_like(slopes[..., :1])
        return knots(raw[..., :k]), knots(raw[..., k : 2 * k]), torch.cat([one, slopes, one], -1)

    def _move(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        z, log_slope = rational_quadratic(x, *self._knots(parameters))
        return z, log_slope.sum(dim=1)

    def _move_back(self, z: Tensor, parameters: Tensor) -> Tensor:
        return rational_quadratic(z, *self._knots(parameters), inverse=True)[0]
