"""Speed of a grid search with joblib workers beside the same search without.

    python benchmarks/parallel.py [--jobs 2] [--repeats 3] [--output parallel-output]

The search fits a RealNVPOutlierDetector of 6 sizes on 3 folds of 4,000 gammas of the MAGIC table,
18 fits in all, and does not refit. Workers have made a fit before they are timed; those of
"loky, cold" have yet to start and to import. Backends take turns, so that whatever
else the machine does hits all alike; the median over turns counts. Nothing sets a number of
threads but skflow and joblib. All searches must find the same scores. Writes results.csv and
results.md.
"""

import argparse
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky import get_reusable_executor
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_info

from skflow import RealNVPOutlierDetector
from skflow.datasets import fetch_magic

GRID = {"n_blocks": [4, 6, 8], "hidden_features": [32, 64]}
N_FITS = 18
N_ROWS = 4000
#: Joblib backends; the first one works in this process.
BACKENDS = ["sequential", "loky", "loky, cold", "threading", "multiprocessing"]


def work(X: np.ndarray) -> dict[str, int]:
    """Make a short fit; return the threads that torch and BLAS use here."""
    RealNVPOutlierDetector(max_iter=1).fit(X)
    time.sleep(0.2)  # so that every worker gets a call
    blas = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    return {"torch threads": torch.get_num_threads(), "BLAS threads": max(blas, default=1)}


def time_search(name: str, n_jobs: int, X: np.ndarray) -> dict[str, Any]:
    """Time one search and note the threads of its workers, as they are between fits."""
    backend = name.removesuffix(", cold")
    n_jobs = 1 if backend == "sequential" else n_jobs
    search = GridSearchCV(
        RealNVPOutlierDetector(random_state=0), GRID, cv=3, refit=False, error_score="raise"
    )
    with parallel_config(backend, n_jobs=n_jobs):
        if name.endswith("cold"):
            get_reusable_executor().shutdown(wait=True)
        else:
            Parallel()(delayed(work)(X[:100]) for _ in range(n_jobs))
        start = time.perf_counter()
        search.fit(X)
        seconds = time.perf_counter() - start
        counts = Parallel()(delayed(work)(X[:100]) for _ in range(n_jobs))
    most = {key: max(count[key] for count in counts) for key in counts[0]}
    scores = search.cv_results_["mean_test_score"]
    return {"backend": name, "workers": n_jobs, **most, "s": seconds, "_scores": scores}


def check(rows: list[dict[str, Any]]) -> None:
    """Compare the scores of all searches."""
    for row in rows:
        difference = np.abs(row["_scores"] - rows[0]["_scores"]).max()
        if not difference < 1e-3:
            raise AssertionError(
                f"{row['backend']} must find the scores of {rows[0]['backend']}, "
                f"got a difference of {difference:.2g} nats"
            )


def report(rows: list[dict[str, Any]], repeats: int) -> str:
    """The table in Markdown, and what it was measured with."""
    groups = pd.DataFrame(rows).drop(columns="_scores").groupby("backend", sort=False)
    table = groups[["workers", "torch threads", "BLAS threads"]].max()
    for label, share in (("s", 0.5), ("25 %", 0.25), ("75 %", 0.75)):
        table[label] = groups["s"].quantile(share)
    table["times faster"] = table.loc[BACKENDS[0], "s"] / table["s"]
    body = table.reset_index().to_markdown(
        index=False, floatfmt=["", "d", "d", "d", ".2f", ".2f", ".2f", ".2f"]
    )
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "scikit-learn", "joblib"))
    return (
        f"### A grid search of {N_FITS} fits on {N_ROWS:,} rows\n\n{body}\n\n"
        f"Medians and quartiles of {repeats} interleaved turns. Threads are a worker's between "
        f"fits; batches of 256 train in one. {joblib.cpu_count()} cores, {platform.machine()}; "
        f"Python {platform.python_version()}, {versions}.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2, help="workers")
    parser.add_argument("--repeats", type=int, default=3, help="turns of every backend")
    parser.add_argument("--output", type=Path, default=Path("parallel-output"))
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    magic = fetch_magic(bulk="gamma", if_unavailable="simulate")
    print(f"MAGIC table from: {magic.source}", flush=True)
    X = magic.data[magic.target == 1][:N_ROWS]
    rows = []
    for turn in range(options.repeats):
        for name in BACKENDS:
            rows.append({"turn": turn, **time_search(name, options.jobs, X)})
            print(f"[{turn + 1}/{options.repeats}] {name}: {rows[-1]['s']:.2f} s", flush=True)
    check(rows)
    frame = pd.DataFrame(rows).drop(columns="_scores")
    frame.to_csv(options.output / "results.csv", index=False, float_format="%.5g")
    text = report(rows, options.repeats)
    (options.output / "results.md").write_text(text, encoding="utf-8")
    print(f"\n{text}\nWritten to {options.output}/")


if __name__ == "__main__":
    main()
