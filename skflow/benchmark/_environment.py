"""Versions and hardware of a run."""

import hashlib
import importlib.metadata
import json
import os
import platform
from pathlib import Path
from typing import Any

import torch

from .. import __version__

#: Packages whose version may change a figure, where installed.
PACKAGES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "torch",
    "numba",
    "joblib",
    "pandas",
    "pyod",
    "deepod",
    "lightgbm",
    "xgboost",
)


def describe_environment(jobs: int) -> dict[str, Any]:
    """The environment line of a results file; its id is a hash of all else.

    `jobs` fits run at a time, which changes how long they take.
    """
    import psutil

    line: dict[str, Any] = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _cpu(),
        "n_cpus": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "packages": _versions(),
        "skflow": __version__,
        "jobs": jobs,
    }
    digest = hashlib.sha256(json.dumps(line, sort_keys=True).encode()).hexdigest()
    return {"kind": "environment", "id": digest[:12], **line}


def _versions() -> dict[str, str]:
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
