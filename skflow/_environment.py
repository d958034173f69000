"""Versions of packages and hardware, for results files and reports of bugs."""

import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterable
from pathlib import Path

import torch

from ._version import __version__

#: What skflow needs, and what it uses where it is installed.
REQUIRED = ("numpy", "scipy", "scikit-learn", "torch", "numba", "joblib")
OPTIONAL = (
    "pandas",
    "polars",
    "pyarrow",
    "h5py",
    "skops",
    "safetensors",
    "pooch",
    "matplotlib",
    "pyod",
    "ctapipe",
    "dask",
    "distributed",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "rich",
)


def installed_versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions of those packages that are installed."""
    versions = {}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def cpu_name() -> str:
    """The processor as its maker calls it, where the system tells."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def gpu_name() -> str | None:
    """The GPU that ``device="auto"`` takes, if there is one."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def show_versions() -> None:
    """Print versions and hardware, for a report of a bug.

    Prints skflow's version, Python's, system, processor, GPU and threads, and the versions of
    required and optional packages.

    Examples
    --------
    >>> import skflow
    >>> skflow.show_versions()  # doctest: +ELLIPSIS
    skflow: 0.1.0...
    <BLANKLINE>
    python: 3...
    """
    system = {
        "python": " ".join(sys.version.split()),
        "executable": sys.executable,
        "platform": platform.platform(),
        "processor": f"{cpu_name()}, {os.cpu_count()} cores",
        "GPU": gpu_name() or "none",
        "threads": f"{torch.get_num_threads()} of torch",
    }
    versions = installed_versions(REQUIRED), installed_versions(OPTIONAL)
    for part in ({"skflow": __version__}, system, *versions):
        for name, value in part.items():
            print(f"{name}: {value}")
        print()
