"""TorchDetector: the base of all detectors that train a torch module."""

import math
from abc import abstractmethod
from collections.abc import Callable
from contextlib import nullcontext
from numbers import Integral, Real
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from .._sklearn import CallbackSupportMixin, Interval, StrOptions, with_callbacks
from .._threads import in_joblib_worker, map_in_threads, one_thread
from ..flows import fuse
from ..training import Batch, Noise, batches, resolve_seed, train
from ._base import MIN_ROWS_TO_HOLD_OUT, BaseDetector
from ._contrast import ContrastRows, balanced
from ._progress import shown_progress
from ._validation import resolve_noise

#: Evaluations of the held-out loss in a phase of training.
N_EVALUATIONS = 20
#: At most so many rows are held out: more only cost time.
MAX_HELD_OUT = 10_000
#: Fewer held-out contrast rows than this say nothing: then none are held out.
MIN_HELD_OUT_CONTRAST = 5
#: Rows scored at once: bounds memory and fits the cache.
CHUNK_ROWS = 4096

#: Batch size times width from which a training step is worth torch's threads.
SMALL_STEP = 2**17
#: Networks built for scoring, with the weights and the device that they were built for. Not an
#: attribute: fitted state is plain data, and scoring changes nothing in it.
_built: WeakKeyDictionary[Any, tuple[Any, Any, Any]] = WeakKeyDictionary()


