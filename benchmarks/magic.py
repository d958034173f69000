"""The main job: skflow, PyOD and supervised controls on the MAGIC gamma-telescope table.

    python benchmarks/magic.py [--seeds 5] [--jobs 2] [--output demo-output]

Two settings, each with and without the extraction variables fAlpha and fDist: one class (gammas
are the bulk, hadrons the anomalies) and rare events (200 labelled rows of the other class beside
the bulk). Splits are those of `skflow.benchmark`; all methods of a split run one after the other
in one process of one thread, on the same rows, with their defaults. Writes results.csv (one row
a fit), results.md and, for the first seed, ROC curves and score histograms as PNG.
"""

import argparse
import time
import traceback
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from joblib import Parallel, delayed, parallel_config
from pyod.models.abod import ABOD
from pyod.models.auto_encoder import AutoEncoder
from pyod.models.deep_svdd import DeepSVDD
from pyod.models.ecod import ECOD
from pyod.models.iforest import IForest
from pyod.models.kde import KDE
from pyod.models.knn import KNN
from pyod.models.lof import LOF
from pyod.models.mcd import MCD
from pyod.models.pca import PCA
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.metrics import RocCurveDisplay
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skflow import (
    AutoencoderDetector,
    ContrastiveFlowDetector,
    MahalanobisDetector,
    RealNVPOutlierDetector,
)
from skflow.benchmark import one_class_split, rare_event_split
from skflow.datasets import fetch_magic
from skflow.interop import PyODDetector
from skflow.metrics import average_precision_score, roc_auc_score, tpr_at_fpr_score

METRICS = {
    "AUROC": roc_auc_score,
    "AP": average_precision_score,
    "TPR@1%FPR": tpr_at_fpr_score,
}


class Setting(NamedTuple):
    """What is the bulk, how many labelled rare rows train, and which columns are used."""

    bulk: str
    n_rare: int
    extraction_features: bool

    def __str__(self) -> str:
        rare = {"gamma": "hadron", "hadron": "gamma"}[self.bulk]
        kind = f"rare event, {self.n_rare} labelled {rare}s" if self.n_rare else "one class"
        columns = "with" if self.extraction_features else "without"
        return f"{kind}, {self.bulk}s bulk, {columns} fAlpha and fDist"

    @property
    def file_name(self) -> str:
        kind = "rare" if self.n_rare else "one-class"
        columns = "with" if self.extraction_features else "without"
        return f"{kind}-{self.bulk}-bulk-{columns}-extraction"


DEMO_SETTINGS = [
    Setting("gamma", 0, True),
    Setting("gamma", 0, False),
    Setting("hadron", 200, True),
    Setting("hadron", 200, False),
]
STUDY_SETTINGS = [*DEMO_SETTINGS, Setting("gamma", 200, True), Setting("gamma", 200, False)]


def make_methods(setting: Setting, seed: int) -> dict[str, Any]:
    """All estimators of a setting with their defaults; PyOD's get standardised features."""
    methods: dict[str, Any] = {
        "RealNVPOutlierDetector": RealNVPOutlierDetector(random_state=seed),
        "ContrastiveFlowDetector": ContrastiveFlowDetector(random_state=seed),
        "AutoencoderDetector": AutoencoderDetector(random_state=seed),
        "MahalanobisDetector": MahalanobisDetector(),
    }
    for detector in (
        PCA(),
        KDE(),
        KNN(),
        LOF(),
        ABOD(),
        MCD(),
        IForest(),
        ECOD(),
        AutoEncoder(verbose=0),
        DeepSVDD(n_features=10 if setting.extraction_features else 8, verbose=0),
    ):
        # PyOD's own contamination default; only the threshold depends on it.
        adapted = PyODDetector(detector, contamination=0.1, random_state=seed)
        name = f"PyOD {type(detector).__name__}"
        methods[name] = make_pipeline(StandardScaler(), adapted)
    if setting.n_rare:
        methods["extra-trees (supervised)"] = ExtraTreesClassifier(random_state=seed)
        methods["random forest (supervised)"] = RandomForestClassifier(random_state=seed)
    return methods


def run(setting: Setting, seed: int) -> list[dict[str, Any]]:
    """Fit and score all methods on one split, one after the other; an error is a result, too."""
    magic = fetch_magic(
        bulk=setting.bulk,
        extraction_features=setting.extraction_features,
        if_unavailable="simulate",
    )
    X, y = magic.data, magic.target
    if setting.n_rare:
        train, test = rare_event_split(X, y, n_rare=setting.n_rare, random_state=seed)
    else:
        train, test = one_class_split(X, y, random_state=seed)
    # ECOD's scores depend on the batch; here all test rows are scored in one call.
    warnings.filterwarnings("ignore", "the score that ECOD gives")
    rows = []
    for name, method in make_methods(setting, seed).items():
        row = {"setting": str(setting), "seed": seed, "method": name}
        rows.append(row | measure(method, X[train], y[train], X[test], y[test]))
    return rows


def measure(
    method: Any, X_train: np.ndarray, y_train: np.ndarray, X_test: np.ndarray, y_test: np.ndarray
) -> dict[str, Any]:
    """Seconds, figures of merit and scores of one method, or its error."""
    row: dict[str, Any] = {}
    try:
        start = time.perf_counter()
        method.fit(X_train, y_train)
        row["fit s"] = time.perf_counter() - start
        start = time.perf_counter()
        if hasattr(method, "predict_proba"):
            score = method.predict_proba(X_test)[:, list(method.classes_).index(-1)]
        else:
            score = -method.score_samples(X_test)
        row["score s"] = time.perf_counter() - start
        row |= {metric: compute(y_test, score) for metric, compute in METRICS.items()}
        row["_scores"], row["_y"] = score, y_test
    except Exception:
        row["error"] = traceback.format_exc(limit=1).strip().splitlines()[-1]
    return row


