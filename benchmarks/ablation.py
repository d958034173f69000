"""The ablation study: what each choice in skflow's one-class detectors is worth.

    PYTHONPATH=benchmarks python -m skflow.benchmark run benchmarks/configs/ablation.toml
    python benchmarks/ablation.py [results.jsonl] [--output table.md]

The configuration names the variants, "base: change", each one change from its base; those that are
more than a parameter are in ablation_detectors.py. The second command makes the table.
"""

import argparse
from pathlib import Path
from typing import Any

from skflow.benchmark import read_results
from skflow.benchmark._summary import summarize

RESULTS = Path("benchmarks/results/ablation/results.jsonl")


def make_table(results: Any) -> str:
    """Markdown of the results, a section for each base; differences are in points of AUROC."""
    base = results["detector"].str.partition(":")[0]
    n_rows = (results["n_train"] + results["n_test"]).groupby(results["dataset"]).transform("max")
    n_features = results["n_features"].groupby(results["dataset"]).transform("max")
    splits = {
        "Difference": n_rows.notna(),
        "n < 1,000": n_rows < 1000,
        "n >= 1,000": n_rows >= 1000,
        "d < 20": n_features < 20,
        "d >= 20": n_features >= 20,
    }
    parts = [
        "Mean AUROC and average precision (AP) over data sets, in percent; seeds "
        f"{', '.join(map(str, sorted(results['seed'].unique())))}. Differences to the first row "
        "are in points of AUROC, with 95 % bootstrap intervals over data sets, for all of them and "
        "by their rows n (training and test) and features d. A failed fit counts as chance. "
        "Seconds are the median of fit and scores."
    ]
    for name in base.unique():
        chosen = (base == name) | results["detector"].isin(base)
        summaries = {
            title: _summary(results[chosen & split], name) for title, split in splits.items()
        }
        titles = [f"{title} ({n})" for title, (n, _) in summaries.items()]
        parts.append(_section(name, titles, [rows for _, rows in summaries.values()]))
    return "\n\n".join(parts) + "\n"


def _summary(fits: Any, base: str) -> tuple[int, dict[str, Any]]:
    """The number of data sets compared, and figures of every detector; one alone is no mean."""
    if fits["dataset"].nunique() < 2:
        return 0, {}
    protocol = summarize(fits, reference=base)["protocols"][0]
    if not protocol["comparisons"]:
        return 0, {}
    rows = {detector["name"]: dict(detector) for detector in protocol["detectors"]}
    for metric, comparison in protocol["comparisons"].items():
        for row in comparison["rows"]:
            rows[row["detector"]][metric] = row["mean"]
    for test in protocol["comparisons"]["auroc"]["tests"]:  # of the base against the detector
        ends = (-test[key] if test[key] is not None else None for key in ("high", "low"))
        rows[test["detector"]]["difference"] = -test["difference"], *ends
    return protocol["n_compared"], rows


def _section(base: str, titles: list[str], splits: list[dict[str, Any]]) -> str:
    rows = {name: row for name, row in splits[0].items() if "auroc" in row}
    order = [base, *sorted(rows.keys() - {base}, key=lambda name: -rows[name]["auroc"])]
    lines = [["Variant", "AUROC", *titles[:1], "AP", *titles[1:], "Seconds", "Failed"]]
    lines.append(["---", *["---:"] * (len(lines[0]) - 1)])
    for name in order if rows else []:
        row = rows[name]
        differences = [_difference(split.get(name, {})) for split in splits]
        percent = [f"{100 * row[metric]:.1f}" for metric in ("auroc", "average_precision")]
        seconds = "-" if row["seconds"] is None else f"{row['seconds']:.2g}"
        failed = f"{row['failures']} of {row['fits']}"
        variant = name.removeprefix(f"{base}: ").replace("|", "\\|")
        cells = [percent[0], differences[0], percent[1], *differences[1:], seconds, failed]
        lines.append([variant, *cells])
    return "\n".join([f"## {base}", "", *(f"| {' | '.join(line)} |" for line in lines)])


def _difference(row: dict[str, Any]) -> str:
    if "difference" not in row:
        return "-"
    # Adding 0 makes +0.0 of -0.0.
    mean, low, high = (
        "-" if v is None else f"{round(100 * v, 1) + 0.0:+.1f}" for v in row["difference"]
    )
    return f"{mean} [{low}, {high}]"


def main(arguments: list[str] | None = None) -> None:
    """Make the table of a results file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, nargs="?", default=RESULTS)
    parser.add_argument("--output", type=Path, help="default: table.md beside the results")
    options = parser.parse_args(arguments)
    table = make_table(read_results(options.results))
    output = options.output or options.results.with_name("table.md")
    output.write_text(f"# Ablation study\n\n{table}", encoding="utf-8")
    print(table)


if __name__ == "__main__":
    main()
