"""Maximum likelihood: the loss of a flow that learns the density of the bulk."""

from typing import Any

from torch import Tensor


class Likelihood:
    r"""Mean negative log-density of the bulk rows, in nats.

    .. math:: L = \operatorname{mean}_B(-\log p)

    Parameters
    ----------
    trim : float, default=0.0
        Share of every batch, that of the lowest density, which teaches nothing: the trimmed
        likelihood of Hadi and Luceno (1997, Computational Statistics and Data Analysis 25), for
        bulk rows with anomalies among them.
    """

    def __init__(self, trim: float = 0.0):
        self.trim = trim

    def __call__(self, module: Any, batch: Any) -> Tensor:
        nll = -module.log_prob(batch.bulk)
        n_trimmed = int(self.trim * len(nll))
        if n_trimmed:
            nll = nll.topk(len(nll) - n_trimmed, largest=False, sorted=False).values
        return nll.mean()