def summarize(results: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """One table a setting: means over seeds, best AUROC first, +- its standard deviation."""
    tables = {}
    for setting, rows in results.groupby("setting", sort=False):
        grouped = rows.groupby("method")
        table = grouped[[*METRICS, "fit s", "score s"]].mean()
        if rows["seed"].nunique() > 1:
            table.insert(1, "+-", grouped["AUROC"].std(ddof=0))
        if "error" in rows:
            table["error"] = grouped["error"].first().fillna("")
            if not table["error"].any():
                del table["error"]
        tables[setting] = table.sort_values("AUROC", ascending=False)
    return tables


def plot(setting: Setting, rows: list[dict[str, Any]], folder: Path) -> None:
    """Draw the ROC curves of all methods and the score histograms of skflow's."""
    rows = sorted((r for r in rows if "AUROC" in r), key=lambda r: -r["AUROC"])
    figure, axes = plt.subplots(figsize=(9, 6), layout="constrained")
    for i, row in enumerate(rows):
        ours = row["method"].endswith("Detector")
        RocCurveDisplay.from_predictions(
            row["_y"] == -1,
            row["_scores"],
            name=f"{row['method']} {row['AUROC']:.3f}",
            ax=axes,
            curve_kwargs={
                "color": plt.get_cmap("tab20")(i % 20),
                "linewidth": 2.2 if ours else 1.0,
                "linestyle": "-" if ours else "--",
                "label": f"{row['method']} ({row['AUROC']:.3f})",
            },
        )
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle=":")
    axes.set(
        title=str(setting), xlabel="False-positive rate (bulk)", ylabel="True-positive rate (rare)"
    )
    axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=8, frameon=False)
    figure.savefig(folder / f"roc-{setting.file_name}.png", dpi=110)
    plt.close(figure)

    ours = [row for row in rows if row["method"].endswith("Detector")]
    figure, panels = plt.subplots(
        1, len(ours), figsize=(3.6 * len(ours), 3.4), layout="constrained"
    )
    for axes, row in zip(np.ravel(panels), ours, strict=True):
        low, high = np.quantile(row["_scores"], [0.001, 0.99])
        bins = np.linspace(low, high, 60)
        for label, name, color in ((1, "bulk", "tab:blue"), (-1, "rare", "tab:red")):
            shown = np.clip(row["_scores"][row["_y"] == label], low, high)
            axes.hist(shown, bins, density=True, histtype="stepfilled", alpha=0.45, color=color)
            axes.hist(shown, bins, density=True, histtype="step", color=color, label=name)
        axes.set(
            title=f"{row['method']}\nAUROC {row['AUROC']:.3f}",
            xlabel="anomaly score (last bin: all beyond)",
        )
        axes.title.set_fontsize(9)
        axes.set_yticks([])
    np.ravel(panels)[0].legend(frameon=False)
    figure.suptitle(str(setting))
    figure.savefig(folder / f"scores-{setting.file_name}.png", dpi=110)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1, help="number of splits (seeds 0, 1, ...)")
    parser.add_argument("--jobs", type=int, default=2, help="worker processes, one thread each")
    parser.add_argument("--output", type=Path, default=Path("demo-output"))
    parser.add_argument(
        "--study", action="store_true", help="rare events with gammas as the bulk as well"
    )
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    settings = STUDY_SETTINGS if options.study else DEMO_SETTINGS
    # Download, or find out that it fails, once and not in every worker.
    print(f"MAGIC table from: {fetch_magic(if_unavailable='simulate').source}", flush=True)

    jobs = [(setting, seed) for setting in settings for seed in range(options.seeds)]
    start = time.perf_counter()
    rows: list[dict[str, Any]] = []
    with parallel_config("loky", n_jobs=options.jobs, inner_max_num_threads=1):
        done = Parallel(return_as="generator")(delayed(run)(*job) for job in jobs)
        for n_done, job_rows in enumerate(done, start=1):
            rows += job_rows
            best = max(job_rows, key=lambda row: row.get("AUROC", 0.0))
            print(
                f"[{n_done}/{len(jobs)}] {best['setting']}, seed {best['seed']}: "
                f"best of {len(job_rows)} is {best['method']}, AUROC {best['AUROC']:.3f}",
                flush=True,
            )

    frame = pd.DataFrame(rows).drop(columns=["_scores", "_y"], errors="ignore")
    frame.to_csv(options.output / "results.csv", index=False)
    report = []
    for setting, table in summarize(frame).items():
        title = f"### {setting[0].upper()}{setting[1:]}"
        report.append(f"{title}\n\n{table.to_markdown(floatfmt='.3f')}")
    note = (
        f"{options.seeds} seed(s); {options.jobs} worker processes with one thread each; "
        f"{time.perf_counter() - start:.0f} s in all. AUROC, average precision (AP) and "
        "true-positive rate at 1 % false positives take the rare class as positive.\n"
    )
    text = "\n\n".join([*report, note])
    (options.output / "results.md").write_text(text, encoding="utf-8")
    for setting in settings:
        plot(
            setting,
            [r for r in rows if r["setting"] == str(setting) and r["seed"] == 0],
            options.output,
        )
    print(f"\n{text}\nWritten to {options.output}/")


if __name__ == "__main__":
    main()