class TorchDetector(CallbackSupportMixin, BaseDetector):
    """Base of detectors with a network inside.

    A leaf names its network's parameters in ``_architecture`` and defines ``_make_module``,
    ``_make_objective`` and ``_score_rows``. The fitted network is kept as NumPy arrays in
    ``weights_`` and rebuilt, in float64, when rows are scored. Flows train and score in their
    fast form.
    """

    _parameter_constraints: dict[str, list[Any]] = {
        **BaseDetector._parameter_constraints,
        "hidden_features": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "noise": [Interval(Real, 0, None, closed="left"), "array-like"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "early_stopping": ["boolean"],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "device": [str, torch.device],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }
    _architecture: tuple[str, ...]
    _n_phases = 1
    #: Columns that a leaf adds to those of X.
    _n_added = 0

    weights_: dict[str, np.ndarray]
    architecture_: dict[str, Any]
    history_: dict[str, list[Any]]
    n_iter_: int
    seed_: int

    @abstractmethod
    def _make_module(self, architecture: dict[str, Any], generator: torch.Generator | None) -> Any:
        """Build the untrained network, with a ``standardize`` layer and ``initialize(x)``."""

    def _resolved_architecture(self, X: np.ndarray) -> dict[str, Any]:
        """All that the network is built from, as plain data."""
        named = {name: getattr(self, name) for name in self._architecture}
        return {"n_features": X.shape[1], **named}

    def _initialize(self, module: Any, rows: Tensor, generator: torch.Generator) -> None:
        """Set what starts from the training rows."""
        module.initialize(rows)

    @abstractmethod
    def _make_objective(self) -> Callable[[nn.Module, Batch], Tensor]:
        """Build the loss."""

    @abstractmethod
    def _score_rows(self, module: Any, rows: Tensor) -> Tensor:
        """Score a chunk of rows: higher means more normal."""

    @with_callbacks
    def _fit(
        self, X: np.ndarray, contrast: ContrastRows, seed: int | None = None
    ) -> np.ndarray | None:
        device = self._device()
        seed = resolve_seed(self.random_state) if seed is None else seed
        generator = torch.Generator().manual_seed(seed)
        architecture = self._resolved_architecture(X)
        rows, held_out = self._split(X, contrast, generator)
        if self.warm_start and hasattr(self, "weights_"):
            n_features = self.architecture_["n_features"]
            if X.shape[1] != n_features:
                raise ValueError(
                    f"warm_start=True goes on from a fit on {n_features - self._n_added} features; "
                    f"X must have as many, got {X.shape[1] - self._n_added}"
                )
            if architecture != self.architecture_:
                raise ValueError(
                    f"warm_start=True goes on with a network of {self.architecture_}; got "
                    f"{architecture}"
                )
            module = self._rebuilt(torch.float32)
        else:
            self.seed_ = seed
            module = self._make_module(architecture, generator)
            self.architecture_, self.history_, self.n_iter_ = architecture, {}, 0
            self._initialize(module, rows.bulk, generator)
        # A copy, so that a failed fit can put the old history back.
        self.history_ = {name: list(values) for name, values in self.history_.items()}
        context = self._init_callback_context(max_subtasks=self._n_phases * N_EVALUATIONS)
        context.call_on_fit_task_begin(estimator=self, X=X)
        threads = one_thread if self._is_small() or in_joblib_worker() else nullcontext
        with shown_progress(self.verbose), torch.enable_grad(), threads():
            self._train(
                fuse(module.to(device)),
                rows.to(device),
                None if held_out is None else held_out.to(device),
                torch.Generator(device).manual_seed(
                    int(torch.randint(2**62, (), generator=generator))
                ),
                context,
            )
        self.weights_ = as_arrays(module)
        context.call_on_fit_task_end(estimator=self, X=X)
        return None if held_out is None else held_out.bulk.numpy()

    @property
    def _chunk_rows(self) -> int:
        """Rows scored at once."""
        return CHUNK_ROWS

    def _is_small(self) -> bool:
        return self.batch_size * self.hidden_features < SMALL_STEP

    def _contrast_sources(
        self, X: np.ndarray, contrast: ContrastRows, seed: int
    ) -> list[np.ndarray]:
        """Rows to contrast with the bulk X, by source: those that matter most first."""
        return contrast.sources if self._uses_contrast else []

    def _split(
        self, X: np.ndarray, contrast: ContrastRows, generator: torch.Generator
    ) -> tuple[Batch, Batch | None]:
        """Split bulk and contrast rows into training rows and, with early stopping, others.

        All sources of contrast rows count alike in training; the first that has rows to spare is
        held out alone.
        """

        def split(x: np.ndarray, least: int) -> tuple[np.ndarray, np.ndarray]:
            shuffled = x[torch.randperm(len(x), generator=generator).numpy()]
            n_out = min(round(self.validation_fraction * len(x)), MAX_HELD_OUT, len(x) - 1)
            n_out = n_out if holds_out and n_out >= least else 0
            return shuffled[n_out:], shuffled[:n_out]

        holds_out = self.early_stopping and len(X) >= MIN_ROWS_TO_HOLD_OUT
        sources = self._contrast_sources(X, contrast, generator.initial_seed())
        bulk, bulk_out = split(X, 1)
        trained, contrast_out = [], None
        for source in sources:
            if len(source):
                # Once some rows are held out, all others train.
                least = MIN_HELD_OUT_CONTRAST if contrast_out is None else len(source)
                train_rows, out = split(source, least)
                trained.append(train_rows)
                contrast_out = out if len(out) else contrast_out
        mixed = balanced(trained) if trained else None
        rows = Batch.of(bulk, mixed)
        return rows, Batch.of(bulk_out, contrast_out) if len(bulk_out) else None

    def _train(
        self,
        module: nn.Module,
        rows: Batch,
        held_out: Batch | None,
        generator: torch.Generator,
        context: Any,
    ) -> None:
        """Train the module: one phase, unless a leaf has more."""
        n_steps = self._resolved_max_iter(len(rows.bulk))
        objective = self._make_objective()
        self._run_phase(module, objective, rows, held_out, generator, n_steps, "train", context)

    def _noises(self, module: Any) -> tuple[Noise, Noise]:
        """Noise of bulk rows and of contrast rows."""
        of_contrast = self._noise(module, "contrast_noise") if self._uses_contrast else Noise()
        return self._noise(module, "noise"), of_contrast

    def _noise(self, module: Any, name: str) -> Noise:
        """Noise of training rows, from the parameter `name`."""
        scale = module.standardize.scale
        std = self._resolved_noise(name).to(scale) * scale
        return Noise(std if std.any() else None)

    def _resolved_noise(self, name: str) -> Tensor:
        """Noise of every feature, in its standard deviations."""
        n_features = self.architecture_["n_features"]
        return torch.from_numpy(resolve_noise(getattr(self, name), n_features, name))

    def _resolved_max_iter(self, n_samples: int) -> int:
        if self.max_iter != "auto":
            return self.max_iter
        return automatic_steps(n_samples)

    def _run_phase(
        self,
        module: nn.Module,
        objective: Callable[[Any, Any], Tensor],
        rows: Batch,
        held_out: Batch | None,
        generator: torch.Generator,
        max_iter: int,
        name: str,
        context: Any,
    ) -> bool:
        """Call the training loop once, note it in ``history_``, tell if a callback stopped it."""
        stopped = False
        if rows.contrast is not None and held_out is not None and held_out.contrast is None:
            # Judged by bulk rows alone the best network is one that has not learned the others.
            held_out = None

        def on_evaluation(step: int, loss: float, validation_loss: float) -> bool:
            nonlocal stopped
            task = context.subcontext(task_name=f"{name} to step {step}")
            task.call_on_fit_task_begin(estimator=self)
            stopped = task.call_on_fit_task_end(
                estimator=self, reconstruction_attributes=lambda: self._snapshot(module)
            )
            return stopped

        judge = getattr(objective, "validation_loss", objective)
        history = train(
            module,
            objective,
            batches(rows, self.batch_size, self._noises(module), generator),
            max_iter=max_iter,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            validate=None if held_out is None else lambda m: float(judge(m, held_out)),
            eval_interval=math.ceil(max_iter / N_EVALUATIONS),
            n_iter_no_change=self.n_iter_no_change,
            on_evaluation=on_evaluation,
        )
        for key, values in history.items():
            self.history_.setdefault(key, []).extend(values)
        n_new = len(history["step"])
        self.history_.setdefault("phase", []).extend([name] * n_new)
        # Steps go on counting through phases and warm starts.
        self.history_["step"][-n_new:] = [self.n_iter_ + int(step) for step in history["step"]]
        self.n_iter_ = self.history_["step"][-1]
        return stopped

    def _snapshot(self, module: nn.Module) -> dict[str, Any] | None:
        """Attributes of the detector as it would be now; None if it could not score."""
        return {
            "weights_": as_arrays(module),
            "architecture_": self.architecture_,
            "seed_": self.seed_,
            "offset_": math.nan,
            "n_features_in_": self.n_features_in_,
        }

    def _device(self, *, scoring: bool = False) -> torch.device:
        return resolve_device(self.device, scoring=scoring)

    def _rebuilt(self, dtype: torch.dtype = torch.float64) -> Any:
        """Build the fitted network from its arrays."""
        module = self._blank_module()
        expected = {name: value.dtype for name, value in module.state_dict().items()}
        state = {name: torch.tensor(value) for name, value in self.weights_.items()}
        for name, value in state.items():
            if expected[name] == torch.float32:
                state[name] = value.to(dtype)
        module.load_state_dict(state, assign=True)
        return module.eval()

    def _blank_module(self) -> Any:
        # On the meta device nothing is drawn or computed before the weights come in.
        with torch.device("meta"):
            return self._make_module(self.architecture_, None)

    def _scoring_module(self, device: torch.device) -> Any:
        """The fitted network for scoring: kept, because building takes longer than a few rows."""
        weights, built_on, module = _built.get(self, (None, None, None))
        if weights is not self.weights_ or built_on != device:
            module = fuse(self._rebuilt().to(device))
            _built[self] = (self.weights_, device, module)
        return module

    def _in_chunks(self, compute: Callable[[Any, Tensor], Tensor], X: np.ndarray) -> np.ndarray:
        """Apply ``compute(module, rows)`` to X, chunk by chunk, in float64."""
        device = self._device(scoring=True)
        module = self._scoring_module(device)
        n_rows = self._chunk_rows

        @torch.no_grad()  # the mode is every thread's own
        def part(start: int) -> np.ndarray:
            rows = torch.tensor(X[start : start + n_rows], device=device)
            return compute(module, rows).cpu().numpy()

        return np.concatenate(map_in_threads(part, list(range(0, len(X), n_rows))))

    def _score_samples(self, X: np.ndarray) -> np.ndarray:
        return self._in_chunks(self._score_rows, X)


def automatic_steps(n_samples: int, factor: float = 10) -> int:
    """Optimiser steps where ``max_iter`` is "auto"."""
    return min(max(100, int(factor * math.sqrt(n_samples))), 3000)


def as_arrays(module: nn.Module) -> dict[str, np.ndarray]:
    """State of a module as plain arrays."""
    module = getattr(module, "unfused", module)
    return {
        name: value.detach().cpu().numpy().copy() for name, value in module.state_dict().items()
    }


def resolve_device(name: Any, *, scoring: bool = False) -> torch.device:
    """Return the torch device of the parameter `device`."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(
            f"device must be 'auto' or a torch device such as 'cpu' or 'cuda'; got {name!r}"
        ) from error
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"device must be a CPU or CUDA device; got {name!r}")
    if device.type == "cuda" and not torch.cuda.is_available():
        if scoring:  # trained elsewhere: the scores are the same here
            return torch.device("cpu")
        raise ValueError(f"device={name!r} needs CUDA, and torch finds none here")
    return device
