"""Versions and hardware of a run."""

import hashlib
import json
import os
import platform
from typing import Any

from .. import __version__
from .._environment import REQUIRED, cpu_name, gpu_name, installed_versions

#: Packages whose version may change a figure, where installed.
PACKAGES = (*REQUIRED, "pandas", "pyod", "deepod", "lightgbm", "xgboost")


def describe_environment(jobs: int) -> dict[str, Any]:
    """The environment line of a results file; its id is a hash of all else.

    `jobs` fits run at a time, which changes how long they take.
    """
    import psutil

    line: dict[str, Any] = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": cpu_name(),
        "n_cpus": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "gpu": gpu_name(),
        "packages": installed_versions(PACKAGES),
        "skflow": __version__,
        "jobs": jobs,
    }
    digest = hashlib.sha256(json.dumps(line, sort_keys=True).encode()).hexdigest()
    return {"kind": "environment", "id": digest[:12], **line}
