"""Contrastive loss: likely bulk, unlikely contrast rows, with a clamp that is frozen once."""

from torch import Tensor

from ._two_phase import TwoPhase


class Contrastive(TwoPhase):
    r"""Contrastive loss of a normalizing flow.

    .. math::
        L = \operatorname{mean}_B(\mathrm{nll})
            - c \, \operatorname{mean}_R(\min(\mathrm{nll}, t)),
        \qquad \mathrm{nll} = -\log p

    Schmier et al., arXiv:2208.14024, eq. 3 and algorithm 1. A contrast row past the clamp t has
    no gradient. Until `freeze` sets t, the loss is the likelihood alone (the warm-up).

    Parameters
    ----------
    contrast_weight : float
        Weight c of the contrast rows.
    clamp_margin : float
        How far t lies above the median negative log-density of the bulk, in nats.
    clamp : float or None, default=None
        The clamp t itself, whatever the bulk's density, as in the paper.

    Attributes
    ----------
    clamp : float or None
        The clamp t in nats; None until it is known.

    Notes
    -----
    With q the contrast density and p the bulk's, the optimum is
    ``max(p - c q, min(p, l exp(-t))) / l`` with l normalising, which tends to the positive part
    of ``p - c q`` as t grows. t is relative because a fixed one below the bulk's own negative
    log-density, which grows with the number of features, would switch the contrast off. It is
    frozen because a running quantile chases itself where q > p.
    """

    def __init__(
        self, contrast_weight: float, clamp_margin: float = 30.0, clamp: float | None = None
    ):
        self.contrast_weight = contrast_weight
        self.clamp_margin = clamp_margin
        self.clamp = clamp

    def freeze(self, nll_bulk: Tensor) -> None:
        """End the warm-up: set the clamp from the bulk's negative log-densities."""
        super().freeze(nll_bulk)
        if self.clamp is None:
            self.clamp = nll_bulk.median().item() + self.clamp_margin

    def _loss(self, nll_bulk: Tensor, nll_contrast: Tensor) -> Tensor:
        return nll_bulk.mean() - self.contrast_weight * nll_contrast.clamp(max=self.clamp).mean()
