"""The results file: whole lines only, one writer, and what reading it needs."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest

from skflow.benchmark import auroc_matrix, read_results
from skflow.benchmark._fit import Task
from skflow.benchmark._results import ResultsFile


def test_a_foreign_file_is_refused(tmp_path):
    path = tmp_path / "results.jsonl"
    path.write_text('{"kind": "environment", "id": "x"}\n{"kind": \n')
    message = r"every line of .* must be a fit or an environment in JSON; got .* in line 2"
    with pytest.raises(ValueError, match=message):
        read_results(path)
    with pytest.raises(ValueError, match=message), ResultsFile(path):
        pass
    path.unlink()
    with ResultsFile(path) as results:  # the lock was given back
        with pytest.raises(BlockingIOError, match="another run is writing"), ResultsFile(path):
            pass
        results.append({"kind": "fit", "seed": np.int64(1), "auroc": np.float32(0.5)})
        with pytest.raises(ValueError, match="JSON"):
            results.append({"kind": "fit", "auroc": math.nan})
    assert json.loads(path.read_text()) == {"kind": "fit", "seed": 1, "auroc": 0.5}


def test_a_later_line_counts(tmp_path):
    row = Task("sklearn/wine", "one-class", 0, None)._asdict() | {"kind": "fit", "detector": "x"}
    lines = [
        row | {"params": {"a": 1, "b": 2}, "auroc": 0.1},
        row | {"params": {"a": 2}, "auroc": 0.2},
        row | {"params": {"b": 2, "a": 1}, "auroc": 0.3},
    ]
    path = tmp_path / "results.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"kind"')
    assert list(read_results(path)["auroc"]) == [0.3, 0.2]
    assert list(read_results(path, path)["auroc"]) == [0.3, 0.2]


def test_auroc_matrix(tmp_path):
    fit = Task("images/mnist-3", "one-class", 0, None)._asdict() | {"kind": "fit", "detector": "x"}
    lines = [
        fit | {"auroc_by_class": {"10": 0.5, "2": 1.0}},
        fit | {"auroc_by_class": {"10": 0.7, "2": 1.0}, "seed": 1},
        fit | {"auroc_by_class": {"10": 0.9, "3": 0.8}, "dataset": "images/mnist-2"},
        fit | {"dataset": "sklearn/wine"},
        fit | {"detector": "y"},
    ]
    path = tmp_path / "results.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    matrix = auroc_matrix(read_results(path), "x")
    assert list(matrix) == ["2", "3", "10"]
    assert list(matrix.index.get_level_values(0)) == ["images/mnist-2", "images/mnist-3"]
    np.testing.assert_allclose(matrix.to_numpy(), [[np.nan, 0.8, 0.9], [1.0, np.nan, 0.6]])
    with pytest.raises(
        ValueError, match="results must hold fits of y to tables of several classes"
    ):
        auroc_matrix(read_results(path), "y")


def test_imports_without_what_is_optional():
    code = (
        "import sys\n"
        "sys.modules |= dict.fromkeys(['pandas', 'psutil', 'pyod', 'matplotlib', 'pooch'])\n"
        "import skflow.benchmark\n"
        "for call in (skflow.benchmark.run_benchmark, skflow.benchmark.read_results):\n"
        "    try:\n"
        "        call('nowhere')\n"
        "    except ImportError as error:\n"
        "        print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "run_benchmark needs psutil: pip install skflow-detect[bench]",
        "read_results needs pandas: pip install skflow-detect[bench]",
    ]
