"""One fit of a benchmark: what a worker process does."""

import signal
import time
from contextlib import suppress
from functools import lru_cache
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter

from ..detectors import BaseDetector
from ..interop._pyod import _seed_generators
from ..metrics import average_precision_score, roc_auc_score, tpr_at_fpr_score
from ._config import Detector
from ._detectors import imported, in_pipeline, make_detector
from ._features import fitted_features
from ._limits import FORKS, be_quiet, call_limited, describe, exit_if_ended
from ._protocol import Trial, make_trial
from ._results import COSTS, FIGURES, SIZES
from ._tables import load_table, other_values_refused

#: What this worker has tried out already, and the most seconds that a trial run may take.
_rehearsed: list[tuple[Detector, bool]] = []
REHEARSAL_LIMIT_S = 60.0


class Task(NamedTuple):
    """What fits share: one table, drawn and split once, and features of its rows."""

    dataset: str
    protocol: str
    seed: int
    max_rows: int | None
    features: str | None = None

    @property
    def scale(self) -> bool:
        """Whether columns are standardised: not so pixels."""
        return self.features is not None or not self.dataset.startswith("images/")


class Limits(NamedTuple):
    """What a fit may take."""

    time_limit_s: float
    memory_limit_mib: float


def start_worker() -> None:
    """Prepare a worker process: one thread, no chatter, and Ctrl-C is the runner's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    be_quiet()


def run_fit(task: Task, detector: Detector, limits: Limits, owner: int) -> dict[str, Any]:
    """One row of the results; whatever goes wrong is its error."""
    exit_if_ended(owner)
    row: dict[str, Any] = task._asdict() | {
        "detector": detector.name,
        "use": detector.use,
        "params": detector.params,
    }
    row |= dict.fromkeys([*SIZES, *FIGURES, *COSTS])
    trial = _trial(task)
    if isinstance(trial, str):
        return row | {"error": trial}
    row |= {
        "n_train": len(trial.X_train),
        "n_test": len(trial.X_test),
        "n_features": trial.X_train.shape[1],
        "n_anomalies": int(np.sum(trial.y_test == -1)),
        "repeated": float(trial.repeated),
        "twins": float(trial.twins),
    }
    try:
        # Here and not in the child, so that the next one need not import its package again.
        n_features = trial.X_train.shape[1]
        model = build(detector, seed=task.seed, n_features=n_features, scale=task.scale)
    except Exception as error:  # any failure of a detector is a result
        return row | {"error": describe(error)}
    labelled = task.protocol.startswith(("rare-event", "auxiliary"))
    _rehearse_once(detector, model, labelled, row["n_features"], limits, owner)
    outcome = call_limited(
        measure, model, trial, labelled, task.seed, **limits._asdict(), owner=owner
    )
    row |= outcome.value or {}
    if outcome.timed_out:  # it would have taken at least as long
        row |= {"fit_seconds": limits.time_limit_s, "score_seconds": 0.0}
    return row | {"peak_memory_mib": outcome.peak_memory_mib, "error": outcome.error}


def _rehearse_once(
    detector: Detector, model: Any, labelled: bool, n_features: int, limits: Limits, owner: int
) -> None:
    """Run a detector here on a few rows before its first fit, if a child finds that safe.

    What it imports or compiles at its first use (numba takes seconds) is then there for all
    children that are forked, and is not taken for the time and memory of every fit.
    """
    if not FORKS or (detector, labelled) in _rehearsed:
        return
    _rehearsed.append((detector, labelled))
    args = model, labelled, n_features
    limits = limits._replace(time_limit_s=min(limits.time_limit_s, REHEARSAL_LIMIT_S))
    if call_limited(_rehearse, *args, **limits._asdict(), owner=owner).value:
        with suppress(Exception):  # the fit itself will tell
            _rehearse(*args)


def _rehearse(model: Any, labelled: bool, n_features: int) -> bool:
    """Whether a fit leaves no thread (as CUDA does) and no process, which forks do not bear."""
    import psutil

    rng = np.random.RandomState(0)
    y = np.repeat([1, -1], [100, 20])
    X = rng.normal(size=(len(y), n_features))
    process = psutil.Process()
    n_threads = process.num_threads()
    measure(clone(model), Trial(X, y, X, y, repeated=0.0, twins=0.0), labelled, seed=0)
    return process.num_threads() == n_threads and not process.children()


@lru_cache(maxsize=1)
def _trial(task: Task) -> Trial | str:
    """The split that consecutive fits of a worker share, or why there is none."""
    dataset, protocol, seed, max_rows, features = task
    try:
        with other_values_refused():
            table = load_table(dataset)
            trial = make_trial(table, protocol, seed=seed, max_rows=max_rows)
        if features is None:
            return trial
        # After the split, which so is that of the same table without features.
        fitted = fitted_features(features)
        fitted.check_unseen(trial.X_test)
        X_train, X_test = fitted.transform(trial.X_train), fitted.transform(trial.X_test)
        return trial._replace(X_train=X_train, X_test=X_test)
    except Exception as error:  # a table that cannot be had must not end the other fits
        return describe(error)


def build(detector: Detector, *, seed: int, n_features: int, scale: bool = True) -> Any:
    """An unfitted detector; an import path is standardised like those of the registry."""
    if ":" not in detector.use:
        return make_detector(
            detector.use,
            detector.params,
            random_state=seed,
            n_features=n_features,
            scale=scale,
        )
    model = imported(detector.use)(**detector.params)
    if "random_state" not in detector.params and "random_state" in model.get_params(deep=False):
        model.set_params(random_state=seed)
    return in_pipeline(model, scale)


def check_detectors(detectors: tuple[Detector, ...]) -> None:
    """Build each detector once, so that a wrong parameter fails before the first fit."""
    for detector in detectors:
        try:
            build(detector, seed=0, n_features=10)
        except Exception as error:
            raise ValueError(
                f"detector {detector.name} cannot be made: {describe(error)}"
            ) from None


def measure(model: Any, trial: Trial, labelled: bool, seed: int) -> dict[str, Any]:
    """Fit, score and rate; labels reach the detector only where the protocol has some."""
    # This process is the fit's own: detectors that draw from the global generators repeat, too.
    _seed_generators(seed)
    # Ranking needs no threshold, and setting one would cost some detectors a second fit, others
    # the scores of all training rows.
    with patch.object(BaseDetector, "_threshold", return_value=0.0):
        start = time.perf_counter()
        fit_model(model, trial, labelled)
        fitted = time.perf_counter()
    scores = anomaly_scores(model, trial.X_test)
    scored = time.perf_counter()
    if not np.isfinite(scores).all():
        n_bad = len(scores) - np.isfinite(scores).sum()
        raise ValueError(f"scores must be finite; got {n_bad} of {len(scores)} that are not")
    y = trial.y_test
    return {
        "auroc": roc_auc_score(y, scores),
        "average_precision": average_precision_score(y, scores),
        "tpr_at_1pct_fpr": tpr_at_fpr_score(y, scores),
        "ap_1_to_1": average_precision_score(y, scores, prevalence=1 / 2),
        "ap_1_to_100": average_precision_score(y, scores, prevalence=1 / 101),
        "fit_seconds": fitted - start,
        "score_seconds": scored - fitted,
        "auroc_by_class": _by_class(trial, scores),
    }


def _by_class(trial: Trial, scores: np.ndarray) -> dict[str, float] | None:
    """AUROC of the anomalies of each class, where the table has classes."""
    y, classes = trial.y_test, trial.test_classes
    if classes is None:
        return None
    kinds = {kind: (y == 1) | (classes == kind) for kind in np.unique(classes[y == -1])}
    return {str(kind): roc_auc_score(y[rows], scores[rows]) for kind, rows in kinds.items()}


def fit_model(model: Any, trial: Trial, labelled: bool) -> None:
    """Fit a pipeline; an auxiliary sample goes to detectors that know of such, as what it is."""
    if not labelled:
        model.fit(trial.X_train)
    elif trial.n_auxiliary and has_fit_parameter(model[-1], "X_contrast"):
        X, X_contrast = np.split(trial.X_train, [-trial.n_auxiliary])
        with config_context(enable_metadata_routing=True):
            model.set_params(transform_input=["X_contrast"]).fit(X, X_contrast=X_contrast)
    else:
        model.fit(trial.X_train, trial.y_train)


def anomaly_scores(model: Any, X: np.ndarray) -> np.ndarray:
    """Higher is more anomalous, for detectors and for classifiers."""
    if hasattr(model, "score_samples"):
        return -np.asarray(model.score_samples(X), dtype=np.float64)
    classes = list(model.classes_)
    if -1 not in classes:
        raise ValueError(
            f"a classifier needs labelled anomalies (-1) to train on; got classes {classes}"
        )
    return model.predict_proba(X)[:, classes.index(-1)]
