"""TorchDetector: the base of all detectors that train a torch module."""

import math
import os
import warnings
from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from itertools import chain, repeat
from numbers import Integral, Real
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from .._devices import reproducible, resolve_device
from .._sklearn import CallbackSupportMixin, Interval, StrOptions, with_callbacks
from .._threads import in_joblib_worker, map_in_threads, one_thread
from ..flows import fuse
from ..training import Batch, Noise, resolve_seed
from ._base import MIN_ROWS_TO_HOLD_OUT, BaseDetector
from ._contrast import ContrastRows, balanced
from ._progress import shown_progress
from ._reservoir import Passed
from ._run import N_EVALUATIONS, Run
from ._state import as_arrays, open_checkpoint
from ._validation import resolve_noise

#: At most so many rows are held out: more only cost time.
MAX_HELD_OUT = 10_000
#: Fewer held-out contrast rows than this say nothing: then none are held out.
MIN_HELD_OUT_CONTRAST = 5
#: Rows scored at once: bounds memory and fits the cache.
CHUNK_ROWS = 4096
#: A GPU scores so many times the rows at once: each of its operations takes time to start.
GPU_CHUNKS = 16

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
        "checkpoint": [None, str, os.PathLike],
        "mixed_precision": ["boolean"],
        "device": [str, torch.device],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }
    _architecture: tuple[str, ...]
    _n_phases = 1
    _max_held_out = MAX_HELD_OUT
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
        self,
        X: np.ndarray,
        contrast: ContrastRows,
        seed: int | None = None,
        passed: Passed | None = None,
    ) -> np.ndarray | None:
        device = self._device()
        seed = resolve_seed(self.random_state) if seed is None else seed
        generator = torch.Generator().manual_seed(seed)
        architecture = self._resolved_architecture(X)
        tags = None if passed is None else (passed.bulk.tags, passed.rare.tags)
        rows, held_out = self._split(X, contrast, generator, tags)
        if passed is None:
            self.__dict__.pop("_passed", None)
            former, who = getattr(self, "weights_", None), "warm_start=True"
            former = former if self.warm_start else None
        else:
            former, who = passed.weights, "partial_fit"
        if former is not None:
            self._check_same_network(architecture, who)
            self.weights_ = former
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
        checkpoint = None
        if passed is None and self.checkpoint is not None:
            checkpoint = open_checkpoint(self, X, contrast, seed)
        on_device = torch.Generator(device).manual_seed(
            int(torch.randint(2**62, (), generator=generator))
        )
        threads = one_thread if self._is_small() or in_joblib_worker() else nullcontext
        with shown_progress(self.verbose), torch.enable_grad(), threads(), reproducible(device):
            self._train(
                fuse(module.to(device)),
                rows.to(device),
                None if held_out is None else held_out.to(device),
                Run(self, on_device, context, passed, checkpoint),
            )
        if checkpoint is not None:
            checkpoint.tidy()
        self.weights_ = as_arrays(module)
        if passed is not None and passed.weights is former:
            passed.weights = self.weights_
        context.call_on_fit_task_end(estimator=self, X=X)
        return None if held_out is None else held_out.bulk.numpy()

    def _check_same_network(self, architecture: dict[str, Any], who: str) -> None:
        """Refuse to go on with weights of another network."""
        n_features = self.architecture_["n_features"]
        if architecture["n_features"] != n_features:
            raise ValueError(
                f"{who} goes on from a fit on {n_features - self._n_added} features; X must have "
                f"as many, got {architecture['n_features'] - self._n_added}"
            )
        if architecture != self.architecture_:
            raise ValueError(
                f"{who} goes on with a network of {self.architecture_}; got {architecture}"
            )

    @property
    def _chunk_rows(self) -> int:
        """Rows scored at once on a CPU."""
        return CHUNK_ROWS

    def _rows_at_once(self, device: torch.device) -> int:
        return self._chunk_rows * (GPU_CHUNKS if device.type == "cuda" else 1)

    def _is_small(self) -> bool:
        return self.batch_size * self.hidden_features < SMALL_STEP

    def _contrast_sources(
        self, X: np.ndarray, contrast: ContrastRows, seed: int
    ) -> list[np.ndarray]:
        """Rows to contrast with the bulk X, by source: those that matter most first."""
        return contrast.sources if self._uses_contrast else []

    def _split(
        self,
        X: np.ndarray,
        contrast: ContrastRows,
        generator: torch.Generator,
        tags: Sequence[np.ndarray] | None = None,
    ) -> tuple[Batch, Batch | None]:
        """Split bulk and contrast rows into training rows and, with early stopping, others.

        All sources of contrast rows count alike in training; the first that has rows to spare is
        held out alone. Tags of bulk and rare rows, if there are any, say which are held out: those
        of the lowest tags, whatever rows there are beside them.
        """

        def split(x: np.ndarray, least: int, known: Any) -> tuple[np.ndarray, np.ndarray]:
            drawn = torch.randperm(len(x), generator=generator).numpy()
            shuffled = x[drawn if known is None else known.argsort()]
            n_out = min(round(self.validation_fraction * len(x)), self._max_held_out, len(x) - 1)
            n_out = n_out if holds_out and n_out >= least else 0
            return shuffled[n_out:], shuffled[:n_out]

        of_bulk, of_rare = tags or (None, None)
        holds_out = self.early_stopping and len(X) >= MIN_ROWS_TO_HOLD_OUT
        sources = self._contrast_sources(X, contrast, generator.initial_seed())
        bulk, bulk_out = split(X, 1, of_bulk)
        trained, contrast_out = [], None
        tags_of = chain([of_rare], repeat(None))  # rare rows come first
        for source, known in zip(sources, tags_of, strict=False):
            if len(source):
                # Once some rows are held out, all others train.
                least = MIN_HELD_OUT_CONTRAST if contrast_out is None else len(source)
                train_rows, out = split(source, least, known)
                trained.append(train_rows)
                contrast_out = out if len(out) else contrast_out
        mixed = balanced(trained) if trained else None
        rows = Batch.of(bulk, mixed)
        return rows, Batch.of(bulk_out, contrast_out) if len(bulk_out) else None

    def _train(self, module: nn.Module, rows: Batch, held_out: Batch | None, run: Run) -> None:
        """Train the module: one phase, unless a leaf has more."""
        n_rows = len(rows.bulk)
        n_steps = self._resolved_max_iter(n_rows) if run.passed is None else run.passed.n_steps
        objective = self._make_objective()
        run.phase("train", module, objective, rows, held_out, n_steps, goes_on=run.goes_on)

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
        n_rows = self._rows_at_once(device)
        in_turn: Any = map_in_threads if device.type == "cpu" else map

        @torch.no_grad()  # the mode is every thread's own
        def part(start: int) -> np.ndarray:
            rows = torch.tensor(X[start : start + n_rows], device=device)
            return compute(module, rows).cpu().numpy()

        while True:
            try:
                with reproducible(device):
                    return np.concatenate(list(in_turn(part, list(range(0, len(X), n_rows)))))
            except (MemoryError, RuntimeError) as error:
                if n_rows == 1 or not _is_out_of_memory(error):
                    raise
            n_rows = max(n_rows // 4, 1)
            warnings.warn(
                f"{type(self).__name__} ran out of memory and goes on with {n_rows} rows at a time",
                UserWarning,
                stacklevel=2,
            )

    def _score_samples(self, X: np.ndarray) -> np.ndarray:
        return self._in_chunks(self._score_rows, X)


def _is_out_of_memory(error: Exception) -> bool:
    """Whether NumPy, or torch on either device, got no memory."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        "DefaultCPUAllocator" in str(error)  # whose errors have no class of their own
    )


def automatic_steps(n_samples: int, factor: float = 10) -> int:
    """Optimiser steps where ``max_iter`` is "auto"."""
    return min(max(100, int(factor * math.sqrt(n_samples))), 3000)
