"""Which Hillas parameters, and how many? Feature sets of the MAGIC and FACT tables.

    python benchmarks/hillas_features.py [--seeds 5] [--jobs 2] [--output hillas-output]

Scores one class (`RealNVPOutlierDetector`, `MahalanobisDetector`) and rare events with 200 labelled
rare rows (`ContrastiveFlowDetector`, extra-trees), either class as the bulk, with and without each
group of parameters, and with the best few of them. A fifth of the rows orders the parameters by
recursive elimination with extra-trees and is in no split. Splits are those of `skflow.benchmark`;
equal rows of MAGIC and equal showers of FACT stay on one side, and all sets see the same splits.
FACT's gammas are diffuse. Needs the FACT tables under SKFLOW_DATA. Writes results.csv (one row a
fit), results.md and how-many.png.
"""

import argparse
import os
import platform
import re
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from joblib import Parallel, delayed, parallel_config
from magic import METRICS, measure
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.feature_selection import RFE
from sklearn.model_selection import GroupShuffleSplit

from skflow import ContrastiveFlowDetector, MahalanobisDetector, RealNVPOutlierDetector
from skflow.benchmark import one_class_split, rare_event_split
from skflow.datasets import fetch_fact_tables, fetch_magic

N_RARE = 200
N_MAGIC_ROWS = 6_000
MAGIC_GROUPS = {
    "core": ("fSize", "fLength", "fWidth"),
    "concentration": ("fConc", "fConc1"),
    "moments": ("fAsym", "fM3Long", "fM3Trans"),
    "alpha": ("fAlpha",),
    "dist": ("fDist",),
}
FACT_GROUPS = {
    "core": ("size", "length", "width"),
    "concentration": tuple(
        f"concentration_{part}" for part in ("cog", "core", "one_pixel", "two_pixel")
    ),
    "moments": tuple(
        f"{moment}_{axis}"
        for moment in ("skewness", "kurtosis", "m3", "m4")
        for axis in ("long", "trans")
    ),
    "leakage": ("leakage1", "leakage2"),
    "islands": ("num_islands", "num_pixel_in_shower"),
    "timing": (
        "timespread",
        "timespread_weighted",
        *(f"slope_{name}" for name in ("long", "trans", "spread", "spread_weighted")),
        "time_gradient_slope_long",
        "time_gradient_intercept_long",
        *(f"arrival_time_shower_{name}" for name in ("mean", "variance", "skewness", "kurtosis")),
    ),
    "pixel charges": tuple(
        f"photoncharge_shower_{name}"
        for name in ("max", "mean", "variance", "skewness", "kurtosis")
    ),
}
#: What tells how the samples were simulated; never to be used.
FACT_TRAPS = {
    "position": ("cog_x", "cog_y", "delta"),
    "camera state": ("photoncharge_mean", "arrival_time_mean"),
}
#: The features of HillasTransformer's preset "default", in FACT's names.
FACT_DEFAULT = (
    *FACT_GROUPS["core"],
    "skewness_long",
    "kurtosis_long",
    "concentration_cog",
    "concentration_core",
    "concentration_one_pixel",
    "leakage2",
    "num_islands",
)


class Table(NamedTuple):
    """The rows of the splits, gammas +1, and the feature sets to compare."""

    hadrons: str
    X: pd.DataFrame
    y: np.ndarray
    groups: np.ndarray
    sets: dict[str, list[str]]
    order: list[str]


def load_magic(n_rows: int = N_MAGIC_ROWS) -> Table:
    """A seeded draw of MAGIC's rows."""
    magic = fetch_magic(bulk="gamma", if_unavailable="simulate")
    drawn = np.random.RandomState(0).permutation(len(magic.data))[:n_rows]
    X = pd.DataFrame(magic.data[drawn], columns=list(magic.feature_names))
    groups = np.unique(X, axis=0, return_inverse=True)[1].ravel()
    extraction = ("alpha", "dist")
    left_out = [("alpha",), ("dist",), extraction, ("moments", *extraction)]
    sets = make_sets(MAGIC_GROUPS, left_out=left_out)
    return split_off_order("hadron", X, magic.target[drawn], groups, sets, (3, 5, 7))


def load_fact() -> Table:
    """FACT's protons and diffuse gammas."""
    fact = fetch_fact_tables(bulk="gamma", trap_features=True)
    X = pd.DataFrame(fact.data, columns=list(fact.feature_names))
    sets = make_sets(FACT_GROUPS, added=[group for group in FACT_GROUPS if group != "core"])
    for trap, names in FACT_TRAPS.items():
        sets[f"all + {trap} (trap)"] = [*sets["all"], *names]
    sets["HillasTransformer's default"] = list(FACT_DEFAULT)
    return split_off_order("proton", X, fact.target, fact.groups, sets, (3, 5, 10))


