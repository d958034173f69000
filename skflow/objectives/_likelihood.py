"""Maximum likelihood: the loss of a flow that learns the density of the bulk."""

from typing import Any

from torch import Tensor


class Likelihood:
    r"""Mean negative log-density of the bulk rows, in nats.

    .. math:: L = \operatorname{mean}_B(-\log p)
    """

    def __call__(self, module: Any, batch: Any) -> Tensor:
        return -module.log_prob(batch.bulk).mean()
