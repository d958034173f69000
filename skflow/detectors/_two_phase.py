"""TwoPhaseMixin: training on the likelihood first, then against contrast rows."""

import math
import warnings
from typing import Any

import torch

from ..training import Batch
from ._run import Run
from ._state import as_arrays
from ._torch import automatic_steps


class TwoPhaseMixin:
    """Training of detectors whose objective is a `TwoPhase` one."""

    _n_phases = 2
    clamp_: float | None

    def _train(self: Any, module: Any, rows: Batch, held_out: Batch | None, run: Run) -> None:
        """Warm up on the likelihood, freeze the clamp, then contrast.

        What goes on from batches that have passed warms up from where the last warm-up ended.
        """
        objective = self._make_objective()
        n_all = n_steps = self._resolved_max_iter(len(rows.bulk))
        if run.passed is not None:
            n_all, n_steps = automatic_steps(run.passed.bulk.n_seen), run.passed.n_steps
        n_warm_up = n_steps if rows.contrast is None else math.ceil(self.warm_up * n_steps)

        stopped = False
        if n_warm_up:
            bulk = Batch(rows.bulk)
            stopped = run.phase(
                "warm-up", module, objective, bulk, held_out, n_warm_up, goes_on=run.goes_on
            )
        if run.passed is not None:
            run.passed.weights = as_arrays(module)
        objective.freeze(self._nll(module, rows.bulk))
        self.clamp_ = getattr(objective, "clamp", None)
        if stopped or rows.contrast is None:
            return
        n_contrast = max(1, n_all - math.ceil(self.warm_up * n_all))
        run.phase("contrast", module, objective, rows, held_out, n_contrast)
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
        return -torch.cat(
            [module.log_prob(chunk) for chunk in rows.split(self._rows_at_once(rows.device))]
        )
