"""Run: one fit of a torch detector, whose phases of training share what is in it."""

import copy
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn

from ..training import Batch, Checkpoint, batches, train
from ._reservoir import Passed

#: Evaluations of the held-out loss in a phase of training.
N_EVALUATIONS = 20
#: Step size where `partial_fit` goes on, in that of a fit: a cycle up to the full one first undoes
#: what was learned, and a short one does not learn it again.
GOING_ON = 0.3


class Run(NamedTuple):
    """One fit of a detector.

    Parameters
    ----------
    detector : TorchDetector
        What is fitted; its ``history_`` and ``n_iter_`` grow with every phase.
    generator : torch.Generator
        Of batches and noise, on the device of training.
    context : object
        scikit-learn's callback context.
    passed : Passed or None
        What `partial_fit` has kept of former batches.
    checkpoint : Checkpoint or None
        The file to go on from.
    """

    detector: Any
    generator: torch.Generator
    context: Any
    passed: Passed | None = None
    checkpoint: Checkpoint | None = None

    @property
    def goes_on(self) -> bool:
        """Whether there are weights of former batches to go on from."""
        return self.passed is not None and self.passed.weights is not None

    def phase(
        self,
        name: str,
        module: nn.Module,
        objective: Callable[[Any, Any], torch.Tensor],
        rows: Batch,
        held_out: Batch | None,
        max_iter: int,
        *,
        goes_on: bool = False,
    ) -> bool:
        """Call the training loop once, note it in the history, tell if a callback stopped it.

        What `goes_on` from batches that have passed takes smaller steps.
        """
        if rows.contrast is not None and held_out is not None and held_out.contrast is None:
            # Judged by bulk rows alone the best network is one that has not learned the others.
            held_out = None
        ended = None if self.checkpoint is None else self.checkpoint.next_ended()
        if ended is None:
            ended = self._trained(name, module, objective, rows, held_out, max_iter, goes_on)
        else:
            module.load_state_dict(ended["state"])
            self.generator.set_state(ended["generator"])
        detector, history = self.detector, ended["history"]
        for key, values in history.items():
            detector.history_.setdefault(key, []).extend(values)
        n_new = len(history["step"])
        detector.history_.setdefault("phase", []).extend([name] * n_new)
        # Steps go on counting through phases and warm starts.
        detector.history_["step"][-n_new:] = [
            detector.n_iter_ + int(step) for step in history["step"]
        ]
        detector.n_iter_ = detector.history_["step"][-1]
        return ended["stopped"]

    def _trained(
        self,
        name: str,
        module: nn.Module,
        objective: Callable[[Any, Any], torch.Tensor],
        rows: Batch,
        held_out: Batch | None,
        max_iter: int,
        goes_on: bool,
    ) -> dict[str, Any]:
        """Train, and return all that the next phase and a later process need to know of it."""
        detector, stopped = self.detector, False

        def on_evaluation(step: int, loss: float, validation_loss: float) -> bool:
            nonlocal stopped
            task = self.context.subcontext(task_name=f"{name} to step {step}")
            task.call_on_fit_task_begin(estimator=detector)
            stopped = task.call_on_fit_task_end(
                estimator=detector, reconstruction_attributes=lambda: detector._snapshot(module)
            )
            return stopped

        judge = getattr(objective, "validation_loss", objective)
        history = train(
            module,
            objective,
            batches(rows, detector.batch_size, detector._noises(module), self.generator),
            max_iter=max_iter,
            learning_rate=detector.learning_rate * (GOING_ON if goes_on else 1),
            mixed_precision=detector.mixed_precision,
            weight_decay=detector.weight_decay,
            validate=None if held_out is None else lambda m: float(judge(m, held_out)),
            eval_interval=math.ceil(max_iter / N_EVALUATIONS),
            n_iter_no_change=detector.n_iter_no_change,
            on_evaluation=on_evaluation,
            checkpoint=self.checkpoint,
        )
        ended = {
            "state": copy.deepcopy(module.state_dict()),  # the next phase moves its tensors
            "generator": self.generator.get_state(),
            "history": history,
            "stopped": bool(stopped),
        }
        if self.checkpoint is not None:
            self.checkpoint.end(ended)
        return ended
