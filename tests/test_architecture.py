"""The import arrows of the package: nothing imports upward."""

import ast
from pathlib import Path

import pytest

import skflow

ROOT = Path(skflow.__file__).parent
#: Each folder and what it may import; a folder that appears must be added here.
ARROWS = {
    "flows": set(),
    "objectives": set(),
    "training": {"_files", "_threads"},
    "detectors": {
        "flows",
        "objectives",
        "training",
        "_devices",
        "_rows",
        "_sklearn",
        "_threads",
        "_version",
    },
    "hillas": {"_sklearn"},
    "images": {
        "detectors",
        "flows",
        "objectives",
        "training",
        "hillas",
        "_devices",
        "_files",
        "_sklearn",
        "_threads",
    },
    "datasets": {"hillas", "_hints"},
    "inspection": {"detectors", "hillas", "metrics", "_sklearn"},
    "metrics": set(),
    "calibration": {"detectors", "metrics", "_sklearn"},
    "io": {
        "skflow",
        "calibration",
        "detectors",
        "hillas",
        "images",
        "interop",
        "_files",
        "_rows",
        "_sklearn",
    },
    "interop": {
        "skflow",
        "detectors",
        "training",
        "datasets",
        "hillas",
        "_files",
        "_hdf5",
        "_sklearn",
        "_threads",
    },
    "cli": {"benchmark", "detectors", "inspection", "io", "_files", "_hints", "_rows", "skflow"},
    "benchmark": {
        "skflow",
        "detectors",
        "images",
        "datasets",
        "interop",
        "metrics",
        "_environment",
        "_files",
        "_hints",
    },
}
FOLDERS = sorted(path.parent.name for path in ROOT.glob("*/__init__.py"))


def imported(path: Path) -> set[str]:
    """Top-level parts of skflow that a file imports."""
    parts = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = ["skflow", *path.parent.relative_to(ROOT).parts]
            base = package[: len(package) - node.level + 1] if node.level else []
            names = [".".join([*base, *(node.module or "").split(".")])]
        else:
            continue
        for name in names:
            first, *rest = name.strip(".").split(".")
            if first == "skflow":
                parts.add(rest[0] if rest else "skflow")
    return parts


@pytest.mark.parametrize("folder", FOLDERS)
def test_arrows(folder):
    for path in ROOT.joinpath(folder).rglob("*.py"):
        assert imported(path) <= ARROWS[folder] | {folder}, path


def test_private_scikit_learn_names_have_one_home():
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sklearn"):
                names = [node.module, *(alias.name for alias in node.names)]
                private = any(part.startswith("_") for name in names for part in name.split("."))
                assert not private or path.name == "_sklearn.py", (path, names)


def test_walk_finds_imports():
    """The walk above is not blind."""
    assert imported(ROOT / "detectors" / "_torch.py") >= {"training", "_sklearn"}
    parts = {"detectors", "training", "_sklearn", "_threads"}
    assert imported(ROOT / "interop" / "_pyod.py") == parts
