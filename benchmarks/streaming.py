"""Rows that come in batches, sorted, against all rows at once: ranking, time and memory of a fit.

    python benchmarks/streaming.py [--seeds 5] [--output streaming-output]

One-class splits of MAGIC (gammas are the bulk) and of ADBench's donors (619,326 rows), whose
training rows are sorted by their first column, so that no batch is like the whole. Methods: `fit`;
`fit_stream` from a memory-mapped file, with the reservoir that it takes by itself and with one of
a tenth of the rows; `partial_fit`, batch by batch. Every fit runs in a process of its own with one
thread; its memory is the growth of the peak of resident memory over that before the rows were
read. Writes results.csv and results.md.
"""

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from skflow import AutoencoderDetector, RealNVPOutlierDetector
from skflow.benchmark import one_class_split
from skflow.datasets import fetch_adbench, fetch_magic
from skflow.metrics import roc_auc_score

BATCH_ROWS = {"MAGIC": 500, "donors": 20_000}
METHODS = ("fit", "fit_stream", "fit_stream, a tenth", "partial_fit")
DETECTORS = {"flow": RealNVPOutlierDetector, "autoencoder": AutoencoderDetector}


def load(table: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows and labels: -1 for anomalies."""
    if table == "MAGIC":
        return fetch_magic(bulk="gamma", return_X_y=True)
    return fetch_adbench("donors", return_X_y=True)


def write_split(table: str, seed: int, folder: Path) -> None:
    """Write sorted training rows and test rows with labels."""
    X, y = load(table)
    train, test = one_class_split(X, y, random_state=seed)
    rows = X[train]
    np.save(folder / "train.npy", rows[np.argsort(rows[:, 0], kind="stable")])
    np.savez(folder / "test.npz", X=X[test], y=y[test])


def fit(detector: str, method: str, table: str, seed: int, folder: Path) -> dict[str, Any]:
    """Fit in this process and judge."""
    torch.set_num_threads(1)
    model = DETECTORS[detector](random_state=seed)
    model.fit(np.random.RandomState(0).normal(size=(50, 3)))  # what is loaded on first use
    rows = np.load(folder / "train.npy", mmap_mode="r")
    before, start = _peak(), time.perf_counter()
    if method == "fit":
        model.fit(np.load(folder / "train.npy"))
    elif method == "fit_stream":
        model.fit_stream(rows)
    elif method == "fit_stream, a tenth":
        model.fit_stream(rows, reservoir_size=len(rows) // 10)
    else:
        model = DETECTORS[detector](random_state=seed)
        for first in range(0, len(rows), BATCH_ROWS[table]):
            model.partial_fit(rows[first : first + BATCH_ROWS[table]])
    seconds, memory = time.perf_counter() - start, _peak() - before
    with np.load(folder / "test.npz") as test:
        X, y = test["X"], test["y"]
    scores = model.score_samples(X)
    return {
        "table": table,
        "rows": len(rows),
        "detector": detector,
        "method": method,
        "seed": seed,
        "AUROC": 100 * roc_auc_score(y, -scores),
        "bulk": scores[y == 1].mean(),
        "fit s": seconds,
        "fit MiB": memory,
    }


def _peak() -> float:
    """Largest resident memory of this process so far, in MiB (Linux)."""
    # Not getrusage's: a new process takes that over from its parent.
    (line,) = (x for x in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in x)
    return int(line.split()[1]) / 1024


def report(results: pd.DataFrame) -> str:
    """Means over the splits in Markdown."""
    keys = ["table", "detector", "method"]
    groups = results.groupby(keys, sort=False)
    table = groups[["AUROC", "bulk", "fit s", "fit MiB"]].mean()
    table = table.round({"AUROC": 2, "bulk": 2, "fit s": 1, "fit MiB": 0})
    table.insert(1, "sd", groups["AUROC"].std().round(2))
    whole = results[results.method == "fit"].set_index(["table", "detector", "seed"]).AUROC
    index = pd.MultiIndex.from_frame(results[["table", "detector", "seed"]])
    difference = results.AUROC - whole.reindex(index).to_numpy()
    groups = results.assign(difference=difference).groupby(keys, sort=False)
    table.insert(2, "to fit", groups["difference"].mean().round(2))
    return table.reset_index().to_markdown(index=False) + (
        f"\n\nMeans over {results.seed.nunique()} splits; AUROC in points, with its standard "
        "deviation over the splits, and its difference to that of `fit` on the same split; `bulk` "
        "is the mean score of the ordinary test rows, a flow's log-density in nats. One thread.\n"
    )


def main() -> None:
    """Parse the command line, run all fits, write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path("streaming-output"))
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    rows = []
    for table in BATCH_ROWS:
        for seed in range(arguments.seeds):
            with tempfile.TemporaryDirectory() as name:
                write_split(table, seed, Path(name))
                for detector in DETECTORS:
                    for method in METHODS:
                        with multiprocessing.get_context("spawn").Pool(1) as pool:
                            task = (detector, method, table, seed, Path(name))
                            rows.append(pool.apply(fit, task))
                        print(rows[-1], flush=True)
                        results = pd.DataFrame(rows)
                        results.to_csv(arguments.output / "results.csv", index=False)
    text = report(results)
    (arguments.output / "results.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