def make_sets(
    groups: dict[str, tuple[str, ...]],
    *,
    added: Sequence[str] = (),
    left_out: Sequence[tuple[str, ...]] = (),
) -> dict[str, list[str]]:
    """All groups, the core, the core with one group added, all with some left out."""
    chosen = {"all": list(groups), "core": ["core"]}
    chosen |= {f"core + {group}": ["core", group] for group in added}
    for out in left_out:
        chosen[f"all without {', '.join(out)}"] = [group for group in groups if group not in out]
    return {
        title: [name for group in some for name in groups[group]] for title, some in chosen.items()
    }


def split_off_order(
    hadrons: str,
    X: pd.DataFrame,
    y: np.ndarray,
    groups: np.ndarray,
    sets: dict[str, list[str]],
    sizes: tuple[int, ...],
) -> Table:
    """Order the features on a fifth of the rows; keep the other rows for the splits."""
    splitter = GroupShuffleSplit(n_splits=1, test_size=0.8, random_state=0)
    first, rest = next(splitter.split(X, y, groups))
    order = order_features(X.iloc[first][sets["all"]], y[first])
    sets |= {f"best {size}": order[:size] for size in sizes}
    return Table(hadrons, X.iloc[rest], y[rest], groups[rest], sets, order)


def order_features(X: pd.DataFrame, y: np.ndarray) -> list[str]:
    """Names, the last one to be eliminated first."""
    forest = ExtraTreesClassifier(random_state=0)
    ranking = RFE(forest, n_features_to_select=1).fit(X, y).ranking_
    return [X.columns[i] for i in np.argsort(ranking)]


def run(
    name: str, table: Table, feature_set: str, seed: int, max_iter: int | str = "auto"
) -> list[dict[str, Any]]:
    """Fit and score all methods of all settings on one set and one seed."""
    X = table.X[table.sets[feature_set]].to_numpy()
    # Splits keep equal rows on one side: of a table of groups alone, equal groups.
    groups = table.groups.reshape(-1, 1)
    rows = []
    for bulk, y in (("gamma", table.y), (table.hadrons, -table.y)):
        one_class = one_class_split(groups, y, random_state=seed)
        rare_event = rare_event_split(groups, y, n_rare=N_RARE, random_state=seed)
        flow = {"max_iter": max_iter, "random_state": seed}
        for setting, (train, test), method in (
            ("one class", one_class, RealNVPOutlierDetector(**flow)),
            ("one class", one_class, MahalanobisDetector()),
            ("rare event", rare_event, ContrastiveFlowDetector(**flow)),
            ("rare event", rare_event, ExtraTreesClassifier(random_state=seed)),
        ):
            row = {"table": name, "setting": setting, "bulk": bulk, "set": feature_set}
            row |= {"features": X.shape[1], "seed": seed, "method": type(method).__name__}
            measured = measure(method, X[train], y[train], X[test], y[test])
            if "error" in measured:
                raise RuntimeError(f"{row}: {measured['error']}")
            rows.append(row | {metric: measured[metric] for metric in METRICS})
    return rows


def summarize(rows: pd.DataFrame) -> pd.DataFrame:
    """One setting: a line a set; AUROC, its paired difference to all features, AP and TPR."""
    order = rows["set"].unique()
    table = rows.groupby("set")[["features"]].first().loc[order]
    for method, ours in rows.groupby("method", sort=False):
        title = re.sub("(Outlier)?Detector|Classifier", "", method)
        auroc = ours.pivot(index="set", columns="seed", values="AUROC").loc[order]
        to_all = auroc - auroc.loc["all"]
        for name, values, sign in (("AUROC", auroc, ""), ("to all", to_all, "+")):
            mean, spread = values.mean(axis=1), values.std(axis=1, ddof=0)
            table[f"{title}: {name}"] = [
                f"{m:{sign}.3f} ± {s:.3f}" for m, s in zip(mean, spread, strict=True)
            ]
        for metric in ("AP", "TPR@1%FPR"):
            table[metric if metric not in table else f"{metric} "] = (
                ours.groupby("set")[metric].mean().map("{:.3f}".format)
            )
    return table


