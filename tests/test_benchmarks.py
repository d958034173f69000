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
