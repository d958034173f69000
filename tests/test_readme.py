"""The README's example runs as it stands, and so do those of the guides."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from sklearn.utils.estimator_checks import check_estimator

ROOT = Path(__file__).resolve().parent.parent


def run_blocks(path):
    """Run the Python blocks of a page, each going on from those before."""
    blocks = re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 1
    page = ModuleType(f"page_{path.stem}")
    sys.modules[page.__name__] = page  # where pickle looks for classes
    for block in blocks:
        exec(compile(block, str(path), "exec"), vars(page))
    return vars(page)


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    """Where the examples write their files."""
    monkeypatch.chdir(tmp_path)


def test_python_example_runs():
    assert run_blocks(ROOT / "README.md")["search"].best_score_ > 0.8


def test_page_on_images(capsys):
    scope = run_blocks(ROOT / "docs" / "photos.md")
    assert float(capsys.readouterr().out) > 0.8
    assert scope["detector"].score_samples(scope["bulk"]).shape == (300,)


def test_page_on_more_rows_than_memory():
    assert run_blocks(ROOT / "docs" / "large.md")["scores"].shape == (5000,)


def test_page_on_files(capsys):
    run_blocks(ROOT / "docs" / "files.md")
    printed = capsys.readouterr().out.splitlines()
    assert printed[:2] == ["True", "True"]
    assert "sklearn.svm._classes.OneClassSVM" in printed[2]


def test_page_on_the_design(capsys):
    scope = run_blocks(ROOT / "docs" / "design.md")
    assert capsys.readouterr().out == "[ 1 -1]\n" * 3
    check_estimator(scope["DeepSVDDDetector"](max_iter=5))
    assert len(scope["flow"].score_samples(scope["trial"].X_test)) == len(scope["trial"].y_test)


def test_pages_for_beginners(capsys):
    run_blocks(ROOT / "docs" / "start.md")
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == printed[-1] == "[ 1 -1]"
    assert printed.count("True") == 2
    run_blocks(ROOT / "docs" / "pyod.md")
    assert capsys.readouterr().out == "[ 1 -1]\n[0 1]\n"
