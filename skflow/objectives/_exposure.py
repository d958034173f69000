"""Outlier exposure: a margin between the log-densities of bulk and contrast rows."""

import torch
from torch import Tensor

from ._two_phase import TwoPhase


class Exposure(TwoPhase):
    r"""Margin loss of outlier exposure, after a warm-up on the likelihood.

    .. math:: L = \operatorname{mean}_{B \times R} \max(0, m + \mathrm{nll}_B - \mathrm{nll}_R)

    Hendrycks, Mazeika and Dietterich, "Deep Anomaly Detection with Outlier Exposure", ICLR 2019,
    arXiv:1812.04606. All pairs of a batch count.

    Parameters
    ----------
    margin : float
        The margin m: how much less likely than a bulk row a contrast row must be, in nats.
    """

    def __init__(self, margin: float):
        self.margin = margin

    def _loss(self, nll_bulk: Tensor, nll_contrast: Tensor) -> Tensor:
        # Sums over pairs without the pairs: a bulk row's are with the contrast rows below x.
        x, ordered = self.margin + nll_bulk, nll_contrast.sort().values
        below = torch.searchsorted(ordered.detach(), x.detach())
        sums = torch.cat([ordered.new_zeros(1), ordered.cumsum(dim=0)])
        return (below * x - sums[below]).mean() / len(nll_contrast)
