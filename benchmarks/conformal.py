"""Do the rates that ConformalDetector promises hold on public tables, and what do they cost?

    python benchmarks/conformal.py [--splits 20] [--jobs 2] [--output conformal-output]

Every table of ADBench with at least 1,000 bulk rows, at most 10,000 bulk rows of each, split at
random with repeated rows kept (calibration needs exchangeable rows): half trains, a quarter
calibrates, a quarter is new.

False alarms: the number of new bulk rows that are flagged at alpha follows a beta-binomial law,
whatever the detector. Each split's number goes through the law's distribution function, and the
values of all splits are compared with a uniform distribution (Kolmogorov and Smirnov), with Holm's
correction over tables.

False discoveries: ten batches of each split, 200 new rows of which 10 are anomalies; the mean share
of bulk rows among the selected is to be at most 0.95 q, up to two standard errors over splits, and
the share of anomalies that are selected is compared with the same procedure around an isolation
forest, on tables whose calibration rows can support a selection: n + 1 >= 2 / (q prevalence).

Writes results.csv, one row for each table, split and detector, and results.md.
"""

import argparse
import warnings
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.stats import betabinom, kstest
from sklearn.frozen import FrozenEstimator

from skflow.benchmark import load_table, make_detector
from skflow.benchmark._statistics import holm
from skflow.benchmark._tables import table_names
from skflow.calibration import ConformalDetector

ALPHAS, RATES = (0.01, 0.05, 0.1), (0.05, 0.1, 0.2)
MIN_BULK, MAX_BULK = 1000, 10_000
N_BATCHES, BATCH, N_ANOMALIES = 10, 200, 10
OURS, FOREST = "FlowNeighborsDetector", "sklearn IsolationForest"


def scored_split(table: str, split: int) -> list[dict[str, Any]]:
    """False alarms and selections of both detectors on one split of a table."""
    warnings.simplefilter("ignore")  # of selections that calibration rows are too few for
    X, y = load_table(table)[1:3]
    rng = np.random.RandomState(split)
    bulk = rng.permutation(np.flatnonzero(y == 1))[:MAX_BULK]
    anomalies = np.flatnonzero(y == -1)
    train, calibration, new = np.split(bulk, [len(bulk) // 2, 3 * len(bulk) // 4])
    # As many that all alphas are whole counts.
    calibration = calibration[: (len(calibration) + 1) // 100 * 100 - 1]
    batches = [
        np.concatenate(
            [
                rng.choice(new, BATCH - N_ANOMALIES, replace=False),
                rng.choice(anomalies, N_ANOMALIES, replace=len(anomalies) < N_ANOMALIES),
            ]
        )
        for _ in range(N_BATCHES)
    ]
    is_bulk = np.arange(BATCH) < BATCH - N_ANOMALIES
    rows = []
    for name in (OURS, FOREST):
        model = make_detector(name, random_state=split, n_features=X.shape[1]).fit(X[train])
        detector = ConformalDetector(FrozenEstimator(model), ties="random", random_state=split)
        p = detector.fit(X[calibration]).p_values(X[new])
        row: dict[str, Any] = {"table": table.removeprefix("adbench/"), "split": split}
        row |= {"detector": name, "n_calibration": len(calibration), "n_new": len(new)}
        row |= {f"flagged {alpha}": int(np.sum(p <= alpha * (1 + 1e-12))) for alpha in ALPHAS}
        for rate in RATES:
            selected = [detector.select(X[batch], fdr=rate) for batch in batches]
            false = [np.sum(s & is_bulk) / max(s.sum(), 1) for s in selected]
            row[f"false {rate}"] = np.mean(false)
            row[f"more false than {rate}"] = np.mean(np.asarray(false) > rate)
            row[f"found {rate}"] = np.mean([s[~is_bulk].mean() for s in selected])
        rows.append(row)
    return rows


def false_alarms(results: pd.DataFrame) -> pd.DataFrame:
    """Mean rate at each alpha, and the least p-value of the law after Holm's correction."""
    rng = np.random.RandomState(0)
    ours = results[results["detector"] == OURS]
    rows = []
    for alpha in ALPHAS:
        p_values, rates = [], []
        for _, group in ours.groupby("table"):
            n, flagged = group["n_calibration"], group[f"flagged {alpha}"]
            k = (alpha * (n + 1)).round()
            law = betabinom(group["n_new"], k, n + 1 - k)
            places = rng.uniform(law.cdf(flagged - 1), law.cdf(flagged))
            p_values.append(kstest(places, "uniform").pvalue)
            rates.append((flagged / group["n_new"]).mean())
        adjusted = holm(p_values)
        rows.append(
            {
                "alpha": alpha,
                "tables": len(rates),
                "mean rate": f"{np.mean(rates):.4f}",
                "lowest": f"{np.min(rates):.4f}",
                "highest": f"{np.max(rates):.4f}",
                "least p (Holm)": f"{adjusted.min():.3f}",
                "refuted": int(np.sum(adjusted < 0.05)),
            }
        )
    return pd.DataFrame(rows)


def false_discoveries(results: pd.DataFrame) -> pd.DataFrame:
    """Mean false-discovery proportion against its limit, and power against the forest's."""
    rows = []
    for rate in RATES:
        enough = results["n_calibration"] + 1 >= 2 / (rate * N_ANOMALIES / BATCH)
        able = results[enough]
        ours = able[able["detector"] == OURS].groupby("table")
        theirs = able[able["detector"] == FOREST].groupby("table")
        mean, error = ours[f"false {rate}"].mean(), ours[f"false {rate}"].sem()
        limit = rate * (1 - N_ANOMALIES / BATCH)
        power, other = ours[f"found {rate}"].mean(), theirs[f"found {rate}"].mean()
        rows.append(
            {
                "q": rate,
                "tables": len(mean),
                "limit": f"{limit:.4f}",
                "mean": f"{mean.mean():.4f}",
                "highest": f"{mean.max():.4f}",
                "over limit + 2 errors": int(np.sum(mean > limit + 2 * error)),
                "batches over q": f"{ours[f'more false than {rate}'].mean().mean():.0%}",
                "found": f"{power.mean():.1%}",
                "found, forest": f"{other.mean():.1%}",
                "better / equal / worse": " / ".join(
                    str(int(n))
                    for n in ((power > other).sum(), (power == other).sum(), (power < other).sum())
                ),
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    """Parse the command line, run all splits, write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--tables", default="adbench/*")
    parser.add_argument("--output", type=Path, default=Path("conformal-output"))
    arguments = parser.parse_args()
    large = [
        name
        for name in table_names(arguments.tables)
        if np.sum(load_table(name).y == 1) >= MIN_BULK
    ]
    splits = product(large, range(arguments.splits))
    found = Parallel(n_jobs=arguments.jobs)(delayed(scored_split)(*split) for split in splits)
    results = pd.DataFrame([row for rows in found for row in rows])
    report = (
        f"False alarms of {OURS}, {len(large)} tables, {arguments.splits} splits each:\n\n"
        + false_alarms(results).to_markdown(index=False, disable_numparse=True)
        + f"\n\nSelections from batches of {BATCH} rows, {N_ANOMALIES} of them anomalies, "
        + f"{N_BATCHES * arguments.splits} batches a table:\n\n"
        + false_discoveries(results).to_markdown(index=False, disable_numparse=True)
        + "\n"
    )
    arguments.output.mkdir(parents=True, exist_ok=True)
    results.round(6).to_csv(arguments.output / "results.csv", index=False)
    (arguments.output / "results.md").write_text(report, encoding="utf-8")
    print(report)


if __name__ == "__main__":
    main()
