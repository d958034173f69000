"""TwoPhaseMixin: training on the likelihood first, then against contrast rows."""

import math
import warnings
from typing import Any

import torch

from ..training import Batch


class TwoPhaseMixin:
    """Training of detectors whose objective is a `TwoPhase` one."""

    _n_phases = 2
    clamp_: float | None

    def _train(
        self: Any,
        module: Any,
        rows: Batch,
        held_out: Batch | None,
        generator: torch.Generator,
        context: Any,
    ) -> None:
        """Warm up on the likelihood, freeze the clamp, then contrast."""
        objective = self._make_objective()
        n_steps = self._resolved_max_iter(len(rows.bulk))
        n_warm_up = n_steps if rows.contrast is None else math.ceil(self.warm_up * n_steps)

        def run(rows: Batch, max_iter: int, phase: str) -> bool:
            return self._run_phase(
                module, objective, rows, held_out, generator, max_iter, phase, context
            )

        stopped = False
        if n_warm_up:
            stopped = run(Batch(rows.bulk), n_warm_up, "warm-up")
        objective.freeze(self._nll(module, rows.bulk))
        self.clamp_ = getattr(objective, "clamp", None)
        if stopped or rows.contrast is None:
            return
        run(rows, max(1, n_steps - n_warm_up), "contrast")
        if self.clamp_ is not None:
            median = self._nll(module, rows.bulk).median().item()
            if median > self.clamp_:
                found = (
                    f"the clamp of {self.clamp_:.4g} nats lies below the bulk's median negative "
                    f"log-density of {median:.4g}"
                )
                advice = (
                    ": the contrast rows have destroyed the density of the bulk; lower "
                    "contrast_weight, or give contrast rows that differ from it"
                    if getattr(self, "clamp", "auto") == "auto"
                    else ", so contrast rows that look like the bulk have no gradient; raise "
                    "clamp, or leave it 'auto'"
                )
                warnings.warn(found + advice, UserWarning, stacklevel=2)

    @torch.no_grad()
    def _nll(self: Any, module: Any, rows: torch.Tensor) -> torch.Tensor:
        """Negative log-densities of the rows, chunk by chunk."""
        return -torch.cat([module.log_prob(chunk) for chunk in rows.split(self._chunk_rows)])
