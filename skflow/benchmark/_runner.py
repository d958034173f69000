"""The runner: datasets x protocols x seeds x detectors, each fit one row of a file."""

import logging
import os
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import joblib
from joblib.externals.loky import ProcessPoolExecutor

from ._config import Config, Detector, check_jobs, read_config
from ._environment import describe_environment
from ._features import make_transformer
from ._fit import Limits, Task, check_detectors, run_fit, start_worker
from ._results import ResultsFile, key_of, last_fits

logger = logging.getLogger(__name__)

#: Read by the numeric libraries when they start.
ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "BLIS_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "NUMBA_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
    ),
    "1",
)


def run_benchmark(
    config: Mapping[str, Any] | str | Path,
    *,
    output: str | Path | None = None,
    n_jobs: int | None = None,
    retry_errors: bool = False,
) -> Path:
    """Fit every detector on every split and write one row a fit; go on where a run was ended.

    Fits run in processes of one thread, each in a child of its own that is ended at its limits.
    What a detector imports or compiles at its first use is not part of its time (where processes
    can be forked, and unless it starts threads, as CUDA does).
    A fit that fails, takes too long or too much memory, or takes its process down is a row with
    the error. Rows are written as they come; a run that was killed loses the fits in flight, and
    the next one with the same file makes what is missing. ``python -m skflow.benchmark run`` is
    the same.

    Parameters
    ----------
    config : mapping or path
        A TOML file or a mapping with these keys:

        - ``datasets``: names and patterns such as ``"adbench/*"``; ``exclude``: those to leave out.
        - ``detectors``: names, or tables ``{name = "KNN-10", use = "KNN", params = {n_neighbors
          = 10}}``; ``use`` may be the import path ``"package.module:Class"`` of a detector of
          your own, which gets the same columns as all others.
        - ``protocols``: of ``"one-class"`` (the default), ``"contaminated"``,
          ``"rare-event:200"`` (200 labelled anomalies), ``"auxiliary:TABLE"``, ``"published"`` and
          ``"published-contaminated"``; see `make_trial`.
        - ``seeds``: how many (default 5), or a list.
        - ``max_rows``: most rows of a table; absent for all.
        - ``features``: ``"package.module:Class fitted to TABLE"``, a transformer of which all
          detectors get the features of rows; each worker fits it once, outside of the limits, to
          the normal rows of another table. Without it, tables of images are not standardised.
        - ``time_limit_s`` (default 600) and ``memory_limit_mib`` (default 8000): what one fit
          with its scores may take.
        - ``jobs``: fits at a time (default 1; -1 for one a processor).
        - ``output``: the results file (default "results.jsonl").
    output : str or Path, default=None
        Results file, instead of the configuration's.
    n_jobs : int, default=None
        Fits at a time, instead of the configuration's.
    retry_errors : bool, default=False
        Whether fits that failed are made again.

    Returns
    -------
    path : Path
        The results file, for `read_results` and `write_report`.

    Raises
    ------
    ValueError
        If the configuration is wrong, a detector cannot be made, or the file holds rows of the
        same detector with other parameters or of another ``max_rows``.
    BlockingIOError
        If another run is writing to the file.
    ChildProcessError
        If a worker process died outside of a fit, as by the system for want of memory; a later
        run goes on.
    ImportError
        If psutil is not installed.

    Examples
    --------
    >>> from skflow.benchmark import run_benchmark
    >>> path = run_benchmark(
    ...     {
    ...         "datasets": ["sklearn/breast_cancer"],
    ...         "detectors": ["RealNVPOutlierDetector", "sklearn IsolationForest"],
    ...         "seeds": 2,
    ...     },
    ...     output="results.jsonl",
    ... )  # doctest: +SKIP
    """
    try:
        import psutil  # noqa: F401
    except ImportError as error:
        raise ImportError("run_benchmark needs psutil: pip install skflow-detect[bench]") from error
    checked = read_config(config)
    if n_jobs is not None:
        checked = checked._replace(jobs=check_jobs(n_jobs, "n_jobs"))
    path = Path(output) if output is not None else checked.output
    with ResultsFile(path) as results:
        done = last_fits(results.lines)
        _check_consistent(checked, list(done.values()), path)
        fits = [
            fit
            for fit in grid(checked)
            if (row := done.get(_key(*fit))) is None or (retry_errors and row["error"])
        ]
        logger.info("%d fits to make, %d in %s", len(fits), len(done), path)
        if fits:
            _run(checked, fits, results)
    return path


