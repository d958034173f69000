"""The table of auxiliary samples says what its results say."""

from pathlib import Path

import auxiliary
import numpy as np
import pytest
from synthetic_results import make_lines, write_results

from skflow.benchmark import read_results

DETECTORS = ["ContrastiveFlowDetector", "KNN", "PCA"]
RESULTS = Path(__file__).parent.parent / "benchmarks" / "results" / "detectors"


def test_table(tmp_path):
    datasets = ["features/a", "features/b"]
    protocols = ["auxiliary:features/c", "auxiliary:features/c:10"]
    samples = dict(zip(["rare-event:1", "rare-event:2"], protocols, strict=True))
    lines = [
        line | {"protocol": samples[line["protocol"]]} if "protocol" in line else line
        for line in make_lines(DETECTORS, datasets, list(samples))
    ]
    table = auxiliary.make_table(read_results(write_results(tmp_path / "r.jsonl", lines)))
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("|")]
    names = [name.strip() for name in rows[0][2:]]
    assert sorted(names) == DETECTORS
    for row in rows[2:6]:
        bulk, sample = (cell.strip() for cell in row[:2])
        for name, cell in zip(names, row[2:], strict=True):
            fits = [
                line["auroc"]
                for line in lines
                if (line.get("dataset"), line.get("protocol"), line.get("detector"))
                == (f"features/{bulk}", f"auxiliary:features/{sample}", name)
            ]
            assert float(cell.strip(" *")) == pytest.approx(100 * np.mean(fits), abs=0.06)
    means = [float(cell.strip(" *")) for cell in rows[6][2:]]
    assert means == sorted(means, reverse=True)
    # A split that one detector has not finished compares nothing.
    failing = [
        x | {"error": "ValueError: no", "auroc": None}
        if (x.get("protocol"), x.get("detector")) == (protocols[1], "KNN")
        else x
        for x in lines
    ]
    table = auxiliary.make_table(read_results(write_results(tmp_path / "f.jsonl", failing)))
    assert "| c:10 |" not in table
    assert "| c |" in table
    n_failed = sum(line.get("error") == "ValueError: no" for line in failing)
    assert f"left out for all: KNN {n_failed}, of {len(lines) - 1} in all." in table


def test_published_table_is_that_of_the_published_results(tmp_path, monkeypatch, capsys):
    paths = [str(RESULTS / path.name) for path in auxiliary.RESULTS]
    output = tmp_path / "table.md"
    monkeypatch.setattr("sys.argv", ["auxiliary.py", *paths, "--output", str(output)])
    auxiliary.main()
    text = output.read_text(encoding="utf-8")
    assert text == (RESULTS / "auxiliary.md").read_text(encoding="utf-8")
    assert text in capsys.readouterr().out
