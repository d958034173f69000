"""The page of error messages is what its script prints."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PINNED = f"scikit-learn=={importlib.metadata.version('scikit-learn')}\n"


@pytest.mark.skipif(
    PINNED not in (ROOT / "constraints.txt").read_text(encoding="utf-8"),
    reason="the page has the messages of the pinned scikit-learn",
)
def test_page_is_what_the_script_prints(tmp_path):
    script = ROOT / "benchmarks" / "error_messages.py"
    command = [sys.executable, script, "--output", tmp_path / "errors.md"]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "0"})
    printed = (tmp_path / "errors.md").read_text(encoding="utf-8")
    assert printed == (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
