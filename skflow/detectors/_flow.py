"""FlowMixin: what all detectors with a flow inside share."""

import math
from contextlib import nullcontext
from numbers import Integral
from typing import Any

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted
from torch import Tensor

from .._sklearn import Interval
from ..flows import Flow, ForeignFlow, RowFlow, is_preset, make_flow, registered_name
from ..training import Noise, resolve_seed, seeded_torch
from ._torch import CHUNK_ROWS
from ._validation import check_rows, resolve_columns


class FlowMixin(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """Scores by log-density, latent coordinates and samples of a flow."""

    _flow_constraints: dict[str, list[Any]] = {
        "flow": [str, callable],
        "condition": [None, "array-like"],
        "discrete_features": [None, "array-like"],
        "n_blocks": [Interval(Integral, 1, None, closed="left")],
    }
    _architecture: tuple[str, ...] = ("flow", "n_blocks", "hidden_features")

    def _resolved_architecture(self, X: np.ndarray) -> dict[str, Any]:
        condition = resolve_columns(self, self.condition, "condition")
        if len(condition) == self.n_features_in_:
            raise ValueError(
                f"condition must leave a column of X to score; got all {len(condition)} columns"
            )
        discrete = resolve_columns(self, self.discrete_features, "discrete_features")
        if set(discrete) & set(condition):
            raise ValueError(
                "discrete_features must not be in the condition, whose density is never asked; "
                f"got column {min(set(discrete) & set(condition))} in both"
            )
        return {
            **super()._resolved_architecture(X),
            "condition": condition,
            "discrete": {column: _lattice(X[:, column]) for column in discrete},
        }

    def _check_same_network(self, architecture: dict[str, Any], who: str) -> None:
        # New rows may have values that the former ones had not; the lattice stays.
        known = self.architecture_["discrete"]
        same = {column: known.get(column) for column in architecture["discrete"]}
        super()._check_same_network({**architecture, "discrete": same}, who)

    def _make_module(
        self, architecture: dict[str, Any], generator: torch.Generator | None
    ) -> Flow | RowFlow:
        condition = architecture["condition"]
        # Presets draw from the generator that they are given.
        preset = is_preset(architecture["flow"])
        with nullcontext() if preset else seeded_torch(self.seed_):
            flow = make_flow(
                architecture["flow"],
                architecture["n_features"] - len(condition),
                len(condition),
                n_blocks=architecture["n_blocks"],
                hidden_features=architecture["hidden_features"],
                generator=generator,
            )
        return RowFlow(flow, condition) if condition else flow

    def _blank_module(self) -> Flow | RowFlow:
        if is_preset(self.architecture_["flow"]):
            return super()._blank_module()
        return self._make_module(self.architecture_, None)

    def _rebuilt(self, dtype: torch.dtype = torch.float64) -> Flow | RowFlow:
        module = super()._rebuilt(dtype)
        flow = module.flow if isinstance(module, RowFlow) else module
        if isinstance(flow, ForeignFlow):  # with what its state does not tell
            flow.module.to(dtype)
        return module

    def _initialize(self, module: Any, rows: Tensor, generator: torch.Generator) -> None:
        module.initialize(Noise(None, self._widths(rows.device)).added(rows, generator))

    def _widths(self, device: torch.device) -> Tensor | None:
        """Steps of the discrete columns, 0 for the others."""
        discrete = self.architecture_["discrete"]
        n_features = self.architecture_["n_features"]
        widths = torch.zeros(n_features, dtype=torch.float64, device=device)
        for column, (_, step) in discrete.items():
            widths[column] = step
        return widths if discrete else None

    def _noise(self, module: Any, name: str) -> Noise:
        scale = module.standardize.scale
        std = scale.new_zeros(self.architecture_["n_features"])
        features = module.features if isinstance(module, RowFlow) else slice(None)
        std[features] = self._resolved_noise(name).to(scale)[features] * scale
        std[list(self.architecture_["discrete"])] = 0
        return Noise(std if std.any() else None, self._widths(scale.device))

    def _score_rows(self, module: Any, rows: Tensor) -> Tensor:
        steps = [step for _, step in self.architecture_["discrete"].values()]
        return module.log_prob(rows) + sum(map(math.log, steps))

    @property
    def _n_features_out(self) -> int:
        return self.n_features_in_ - len(self.architecture_["condition"])

    def transform(self, X: Any) -> np.ndarray:
        """Map rows to the flow's latent coordinates.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to map.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_latent), float64
            As many columns as X, less those of the condition. Standard normal for rows of the
            density that the flow has learned; NaN for rows with NaN under ``nan_policy="omit"``.
        """
        check_is_fitted(self)
        X = check_rows(self, X, reset=False)
        return self._on_finite_rows(X, self._latent, width=self._n_features_out)

    def _latent(self, X: np.ndarray) -> np.ndarray:
        return self._in_chunks(lambda module, rows: module.latent(rows), X)

    def sample(
        self,
        n_samples: int = 1,
        random_state: int | np.random.RandomState | None = None,
        condition: Any = None,
    ) -> np.ndarray:
        """Draw rows from the learned density.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows, at least 1.
        random_state : int, RandomState instance or None, default=None
            Seed of the draw.
        condition : array-like of shape (n_conditions,) or (n_samples, n_conditions)
            For a detector with a condition: its values, in the order of that parameter.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features), float64
            Whole rows, the condition included; discrete features have values of their lattice.
        """
        check_is_fitted(self)
        return self._sample(n_samples, random_state, self._checked_condition(condition, n_samples))

    def _sample(self, n_samples: int, random_state: Any, given: Tensor | None) -> np.ndarray:
        generator = torch.Generator().manual_seed(resolve_seed(random_state))
        module = self._rebuilt()
        parts = []
        with torch.no_grad():
            for start in range(0, n_samples, CHUNK_ROWS):
                n_rows = min(CHUNK_ROWS, n_samples - start)
                known = None if given is None else given[start : start + n_rows]
                parts.append(module.sample(n_rows, generator, known).numpy())
        return self._on_lattice(np.concatenate(parts))

    def inverse_transform(self, Z: Any, condition: Any = None) -> np.ndarray:
        """Map latent coordinates back to rows.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_latent)
            Latent coordinates, as from `transform`.
        condition : array-like of shape (n_conditions,) or (n_samples, n_conditions)
            For a detector with a condition: its values, in the order of that parameter.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features), float64
            Whole rows, the condition included; discrete features have values of their lattice.

        Raises
        ------
        ValueError
            If Z has another number of columns, or holds NaN or infinity; if a condition is
            missing, or given where there is none.
        """
        check_is_fitted(self)
        Z = check_array(Z, dtype=np.float64, order="C", copy=True)
        if Z.shape[1] != self._n_features_out:
            raise ValueError(
                f"Z must have {self._n_features_out} latent coordinates; got {Z.shape[1]}"
            )
        return self._inverse(Z, self._checked_condition(condition, len(Z)))

    def _inverse(self, Z: np.ndarray, given: Tensor | None) -> np.ndarray:
        module = self._rebuilt()
        parts = []
        with torch.no_grad():
            for start in range(0, len(Z), CHUNK_ROWS):
                rows = slice(start, start + CHUNK_ROWS)
                known = () if given is None else (given[rows],)
                parts.append(module.inverse(torch.from_numpy(Z[rows]), *known).numpy())
        return self._on_lattice(np.concatenate(parts))

    def _on_lattice(self, X: np.ndarray) -> np.ndarray:
        """Rows whose discrete columns are rounded to values that they can have."""
        for column, (origin, step) in self.architecture_["discrete"].items():
            X[:, column] = origin + step * np.round((X[:, column] - origin) / step)
        return X

    def _checked_condition(self, condition: Any, n_samples: int) -> Tensor | None:
        """The condition of every row to draw, or None where the detector has none."""
        if not isinstance(n_samples, Integral) or n_samples < 1:
            raise ValueError(f"n_samples must be an integer of at least 1; got {n_samples!r}")
        n_conditions = len(self.architecture_["condition"]) - self._n_added
        if condition is None and not n_conditions:
            return None
        if condition is None or not n_conditions:
            wanted = f"values of {n_conditions} columns" if n_conditions else "None"
            raise ValueError(f"condition must be {wanted}; got {condition!r}")
        given = np.atleast_2d(check_array(condition, ensure_2d=False, dtype=np.float64))
        if given.shape not in ((1, n_conditions), (n_samples, n_conditions)):
            raise ValueError(
                f"condition must have shape ({n_conditions},) or ({n_samples}, {n_conditions}); "
                f"got {np.shape(condition)}"
            )
        return torch.from_numpy(np.repeat(given, n_samples // len(given), axis=0))

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if callable(self.flow) and hasattr(self, "weights_"):
            # Never code in a file: it holds the name under which the code was registered.
            state["flow"] = registered_name(self.flow)
            state["architecture_"] = {**self.architecture_, "flow": state["flow"]}
        return state


def _lattice(values: np.ndarray) -> tuple[float, float]:
    """Smallest value of a discrete column and the smallest step between two values."""
    distinct = np.unique(values)
    return float(distinct[0]), float(np.diff(distinct).min()) if len(distinct) > 1 else 1.0
