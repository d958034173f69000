"""Our figures under the published protocol beside the published ones, on the same tables.

    python -m skflow.benchmark run benchmarks/configs/published.toml
    python benchmarks/published.py benchmarks/results/detectors/published.jsonl... [--output FOLDER]

The published figures are those of Livernoche et al. (ICLR 2024, arXiv:2305.18593), as CSV files
``dte_semi_auroc.csv`` and so on in the folder ``published`` under SKFLOW_DATA: one row a table,
one column a method, percent. Writes published.md: means over the tables that both have, and for
methods that were run here too, how far the two are apart.
"""

import argparse
import os
from pathlib import Path

import pandas as pd

from skflow.benchmark import read_results

SETTINGS = {"published": "semi", "published-contaminated": "unsup"}
METRICS = {"auroc": "auroc", "average_precision": "auprc"}
#: Published methods, and what runs the same here, one class and contaminated.
SAME = {
    "KNN": ("KNN", "KNN, k 32"),
    "DTE-NP": ("DTE-NP", "DTE-NP, k 32"),
    "PlanarFlow": ("PlanarFlow (-log det)", "PlanarFlow (-log det)"),
}


def read_published(folder: Path, protocol: str, metric: str) -> pd.DataFrame:
    """One row a table (lower case), one column a method, percent."""
    path = folder / f"dte_{SETTINGS[protocol]}_{METRICS[metric]}.csv"
    table = pd.read_csv(path, index_col="dataset").rename(columns={"kNN": "KNN"})
    return table.set_axis(table.index.str.lower())


def compare(results: pd.DataFrame, folder: Path, protocol: str) -> str:
    """Markdown of one protocol: all methods on the same tables, best AUROC first."""
    rows = results[results["protocol"] == protocol]
    by_table = rows.groupby(["dataset", "detector"])
    failed = by_table["error"].agg(lambda errors: errors.notna().any()).unstack(fill_value=True)
    ours = {metric: 100 * by_table[metric].mean().unstack().mask(failed) for metric in METRICS}
    seeds = rows.groupby("detector")["seed"].nunique()
    means = {}
    for metric, table in ours.items():
        table.index = table.index.str.partition("/").get_level_values(2).str.lower()
        table = table.dropna(axis=1)  # a mean over fewer tables or splits is of other things
        published = read_published(folder, protocol, metric)
        common = table.index.intersection(published.index)
        ours[metric] = table.loc[common]
        means[metric] = pd.concat(
            [table.loc[common].mean(), published.loc[common].mean().rename("{} (published)".format)]
        )
    text = pd.DataFrame(means).sort_values("auroc", ascending=False).round(2)
    text["seeds"] = seeds.reindex(text.index).map("{:.0f}".format, na_action="ignore").fillna("-")
    text = text.rename_axis("method").rename(
        columns={"auroc": "AUROC", "average_precision": "average precision"}
    )
    lines = [
        f"### {protocol}",
        f"Means in percent over {len(ours['auroc'])} tables, of each over its seeds (shown are the "
        "most seeds of a table). Detectors with a failed fit are left out.",
        text.reset_index().to_markdown(index=False, floatfmt=".2f"),
    ]
    published = read_published(folder, protocol, "auroc")
    for name, runs in SAME.items():
        run = runs[list(SETTINGS).index(protocol)]
        if run in ours["auroc"]:
            gap = (ours["auroc"][run] - published[name]).dropna().abs().sort_values()
            worst = ", ".join(f"{table} {value:.1f}" for table, value in gap[::-1][:3].items())
            lines.append(
                f"{name} as published and `{run}` here: median difference {gap.median():.2f} "
                f"points; largest: {worst}."
            )
    return "\n\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, nargs="+")
    parser.add_argument("--output", type=Path, default=None, help="folder; that of the results")
    options = parser.parse_args()
    data = os.environ.get("SKFLOW_DATA")
    if not data or not Path(data, "published").is_dir():
        parser.error("SKFLOW_DATA must name a folder that holds published/; got " + repr(data))
    results = read_results(*options.results)
    text = "\n\n".join(
        compare(results, Path(data, "published"), protocol)
        for protocol in SETTINGS
        if protocol in set(results["protocol"])
    )
    output = options.output or options.results[0].parent
    output.mkdir(parents=True, exist_ok=True)
    (output / "published.md").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
