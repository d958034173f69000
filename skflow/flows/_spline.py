"""Monotone rational-quadratic splines: the function, and a layer that bends every feature."""

import math

import torch
from torch import Tensor, nn

#: Fewer rows than this for every bin say little about its width: then the layer starts straight.
ROWS_PER_BIN = 10


def rational_quadratic(
    x: Tensor, knots_x: Tensor, knots_y: Tensor, slopes: Tensor, *, inverse: bool = False
) -> tuple[Tensor, Tensor]:
    """Evaluate monotone rational-quadratic splines with linear tails, or their inverses.

    Durkan et al. 2019, arXiv:1906.04032, eqs. 4-8. Between the first and the last knot the spline
    passes through the knots with the given slopes; outside it goes on straight with the outermost
    slopes, so that it is continuously differentiable everywhere.

    Parameters
    ----------
    x : Tensor of shape (...)
        Points; with `inverse`, values of the spline.
    knots_x, knots_y : Tensor of shape (..., n_bins + 1)
        Knots, increasing along the last axis; their other axes broadcast with `x`.
    slopes : Tensor of shape (..., n_bins + 1)
        Positive derivatives at the knots.
    inverse : bool, default=False
        Evaluate the inverse.

    Returns
    -------
    y : Tensor of shape (...)
    log_slope : Tensor of shape (...)
        Natural logarithm of the derivative of y with respect to x.
    """
    shape = (*x.shape, knots_x.shape[-1])
    knots_x, knots_y, slopes = (part.expand(shape) for part in (knots_x, knots_y, slopes))
    given, wanted = (knots_y, knots_x) if inverse else (knots_x, knots_y)
    left = (x[..., None] >= given[..., 1:-1]).sum(dim=-1, keepdim=True)

    def at(values: Tensor, index: Tensor) -> Tensor:
        return values.gather(-1, index)[..., 0]

    x0, x1 = at(knots_x, left), at(knots_x, left + 1)
    y0, y1 = at(knots_y, left), at(knots_y, left + 1)
    d0, d1 = at(slopes, left), at(slopes, left + 1)
    width, height = x1 - x0, y1 - y0
    secant = height / width
    bend = d0 + d1 - 2 * secant
    below, above = x < given[..., 0], x > given[..., -1]
    # Tails are computed apart; inside the bin their points would overflow.
    inside = torch.where(below, given[..., 0], torch.where(above, given[..., -1], x))
    if inverse:
        rise = inside - y0
        a = height * (secant - d0) + rise * bend
        b = height * d0 - rise * bend
        c = -secant * rise
        root = (b.square() - 4 * a * c).clamp(min=0).sqrt()
        t = 2 * c / (-b - root)
    else:
        t = (inside - x0) / width
    mixed = t * (1 - t)
    denominator = secant + bend * mixed
    slope_top = d1 * t.square() + 2 * secant * mixed + d0 * (1 - t).square()
    log_slope = 2 * (secant.log() - denominator.log()) + slope_top.log()
    if inverse:
        out = x0 + t * width
    else:
        out = y0 + height * (secant * t.square() + d0 * mixed) / denominator
    for outside, end in ((below, 0), (above, -1)):
        rate = 1 / slopes[..., end] if inverse else slopes[..., end]
        out = torch.where(outside, wanted[..., end] + (x - given[..., end]) * rate, out)
        log_slope = torch.where(outside, slopes[..., end].log(), log_slope)
    return out, -log_slope if inverse else log_slope


class ElementwiseSpline(nn.Module):
    """Bend every feature by a monotone rational-quadratic spline with linear tails.

    Starts as the map of the data's quantiles to those of the standard normal distribution, so
    that skewed, heavy-tailed and bounded margins look normal to the layers that follow.

    Parameters
    ----------
    n_features : int
        Number of features.
    n_bins : int, default=16
        Bins of every spline.
    """

    start: Tensor

    def __init__(self, n_features: int, n_bins: int = 16):
        super().__init__()
        self.n_bins = n_bins
        # Left knot (x, y), log-widths, log-heights, log-slopes. What is learned is the change, so
        # that weight decay pulls towards the data's quantiles.
        bin_log_width = math.log(6 / n_bins)
        start = torch.tensor(
            [-3.0, -3.0, *[bin_log_width] * (2 * n_bins), *[0.0] * (n_bins + 1)],
            dtype=torch.float64,
        )
        self.register_buffer("start", start.repeat(n_features, 1))
        self.change = nn.Parameter(torch.zeros(n_features, 3 * n_bins + 3))

    @torch.no_grad()
    def initialize(self, x: Tensor) -> None:
        n, k = len(x), self.n_bins
        if n < ROWS_PER_BIN * k:
            return
        x = x.double()
        normal = torch.distributions.Normal(x.new_tensor(0.0), x.new_tensor(1.0))
        end = min(2.5, normal.icdf(x.new_tensor(1 - 5 / n)).item())
        knots_y = torch.linspace(-end, end, k + 1, dtype=x.dtype, device=x.device)
        knots_x = torch.quantile(x, normal.cdf(knots_y), dim=0).T
        # Atoms leave bins without width: widened a little, in units of the middle half.
        quartiles = torch.quantile(x, x.new_tensor([0.25, 0.75]), dim=0)
        spread = quartiles[1] - quartiles[0]
        spread = torch.where(spread > 0, spread, x.std(dim=0, correction=0))
        spread = torch.where(spread > 0, spread, torch.ones_like(spread))[:, None]
        widths = knots_x.diff(dim=1).maximum(0.02 * spread)
        # An atom is in the middle of what it was widened to.
        left = 0.5 * (knots_x[:, :1] + knots_x[:, -1:] - widths.sum(dim=1, keepdim=True))
        heights = knots_y.diff().expand_as(widths)
        secants = heights / widths
        # The harmonic mean of the neighbours' secants keeps the spline from overshooting.
        inner = 2 / (1 / secants[:, 1:] + 1 / secants[:, :-1])
        slopes = torch.cat([secants[:, :1], inner, secants[:, -1:]], dim=1)
        bottom = knots_y[:1].expand_as(left)
        self.start.copy_(
            torch.cat([left, bottom, widths.log(), heights.log(), slopes.log()], dim=1)
        )

    def _knots(self) -> tuple[Tensor, Tensor, Tensor]:
        values = self.start.to(self.change.dtype) + self.change
        x0, y0, widths, heights, slopes = values.split(
            [1, 1, self.n_bins, self.n_bins, self.n_bins + 1], dim=1
        )
        knots_x = torch.cat([x0, x0 + widths.exp().cumsum(dim=1)], dim=1)
        knots_y = torch.cat([y0, y0 + heights.exp().cumsum(dim=1)], dim=1)
        return knots_x, knots_y, slopes.exp()

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        z, log_slope = rational_quadratic(x, *self._knots())
        return z, log_slope.sum(dim=1)

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        return rational_quadratic(z, *self._knots(), inverse=True)[0]