def report(results: pd.DataFrame, tables: dict[str, Table], note: str) -> str:
    """All tables in Markdown, the sets, and what they were measured with."""
    parts = []
    for (name, setting, bulk), rows in results.groupby(["table", "setting", "bulk"], sort=False):
        title = f"### {name}, {setting}, {bulk}s bulk"
        parts.append(f"{title}\n\n{summarize(rows).to_markdown(disable_numparse=True)}")
    for name, table in tables.items():
        groups = MAGIC_GROUPS if name == "MAGIC" else FACT_GROUPS | FACT_TRAPS
        lines = [f"- {group}: {', '.join(names)}" for group, names in groups.items()]
        lines.append(f"- best first: {', '.join(table.order)}")
        parts.append(f"### Features of {name}\n\n" + "\n".join(lines))
    return "\n\n".join([*parts, note])


def plot(results: pd.DataFrame, path: Path) -> None:
    """Draw AUROC against the number of features, best first."""
    tables = results["table"].unique()
    figure, panels = plt.subplots(
        len(tables), 2, figsize=(9, 3.5 * len(tables)), layout="constrained", squeeze=False
    )
    nested = results[results["set"].str.fullmatch(r"best \d+|all")]
    for axes, (name, setting) in zip(
        panels.flat, [(n, s) for n in tables for s in ("one class", "rare event")], strict=True
    ):
        shown = nested[(nested["table"] == name) & (nested["setting"] == setting)]
        colors = dict(zip(shown["method"].unique(), ("tab:blue", "tab:orange"), strict=True))
        for (method, bulk), rows in shown.groupby(["method", "bulk"], sort=False):
            auroc = rows.groupby("features")["AUROC"].agg(["mean", lambda a: a.std(ddof=0)])
            axes.errorbar(
                auroc.index,
                *auroc.to_numpy().T,
                color=colors[method],
                linestyle="-" if bulk == "gamma" else "--",
                marker="o" if bulk == "gamma" else "s",
                capsize=3,
                label=f"{method}, {bulk}s bulk",
            )
        axes.axhline(0.5, color="grey", linewidth=0.8, linestyle=":")
        axes.set(title=f"{name}, {setting}", xscale="log", xlabel="features", ylabel="AUROC")
        axes.set_xticks(shown["features"].unique(), labels=shown["features"].unique())
        axes.minorticks_off()
        axes.legend(fontsize=7, frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    """Parse the command line, run all sets, write the tables and the plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="number of splits (seeds 0, 1, ...)")
    parser.add_argument("--jobs", type=int, default=2, help="worker processes, one thread each")
    parser.add_argument("--output", type=Path, default=Path("hillas-output"))
    parser.add_argument("--quick", action="store_true", help="few rows and steps, to try it out")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    n_magic, max_iter = (1500, 5) if options.quick else (N_MAGIC_ROWS, "auto")
    tables = {"FACT": load_fact(), "MAGIC": load_magic(n_magic)}
    jobs = [
        (name, table, feature_set, seed, max_iter)
        for name, table in tables.items()
        for feature_set in table.sets
        for seed in range(options.seeds)
    ]
    rows: list[dict[str, Any]] = []
    with parallel_config("loky", n_jobs=options.jobs, inner_max_num_threads=1):
        for job_rows in Parallel(return_as="generator")(delayed(run)(*job) for job in jobs):
            rows += job_rows
            done = job_rows[0]
            print(f"{done['table']}, {done['set']}, seed {done['seed']}", flush=True)
    results = pd.DataFrame(rows)
    sizes = ", ".join(f"{len(table.X):,} rows of {name}" for name, table in tables.items())
    note = (
        f"Means and standard deviations over {options.seeds} seed(s); `to all` is the paired "
        f"difference in AUROC to all features. {sizes} were split, after a fifth was set aside to "
        f"order the features; of MAGIC {n_magic:,} rows were drawn. AUROC, average precision "
        "(AP) and true-positive rate at 1 % false positives take the rare class as positive. "
        f"{options.jobs} worker processes with one thread each; {os.cpu_count()} cores, "
        f"{platform.machine()}; Python {platform.python_version()}, torch {version('torch')}, "
        f"scikit-learn {version('scikit-learn')}.\n"
    )
    results.to_csv(options.output / "results.csv", index=False, float_format="%.5g")
    text = report(results, tables, note)
    (options.output / "results.md").write_text(text, encoding="utf-8")
    plot(results, options.output / "how-many.png")
    print(f"\n{text}\nWritten to {options.output}/")


if __name__ == "__main__":
    main()
