"""A flow is a chain of invertible layers with a standard normal base density."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ._layers import Standardize


class Flow(nn.Module):
    r"""Density of a chain of invertible layers ``T: x -> z``.

    .. math:: \log p(x) = \log N(T(x); 0, I) + \log |\det dT/dx|

    With conditions, ``T`` also depends on the rows of a condition c, and the density is
    ``p(x | c)``.

    Parameters
    ----------
    layers : iterable of torch.nn.Module
        Layers after the standardising one, first to last; see the layers of this package.
    n_features : int
        Number of features d.
    n_conditions : int, default=0
        Number of columns k of the condition; standardised, too.

    Notes
    -----
    Standardising and all log-densities are computed in float64; the other layers work in the
    dtype of their parameters (call ``double()`` for exact scores).

    Examples
    --------
    >>> import torch
    >>> from skflow.flows import ActNorm, AdditiveCoupling, Flow, LULinear
    >>> generator = torch.Generator().manual_seed(0)
    >>> layers = []
    >>> for _ in range(3):
    ...     coupling = AdditiveCoupling(4, hidden_features=32, generator=generator)
    ...     layers += [ActNorm(4), LULinear(4, generator), coupling]
    >>> flow = Flow(layers, n_features=4)
    >>> flow.initialize(torch.randn(100, 4, generator=generator))
    >>> flow.sample(5, generator).shape
    torch.Size([5, 4])
    """

    def __init__(self, layers: Iterable[nn.Module], n_features: int, n_conditions: int = 0):
        super().__init__()
        self.n_features = n_features
        self.n_conditions = n_conditions
        self.standardize = Standardize(n_features)
        self.standardize_condition = Standardize(n_conditions) if n_conditions else None
        self.layers = nn.ModuleList(layers)

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the parameters."""
        return next(self.parameters()).dtype

    @torch.no_grad()
    def initialize(self, x: Tensor, condition: Tensor | None = None, max_rows: int = 8192) -> None:
        """Set the data-dependent layers: standardising by all rows, others by the first ones."""
        self.standardize.initialize(x)
        if self.standardize_condition is not None and condition is not None:
            self.standardize_condition.initialize(condition)
            condition = condition[:max_rows]
        z, known, _ = self._standardized(x[:max_rows], condition)
        for layer in self.layers:
            if hasattr(layer, "initialize"):
                layer.initialize(z)  # type: ignore[operator]
            z, _ = layer(z, known)

    def _standardized(
        self, x: Tensor, condition: Tensor | None
    ) -> tuple[Tensor, Tensor | None, Tensor]:
        """Standardised rows and condition in the layers' dtype, and the log-determinant."""
        z, log_det = self.standardize(x, self.dtype)
        return z, self._standardized_condition(condition), log_det

    def _standardized_condition(self, condition: Tensor | None) -> Tensor | None:
        n_columns = 0 if condition is None else condition.shape[1]
        if n_columns != self.n_conditions:
            raise ValueError(
                f"condition must have {self.n_conditions} columns (0: none is given); "
                f"got {n_columns}"
            )
        if self.standardize_condition is None:
            return None
        return self.standardize_condition(condition, self.dtype)[0]

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map rows (n, d) to latent rows (n, d) and log-determinants (n,)."""
        z, known, log_det = self._standardized(x, condition)
        log_det = log_det.expand(x.shape[0])  # not len, which an exporter takes for a constant
        for layer in self.layers:
            z, layer_log_det = layer(z, known)
            log_det = log_det + layer_log_det
        return z, log_det

    def log_prob(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Log-density of the rows (n, d) given those of the condition (n, k).

        Parameters
        ----------
        x : Tensor of shape (n, d)
            Rows.
        condition : Tensor of shape (n, k) or None
            Their conditions.

        Returns
        -------
        log_prob : Tensor of shape (n,), float64
            In nats.

        Raises
        ------
        ValueError
            If the condition has another number of columns than the flow.
        """
        z, log_det = self(x, condition)
        log_base = -0.5 * (z.square().sum(dim=1) + self.n_features * math.log(2 * math.pi))
        return log_base + log_det

    def latent(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Latent coordinates of the rows, shape (n, d): standard normal under the flow."""
        return self(x, condition)[0]

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Rows whose latent coordinates are ``z``, given the condition."""
        known = self._standardized_condition(condition)
        for layer in reversed(self.layers):
            z = layer.inverse(z, known)  # type: ignore[operator]
        return self.standardize.inverse(z)

    def sample(
        self,
        n_samples: int,
        generator: torch.Generator | None = None,
        condition: Tensor | None = None,
    ) -> Tensor:
        """Draw rows, shape (n_samples, d): one for each of the condition, where there is one."""
        weight = next(self.parameters())
        # Drawn on the CPU: the same seed gives the same rows on every device.
        z = torch.randn(n_samples, self.n_features, generator=generator, dtype=torch.float64)
        return self.inverse(z.to(weight.device, weight.dtype), condition)