def grid(config: Config) -> Iterator[tuple[Task, Detector]]:
    """All fits; one seed after the other, so that an interrupted run is balanced."""
    tasks = product(config.seeds, config.datasets, config.protocols)
    for seed, dataset, protocol in tasks:
        task = Task(dataset, protocol, seed, config.max_rows, config.features)
        for detector in config.detectors:
            yield task, detector


def _key(task: Task, detector: Detector) -> tuple[Any, ...]:
    named = {"detector": detector.name, "use": detector.use, "params": detector.params}
    return key_of(task._asdict() | named)


def _check_consistent(config: Config, rows: list[dict[str, Any]], path: Path) -> None:
    """Refuse to put what must not be averaged into one file."""
    detectors = {detector.name: detector for detector in config.detectors}
    for row in rows:
        name, before = row["detector"], {key: row[key] for key in ("use", "params")}
        now = detectors.get(name, Detector(name, **before))._asdict()
        del now["name"]
        if before != now:
            raise ValueError(
                f"detector {name} must be as in {path}, {before}; got {now}: "
                "choose another name or output"
            )
        for key in ("max_rows", "features"):
            if row.get(key) != getattr(config, key):
                raise ValueError(
                    f"{key} must be as in {path}, {row.get(key)}; got {getattr(config, key)}: "
                    "choose another output"
                )


def _run(config: Config, fits: list[tuple[Task, Detector]], results: ResultsFile) -> None:
    """Make the fits in worker processes and write each row as it comes."""
    limits = Limits(config.time_limit_s, config.memory_limit_mib)
    n_jobs = joblib.cpu_count() if config.jobs == -1 else config.jobs
    with _workers(n_jobs) as executor:
        # In a worker: some detectors seed the global generators when they are made.
        executor.submit(check_detectors, config.detectors).result()
        if config.features is not None:
            executor.submit(make_transformer, config.features).result()
        environment = describe_environment(n_jobs)
        if environment not in results.lines:
            results.append(environment)
        progress = _Progress(fits)
        # One fit a job and not one split, so that a slow one keeps no other waiting; a worker
        # keeps its last split.
        futures = [executor.submit(run_fit, *fit, limits, os.getpid()) for fit in fits]
        for future in as_completed(futures):
            row = future.result()
            results.append({"kind": "fit", "environment": environment["id"], **row})
            progress.count(row)


@contextmanager
def _workers(n_jobs: int) -> Iterator[Any]:
    """Worker processes of one thread each, which end with the context."""
    # joblib's own Parallel would work in this process for one job, with all its threads. A time
    # limit for idle workers: those of a runner that was killed must not stay.
    executor = ProcessPoolExecutor(
        n_jobs, timeout=5, initializer=start_worker, env=dict(ONE_THREAD)
    )
    try:
        yield executor
    except BrokenProcessPool as error:  # a fit that dies is a row: this was before or after one
        raise ChildProcessError(
            f"a worker process died outside of a fit; run it again to go on ({error})"
        ) from error
    finally:
        executor.shutdown(kill_workers=True)  # they hold nothing, and their own end takes seconds


class _Progress:
    """One line of the log a split that is done."""

    def __init__(self, fits: list[tuple[Task, Detector]]):
        self._left = Counter(task for task, _ in fits)
        self._n_tasks, self._n_fits = len(self._left), len(fits)
        self._n_done = self._n_failed = 0
        self._failed: dict[Task, list[str]] = defaultdict(list)
        self._start = time.monotonic()

    def count(self, row: Mapping[str, Any]) -> None:
        task = Task(*(row[name] for name in Task._fields))
        self._n_done += 1
        if row["error"]:
            self._n_failed += 1
            self._failed[task].append(row["detector"])
        self._left[task] -= 1
        if self._left[task]:
            return
        del self._left[task]
        spent = time.monotonic() - self._start
        left = timedelta(seconds=round(spent / self._n_done * (self._n_fits - self._n_done)))
        failed = self._failed.pop(task, [])
        logger.info(
            "[%d/%d] %s, %s, seed %d%s; %d failed in all; %s to go",
            self._n_tasks - len(self._left),
            self._n_tasks,
            task.dataset,
            task.protocol,
            task.seed,
            f": {', '.join(failed)} failed" if failed else "",
            self._n_failed,
            left,
        )
