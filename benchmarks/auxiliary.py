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
from skflow.benchmark._markdown import _table
from skflow.benchmark._statistics import paired_tests

FOLDER = Path("benchmarks/results/detectors")
RESULTS = [FOLDER / "auxiliary.jsonl", FOLDER / "auxiliary_datasets.jsonl"]
OURS = "ContrastiveFlowDetector"


def make_table(results: Any, ours: str = OURS) -> str:
    """Markdown of results, over the splits that all detectors finished."""
    split = ["dataset", "protocol", "seed"]
    fits = results[results["error"].isna()].copy()
    # A split that no detector finished is none, as of a table that is to contrast itself.
    made = results.merge(fits[split].drop_duplicates())
    of_split = fits.groupby(split)["detector"]
    fits = fits[of_split.transform("nunique") == fits["detector"].nunique()]
    for column, names in (("bulk", fits["dataset"]), ("sample", fits["protocol"])):
        fits[column] = names.str.replace("auxiliary:|features/|images/", "", regex=True)
    cells = fits.pivot_table(index=["bulk", "sample"], columns="detector", values="auroc")
    cells = cells[cells.mean().sort_values(ascending=False).index]
    rows = [
        [*names, *_in_percent(row)]
        for names, row in zip(cells.index, cells.to_numpy(), strict=True)
    ]
    rows.append(["mean", "", *_in_percent(cells.mean())])
    differences = [
        [
            test.detector,
            "{:+.1f} ({:+.1f} to {:+.1f})".format(
                *(100 * x for x in (test.difference, test.low, test.high))
            ),
            f"{test.wins} / {test.ties} / {test.losses}",
        ]
        for test in paired_tests(cells.to_numpy(), list(cells), ours)
    ]
    return "\n\n".join(
        [
            f"AUROC in percent, mean over {fits['seed'].nunique()} seeds; `:10` and `:50` are "
            "percentages of bulk in the auxiliary sample.",
            _table(["Bulk", "Auxiliary sample", *cells], rows, escaped=True),
            f"{ours} less each other, in points, with 95 % bootstrap intervals over the "
            f"{len(cells)} rows (which share bulk and so are not independent):",
            _table(["Against", "Difference", "Win / tie / loss"], differences),
            *_failures(made),
        ]
    )


def _failures(fits: Any) -> list[str]:
    """What is not in the table: splits where a fit failed, and detectors all of whose fits did."""
    numbers = fits.loc[fits["error"].notna(), "detector"].value_counts()
    if numbers.empty:
        return []
    named = ", ".join(f"{name} {number}" for name, number in numbers.items())
    return [f"Failed fits, whose splits are left out for all: {named}, of {len(fits)} in all."]


def _in_percent(values: Any) -> list[str]:
    """AUROCs of a row, the best in bold."""
    texts = [f"{100 * value:.1f}" for value in values]
    best = max(texts, key=float)
    return [f"**{text}**" if text == best else text for text in texts]


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
