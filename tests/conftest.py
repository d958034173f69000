"""Fixtures: small data with a known answer, and one thread for torch."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture
def bulk() -> np.ndarray:
    """400 rows of a curved density in features of very different units."""
    rng = np.random.RandomState(0)
    a, b = rng.normal(size=(2, 400))
    return np.column_stack([1e6 + 1e3 * a, 1e-3 * (a**2 + 0.3 * b), rng.gamma(2.0, size=400)])


@pytest.fixture
def labelled(bulk: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The bulk and 60 anomalies, labelled +1 and -1, in random order."""
    rng = np.random.RandomState(1)
    rare = bulk[rng.choice(len(bulk), 60)] + [3e3, 0, 0]
    X, y = np.vstack([bulk, rare]), np.repeat([1, -1], [len(bulk), 60])
    order = rng.permutation(len(X))
    return X[order], y[order]


@pytest.fixture
def data_folder() -> Path:
    """The folder of real data; skips where there is none."""
    folder = os.environ.get("SKFLOW_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("needs real data: SKFLOW_DATA names no folder")
    return Path(folder)
