"""benchmarks/published.py: our means beside published ones, over the tables that both have."""

import json

import published
import pytest

from skflow.benchmark import read_results


@pytest.fixture
def folder(tmp_path):
    """Published figures of three tables, one of which was not run."""
    header = "dataset,{},PlanarFlow\n"
    for setting in ("semi", "unsup"):
        for metric, knn in (("auroc", "KNN"), ("auprc", "kNN")):
            text = header.format(knn) + "glass,90.0,70.0\nwine,80.0,60.0\nmusk,10.0,10.0\n"
            (tmp_path / f"dte_{setting}_{metric}.csv").write_text(text)
    return tmp_path


@pytest.fixture
def results(tmp_path):
    fits = [("glass", 0, "KNN", 0.92), ("glass", 1, "KNN", 0.90), ("Wine", 0, "KNN", 0.80)]
    fits += [("glass", 0, "LOF", 0.99)]  # one table only: no mean to compare
    fits += [("glass", 0, "PCA", 0.99), ("Wine", 0, "PCA", 0.99), ("Wine", 1, "PCA", None)]
    lines = [
        {
            "kind": "fit",
            "dataset": f"adbench/{dataset}",
            "protocol": "published",
            "seed": seed,
            "detector": detector,
            "use": detector,
            "params": {},
            "max_rows": None,
            "auroc": auroc,
            "average_precision": auroc and auroc / 2,
            "error": None if auroc else "ValueError: no",
        }
        for dataset, seed, detector, auroc in fits
    ]
    path = tmp_path / "results.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return read_results(path)


def test_means_over_common_tables(results, folder):
    text = published.compare(results, folder, "published")
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("|")][2:]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["KNN", "85.50", "42.75", "2"],
        ["KNN (published)", "85.00", "85.00", "-"],
        ["PlanarFlow (published)", "65.00", "65.00", "-"],
    ]
    assert "over 2 tables, of each over its seeds" in text
    assert "median difference 0.50 points; largest: glass 1.0, wine 0.0" in text
