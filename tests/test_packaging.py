"""The wheel: builds, holds what it must, and imports without any extra."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)]
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
    """Installed with its required dependencies only, every public module imports and works."""
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
            "X = np.random.RandomState(0).normal(size=(50, 2))",
            "print(skflow.RealNVPOutlierDetector(max_iter=2).fit(X).predict(X).shape)",
        ]
    )
    done = subprocess.run(
        [python, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.stdout.strip() == "(50,)", done.stderr
