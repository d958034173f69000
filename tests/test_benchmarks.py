"""Long: the benchmark scripts run as their first lines say."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_main_job(tmp_path):
    command = [sys.executable, ROOT / "benchmarks" / "magic.py", "--output", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("roc-*.png"))) == len(list(tmp_path.glob("scores-*.png"))) == 4
    report = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert report in done.stdout
    rows = (tmp_path / "results.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1 + 2 * 14 + 2 * 16
    assert "error" not in rows[0]


@pytest.mark.slow
def test_estimator_checks():
    command = [sys.executable, ROOT / "benchmarks" / "estimator_checks.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "all: " in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "options", "n_rows"),
    [
        ("flows.py", ["--repeats", "1", "--threads", "1"], 30),
        ("ensembles.py", ["--seeds", "1"], 8),
        ("parallel.py", ["--repeats", "1"], 5),
        ("densities.py", ["--seeds", "1"], 144),
    ],
)
def test_studies_of_flows(script, options, n_rows, tmp_path):
    command = [sys.executable, ROOT / "benchmarks" / script, *options, "--output", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results.md").stat().st_size > 300
    assert len((tmp_path / "results.csv").read_text(encoding="utf-8").splitlines()) == 1 + n_rows


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "options", "said"),
    [
        ("negatives.py", ["--seeds", "1", "--tables", "adbench/vowels"], "mended"),
        ("conformal.py", ["--splits", "2", "--tables", "adbench/vowels"], "False alarms"),
        ("gamma_ray.py", ["--observations", "3"], "How significant"),
    ],
)
def test_studies_of_tables(script, options, said, tmp_path):
    command = [sys.executable, ROOT / "benchmarks" / script, *options, "--output", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert said in (tmp_path / "results.md").read_text(encoding="utf-8")
