"""What an ensemble of flows gains over one flow, and what it costs.

    python benchmarks/ensembles.py [--seeds 3] [--output ensembles-output]

One-class splits of the MAGIC table, gammas as the bulk, and of simulated tables of three curved
columns. For one flow, one flow with four times the steps, and four flows that differ in seed or in
width: the held-out log-density of the bulk (nats a row; an ensemble also sets rows aside for its
threshold, so all methods get contamination=0.05), the AUROC against hadrons, and the seconds of a
fit in one process with one thread. Writes results.csv and results.md.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from skflow import FlowEnsemble, RealNVPOutlierDetector
from skflow.benchmark import one_class_split
from skflow.datasets import fetch_magic
from skflow.metrics import roc_auc_score

N_STEPS = {"MAGIC": 775, "curves": 387}  # as max_iter="auto" takes for as many rows


def make_curves(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A noisy curve in three dimensions; anomalies have independent columns."""
    rng = np.random.RandomState(seed)
    t = rng.uniform(-2, 2, 4000)
    bulk = np.column_stack([t, np.sin(2 * t), np.cos(3 * t)]) + 0.1 * rng.normal(size=(4000, 3))
    rare = np.column_stack([rng.permutation(column) for column in bulk.T])[:1000]
    return np.vstack([bulk, rare]), np.repeat([1, -1], [4000, 1000])


def make_methods(n_steps: int, seed: int) -> dict[str, Any]:
    """All methods; the seeds of the members come from that of the ensemble."""

    def flow(**parameters: Any) -> RealNVPOutlierDetector:
        defaults = {"contamination": 0.05, "max_iter": n_steps, "random_state": seed}
        return RealNVPOutlierDetector(**{**defaults, **parameters})

    widths = [flow(hidden_features=width) for width in (64, 96, 128, 192)]
    return {
        "one flow": flow(),
        "one flow, 4 x the steps": flow(max_iter=4 * n_steps),
        "4 flows, other seeds": FlowEnsemble(flow(), contamination=0.05, random_state=seed),
        "4 flows, other widths": FlowEnsemble(widths, contamination=0.05, random_state=seed),
    }


def run(table: str, seed: int) -> list[dict[str, Any]]:
    """Fit and score all methods on one split."""
    if table == "MAGIC":
        X, y = fetch_magic(bulk="gamma", return_X_y=True)
    else:
        X, y = make_curves(seed)
    train, test = one_class_split(X, y, random_state=seed)
    rows = []
    for name, method in make_methods(N_STEPS[table], seed).items():
        start = time.perf_counter()
        method.fit(X[train])
        seconds = time.perf_counter() - start
        scores = method.score_samples(X[test])
        rows.append(
            {
                "table": table,
                "method": name,
                "seed": seed,
                "log-density": scores[y[test] == 1].mean(),
                "AUROC": roc_auc_score(y[test], -scores),
                "fit s": seconds,
            }
        )
    return rows


def main() -> None:
    """Parse the command line, run all splits, write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path("ensembles-output"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = [row for table in N_STEPS for seed in range(arguments.seeds) for row in run(table, seed)]
    results = pd.DataFrame(rows)
    groups = results.groupby(["table", "method"], sort=False)[["log-density", "AUROC", "fit s"]]
    mean, spread = groups.mean(), groups.std(ddof=0)
    text = mean.copy().astype(object)
    for column, digits in (("log-density", 2), ("AUROC", 3), ("fit s", 1)):
        text[column] = [
            f"{m:.{digits}f} ± {s:.{digits}f}"
            for m, s in zip(mean[column], spread[column], strict=True)
        ]
    report = text.reset_index().to_markdown(index=False, disable_numparse=True)
    report += (
        f"\n\nMean and standard deviation over {arguments.seeds} splits. Log-density of held-out "
        "bulk rows, in nats; one thread.\n"
    )
    arguments.output.mkdir(parents=True, exist_ok=True)
    results.to_csv(arguments.output / "results.csv", index=False)
    (arguments.output / "results.md").write_text(report, encoding="utf-8")
    print(report)


if __name__ == "__main__":
    main()
