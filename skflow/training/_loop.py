"""The one training loop: optimiser steps on batches, early stopping, recovery, history."""

import logging
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ._checkpoint import Checkpoint
from ._processes import average, of_first

logger = logging.getLogger(__name__)

#: How often a fit may fall back to its best state with a smaller step before it gives up.
MAX_RECOVERIES = 5


class _BestState:
    """State of the module where its loss was lowest so far, if at all finite."""

    def __init__(self, module: nn.Module):
        self.module = module
        self.loss = math.inf

    def keep(self, loss: float) -> None:
        self.loss = loss if math.isfinite(loss) else math.inf
        self.state = {name: x.clone() for name, x in self.module.state_dict().items()}

    def restore(self) -> None:
        self.module.load_state_dict(self.state)


def train(
    module: nn.Module,
    objective: Callable[[nn.Module, Any], Tensor],
    batches: Iterator[Any],
    *,
    max_iter: int,
    learning_rate: float,
    weight_decay: float = 0.0,
    clip_norm: float = 1.0,
    mixed_precision: bool = False,
    validate: Callable[[nn.Module], float] | None = None,
    eval_interval: int = 50,
    n_iter_no_change: int | None = None,
    on_evaluation: Callable[[int, float, float], bool | None] | None = None,
    checkpoint: Checkpoint | None = None,
) -> dict[str, list[float]]:
    """Minimise an objective over batches with AdamW and a one-cycle step size.

    Parameters
    ----------
    module : torch.nn.Module
        What is trained, in place. Ends in its best validated state.
    objective : callable
        ``objective(module, batch)`` returns the scalar loss.
    batches : iterator
        Yields batches, as many as are asked for.
    max_iter : int
        Number of optimiser steps.
    learning_rate : float
        Largest step size of the one-cycle schedule.
    weight_decay : float, default=0.0
        AdamW's decoupled weight decay.
    clip_norm : float, default=1.0
        Gradients are scaled down to this norm.
    mixed_precision : bool, default=False
        Compute the loss of a step under `torch.autocast` in bfloat16. Weights, gradients and
        evaluations stay as they are.
    validate : callable or None
        ``validate(module)`` returns the held-out loss (lower is better), every
        `eval_interval` steps and before the first; its best state is restored at the end.
    eval_interval : int, default=50
        Steps between evaluations.
    n_iter_no_change : int or None
        Stop after this many evaluations in a row that did not improve.
    on_evaluation : callable or None
        Told ``(step, training loss, validation loss)`` at every evaluation; a true answer stops.
    checkpoint : Checkpoint or None
        Where the state of training is kept at every evaluation, and from which it goes on, bit
        for bit, if there is one. `batches` must be the same, from the first. An objective with a
        memory tells it by ``state_dict()`` and takes it by ``load_state_dict(state)``.

    Returns
    -------
    history : dict of lists
        ``step``, ``loss`` (mean training loss since the last entry), ``validation_loss``
        (NaN without `validate`) and ``learning_rate``.

    Raises
    ------
    FloatingPointError
        If loss or gradient stay non-finite after several restarts from the best state, each
        with a smaller step.
    """
    parameters = list(module.parameters())
    device_type = parameters[0].device.type
    optimizer = torch.optim.AdamW(
        parameters, lr=learning_rate, weight_decay=weight_decay, fused=True
    )
    # Smith and Topin 2018, arXiv:1708.07120.
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=learning_rate, total_steps=max_iter + 1, cycle_momentum=False
    )
    history: dict[str, list[float]] = {
        name: [] for name in ("step", "loss", "validation_loss", "learning_rate")
    }

    parts = (module, optimizer, schedule, objective)
    n_drawn = 0

    def draw() -> Any:
        nonlocal n_drawn
        n_drawn += 1
        return next(batches)

    def evaluate() -> float:
        """Loss of the present state: held-out, or else on a training batch."""
        module.eval()
        with torch.no_grad():
            loss = objective(module, draw()).item() if validate is None else validate(module)
        module.train()
        return of_first(loss)

    best = _BestState(module)
    losses: list[float] = []
    done, recoveries, waited, steps_since_restart, trained = 0, 0, 0, 0, False
    former = None if checkpoint is None else checkpoint.running
    if former is None:
        best.keep(evaluate())
    else:
        for part, state in zip(
            (module, optimizer, schedule, objective), former["parts"], strict=True
        ):
            getattr(part, "load_state_dict", dict)(state)
        history, best.loss, best.state = former["history"], former["loss"], former["best"]
        done, recoveries, waited, steps_since_restart, trained = former["counts"]
        while n_drawn < former["n_drawn"]:  # the generators end where they were
            draw()
        module.train()
    for step in range(done + 1, max_iter + 1):
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device_type, torch.bfloat16, enabled=mixed_precision):
            loss = objective(module, draw())
        loss.backward()
        loss = average(parameters, loss)
        norm = nn.utils.clip_grad_norm_(parameters, clip_norm)
        if math.isfinite(loss.item()) and math.isfinite(norm.item()):
            optimizer.step()
            schedule.step()
            steps_since_restart += 1
            losses.append(loss.item())
        else:
            recoveries += 1
            if recoveries > MAX_RECOVERIES:
                raise FloatingPointError(
                    f"training loss stayed non-finite at step {step} of {max_iter}, after "
                    f"{MAX_RECOVERIES} restarts from the best state with ever smaller steps; "
                    "lower learning_rate, or look for extreme values in X"
                )
            best.restore()
            steps_since_restart = 0
            _shrink_step(optimizer)
            logger.warning(
                "non-finite loss at step %d: back to the best state, with a smaller step", step
            )
        if step % eval_interval and step < max_iter:
            continue
        mean_loss = sum(losses) / len(losses) if losses else math.nan
        losses = []
        present_loss = evaluate()
        improved = present_loss < best.loss
        waited = 0 if improved else waited + 1
        # Without held-out rows the latest state counts, once its loss has proved finite.
        if improved or (validate is None and math.isfinite(present_loss)):
            best.keep(present_loss)
        trained = trained or (steps_since_restart > 0 and math.isfinite(present_loss))
        validation_loss = math.nan if validate is None else present_loss
        rate = optimizer.param_groups[0]["lr"]
        for values, value in zip(
            history.values(), (step, mean_loss, validation_loss, rate), strict=True
        ):
            values.append(value)
        logger.info(
            "step %d of %d: loss %.5g, held-out loss %.5g",
            step,
            max_iter,
            mean_loss,
            validation_loss,
        )
        stop = on_evaluation is not None and on_evaluation(step, mean_loss, validation_loss)
        stop = bool(of_first(bool(stop)))
        if stop or (validate is not None and waited == n_iter_no_change):
            break
        if checkpoint is not None:
            state = {
                "parts": [getattr(part, "state_dict", dict)() for part in parts],
                "history": history,
                "best": best.state,
                "loss": best.loss,
                "counts": (step, recoveries, waited, steps_since_restart, trained),
                "n_drawn": n_drawn,
            }
            checkpoint.save(state)
    if not trained:
        raise FloatingPointError(
            f"training diverged: no step of {max_iter} led to a finite loss; "
            "lower learning_rate, or look for extreme values in X"
        )
    best.restore()
    module.eval()
    return history


def _shrink_step(optimizer: torch.optim.Optimizer, factor: float = 0.25) -> None:
    """Forget the moments and scale the whole schedule of the step size."""
    optimizer.state.clear()
    for group in optimizer.param_groups:
        for name in ("lr", "initial_lr", "max_lr", "min_lr"):
            group[name] *= factor
