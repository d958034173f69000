"""FlowMixin: what all detectors with a flow inside share."""

from numbers import Integral
from typing import Any

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from ..flows import Flow, realnvp
from ..training import resolve_seed
from ._torch import CHUNK_ROWS
from ._validation import check_rows


class FlowMixin(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """Scores by log-density, latent coordinates and samples of a RealNVP flow."""

    _architecture: tuple[str, ...] = ("n_blocks", "hidden_features")

    def _make_module(
        self, n_features: int, architecture: dict[str, Any], generator: torch.Generator | None
    ) -> Flow:
        return realnvp(n_features, generator=generator, **architecture)

    def _score_rows(self, module: Flow, rows: Tensor) -> Tensor:
        return module.log_prob(rows)

    @property
    def _n_features_out(self) -> int:
        return self.n_features_in_

    def transform(self, X: Any) -> np.ndarray:
        """Map rows to the flow's latent coordinates.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to map.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features), float64
            Standard normal for rows of the density that the flow has learned; NaN for rows
            with NaN under ``nan_policy="omit"``.
        """
        check_is_fitted(self)
        X = check_rows(self, X, reset=False)
        return self._on_finite_rows(
            X, lambda rows: self._in_chunks(Flow.latent, rows), width=self.n_features_in_
        )

    def sample(
        self, n_samples: int = 1, random_state: int | np.random.RandomState | None = None
    ) -> np.ndarray:
        """Draw rows from the learned density.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows, at least 1.
        random_state : int, RandomState instance or None, default=None
            Seed of the draw.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features), float64
        """
        check_is_fitted(self)
        if not isinstance(n_samples, Integral) or n_samples < 1:
            raise ValueError(f"n_samples must be an integer of at least 1; got {n_samples!r}")
        generator = torch.Generator().manual_seed(resolve_seed(random_state))
        flow = self._rebuilt()
        with torch.no_grad():
            parts = [
                flow.sample(min(CHUNK_ROWS, n_samples - done), generator).numpy()
                for done in range(0, n_samples, CHUNK_ROWS)
            ]
        return np.concatenate(parts)
