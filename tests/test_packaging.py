"""What is released: builds, holds what it must, and works without any extra."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

import skflow

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    run = [sys.executable, "-m"]
    for command in (  # the wheel is built from the source distribution
        [*run, "build", "--outdir", str(folder), str(ROOT)],
        [*run, "twine", "check", "--strict", f"{folder}/*"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_contents(wheel):
    assert wheel.name.startswith("skflow_detect-")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (archive.read(name).decode() for name in names if name.endswith("/METADATA"))
    packaged = {name for name in names if name.startswith("skflow/")}
    sources = {str(path.relative_to(ROOT)) for path in ROOT.glob("skflow/**/*.py")}
    assert packaged == sources | {"skflow/py.typed", "skflow/benchmark/report.html"}
    assert any(name.endswith("LICENSE") for name in names)
    required = [
        line for line in metadata.splitlines() if "Requires-Dist" in line and "extra" not in line
    ]
    assert len(required) == 6, required


def test_imports_in_an_empty_environment(wheel, tmp_path):
    """With the required dependencies only, modules import and the README's example runs."""
    python = tmp_path / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path)], check=True)
    install = [python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", wheel]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    modules = sorted(path.parent.name for path in ROOT.glob("skflow/*/__init__.py"))
    code = "\n".join(
        [
            *(f"import skflow.{name}" for name in modules),
            "import importlib.util, numpy as np",
            "assert not any(map(importlib.util.find_spec, ('pyod', 'matplotlib', 'pandas')))",
            "skflow.show_versions()",
            readme_block("Ten lines"),
        ]
    )
    done = subprocess.run(
        [python, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"skflow: {skflow.__version__}\n")
    best, score = done.stdout.splitlines()[-1].rsplit(maxsplit=1)
    assert "flow__contrast_weight" in best
    assert 0.8 < float(score) <= 1


def readme_block(title):
    """The first block of Python of a part of the README."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.search(rf"^## {title}\n.*?```python\n(.*?)```", text, re.DOTALL | re.MULTILINE)[1]


def test_versions_agree():
    """Of the package, of how it is cited, of the changelog, and of the tools."""
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == skflow.__version__
    assert f"\n## {skflow.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if "==" in line)
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    tools = {hook["repo"].rsplit("/")[-1].removesuffix("-pre-commit"): hook for hook in hooks}
    assert tools["ruff"]["rev"] == f"v{pinned['ruff']}"
    assert tools["codespell"]["rev"] == f"v{pinned['codespell']}"
