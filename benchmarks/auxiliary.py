"""The table of auxiliary samples: what each is worth to each detector.

    PYTHONPATH=benchmarks python -m skflow.benchmark run benchmarks/configs/auxiliary.toml
    python benchmarks/auxiliary.py [results.jsonl ...] [--output table.md]

Means of AUROC over seeds, a row for each bulk and auxiliary sample, as in tables 1 and 3 of
arXiv:2208.14024, and the contrastive flow's paired differences to every other detector over rows.
"""

import argparse
from pathlib import Path
from typing import Any

from skflow.benchmark import read_results
from skflow.benchmark._statistics import paired_tests

FOLDER = Path("benchmarks/results/detectors")
RESULTS = [FOLDER / "auxiliary.jsonl", FOLDER / "auxiliary_datasets.jsonl"]
OURS = "ContrastiveFlowDetector"


def make_table(results: Any) -> str:
    """Markdown of one results file, over the splits that all detectors finished."""
    fits = results[results["error"].isna()].copy()
    of_split = fits.groupby(["dataset", "protocol", "seed"])["detector"]
    fits = fits[of_split.transform("nunique") == fits["detector"].nunique()]
    fits["sample"] = fits["protocol"].str.removeprefix("auxiliary:").str.replace("features/", "")
    fits["bulk"] = fits["dataset"].str.replace("features/", "")
    cells = fits.pivot_table(index=["bulk", "sample"], columns="detector", values="auroc")
    order = cells.mean().sort_values(ascending=False).index
    cells = cells[order]
    n_seeds = fits["seed"].nunique()
    parts = [
        f"AUROC in percent, mean over {n_seeds} seeds; `:10` and `:50` are percentages of bulk in "
        "the auxiliary sample."
    ]
    lines = [f"| Bulk | Auxiliary sample | {' | '.join(order)} |", "|---" * (2 + len(order)) + "|"]
    for (bulk, sample), row in cells.iterrows():
        lines.append(_line([bulk, sample], row.to_numpy()))
    lines.append(_line(["mean", ""], cells.mean().to_numpy()))
    parts.append("\n".join(lines))
    tests = paired_tests(cells.to_numpy(), list(order), OURS)
    parts.append(
        f"{OURS} less each other, in points, with 95 % bootstrap intervals over the "
        f"{len(cells)} rows (which share bulk and so are not independent):"
    )
    lines = ["| Against | Difference | Win / tie / loss |", "|---|---|---|"]
    for test in tests:
        difference, low, high = (100 * x for x in (test.difference, test.low, test.high))
        lines.append(
            f"| {test.detector} | {difference:+.1f} ({low:+.1f} to {high:+.1f}) | {test.wins} / "
            f"{test.ties} / {test.losses} |"
        )
    return "\n\n".join([*parts, "\n".join(lines)])


def _line(names: list[str], values: Any) -> str:
    """A row of the table, its best value in bold."""
    texts = [f"{100 * value:.1f}" for value in values]
    best = max(texts, key=float)
    cells = [f"**{text}**" if text == best else text for text in texts]
    return f"| {' | '.join([*names, *cells])} |"


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", nargs="*", type=Path, default=RESULTS)
    parser.add_argument("--output", type=Path, default=FOLDER / "auxiliary.md")
    options = parser.parse_args()
    text = "\n\n".join(make_table(read_results(path)) for path in options.results) + "\n"
    options.output.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
