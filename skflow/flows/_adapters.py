"""Flows seen through other interfaces: rows that hold their condition, other libraries' flows."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ._flow import Flow
from ._layers import Standardize


class RowFlow(nn.Module):
    """A conditional flow of whole rows: some columns are the condition of the others.

    Parameters
    ----------
    flow : Flow
        Flow of the other columns, or its fast form.
    condition : sequence of int
        Columns that are the condition, in its order.
    """

    def __init__(self, flow: Any, condition: Sequence[int]):
        super().__init__()
        self.flow = flow
        self.condition = list(condition)
        n_columns = flow.n_features + flow.n_conditions
        self.features = [i for i in range(n_columns) if i not in set(self.condition)]

    @property
    def standardize(self) -> Standardize:
        """The standardising layer of the features."""
        return self.flow.standardize

    def _parts(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        return rows[:, self.features], rows[:, self.condition]

    def initialize(self, rows: Tensor) -> None:
        self.flow.initialize(*self._parts(rows))

    def log_prob(self, rows: Tensor) -> Tensor:
        """Log-density of the features given the condition, (n,), in nats."""
        return self.flow.log_prob(*self._parts(rows))

    def latent(self, rows: Tensor) -> Tensor:
        """Latent coordinates of the features, (n, d)."""
        return self.flow.latent(*self._parts(rows))

    def sample(
        self, n_samples: int, generator: torch.Generator | None, condition: Tensor | None
    ) -> Tensor:
        """Draw whole rows, one for each row of the condition."""
        if condition is None:
            raise ValueError("a flow with a condition draws rows given it; got None")
        return self._whole(self.flow.sample(n_samples, generator, condition), condition)

    def inverse(self, z: Tensor, condition: Tensor) -> Tensor:
        """Whole rows whose features have the latent coordinates z, given the condition."""
        return self._whole(self.flow.inverse(z, condition), condition)

    def _whole(self, features: Tensor, condition: Tensor) -> Tensor:
        rows = features.new_empty(len(features), len(self.features) + len(self.condition))
        rows[:, self.features], rows[:, self.condition] = features, condition.to(features)
        return rows


class ForeignFlow(Flow):
    """Another library's flow, behind the standardising layer.

    Parameters
    ----------
    module : torch.nn.Module
        With ``log_prob(x)``, or ``log_prob(x, condition)``, as in nflows and normflows; or, as in
        zuko, called with nothing or the condition it returns a distribution. Latent coordinates
        and samples need such a distribution with a ``transform`` and a normal ``base``.
    n_features, n_conditions : int
        As for `Flow`.

    Raises
    ------
    TypeError
        If the module is not a `torch.nn.Module`.
    """

    def __init__(self, module: nn.Module, n_features: int, n_conditions: int = 0):
        if not isinstance(module, nn.Module):
            raise TypeError(
                "flow must return a torch.nn.Module with log_prob(x), or one that returns a "
                f"distribution when it is called; got {type(module).__name__}"
            )
        super().__init__([], n_features, n_conditions)
        self.module = module

    def log_prob(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        z, known, log_det = self._standardized(x, condition)
        given = () if known is None else (known,)
        # Which of its products may be rounded, and which are the map itself, it does not tell.
        with torch.autocast(z.device.type, enabled=False):
            if hasattr(self.module, "log_prob"):
                return self.module.log_prob(z, *given).double() + log_det  # type: ignore[operator]
            return self.module(*given).log_prob(z).double() + log_det

    def _transform(self, known: Tensor | None) -> Any:
        given = () if known is None else (known,)
        transform = None
        if not hasattr(self.module, "log_prob"):
            transform = getattr(self.module(*given), "transform", None)
        if transform is None:
            raise TypeError(
                f"latent coordinates and samples need a flow whose distribution has a transform; "
                f"{type(self.module).__name__} has none"
            )
        return transform

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        z, known, log_det = self._standardized(x, condition)
        z, module_log_det = self._transform(known).call_and_ladj(z)
        return z, log_det + module_log_det

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        known = self._standardized_condition(condition)
        return self.standardize.inverse(self._transform(known).inv(z))
