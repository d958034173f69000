"""Data files cannot run code either: pickled objects in them are refused."""

from pathlib import Path

import numpy as np
import pytest

from skflow.datasets import fetch_adbench, fetch_image_set
from skflow.hillas import CameraGeometry


class Trap:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


@pytest.fixture
def trapped(tmp_path):
    """An .npz with all the names that readers look for, each of which is a trap."""
    names = ["X", "y", "images", "labels", "pix_x", "pix_y", "pix_area", "pix_type"]
    names += ["neighbor_indptr", "neighbor_indices", "x_train", "y_train", "data", "target"]
    trap = np.array([Trap(tmp_path / "trace")] * 2, dtype=object)
    path = tmp_path / "Classical" / "1_trapped.npz"
    path.parent.mkdir()
    np.savez(path, **dict.fromkeys(names, trap))
    return path


def test_the_trap_works(trapped):
    with np.load(trapped, allow_pickle=True) as file:
        file["X"]
    assert trapped.parent.with_name("trace").exists()


@pytest.mark.parametrize(
    "read", [CameraGeometry.from_npz, fetch_image_set], ids=["camera", "images"]
)
def test_pickled_objects_are_refused(trapped, read):
    with pytest.raises(ValueError, match="npz"):
        read(trapped)
    assert not trapped.parent.with_name("trace").exists()


def test_pickled_tables_are_refused(trapped, monkeypatch):
    monkeypatch.setenv("SKFLOW_DATA", str(trapped.parent.parent))
    monkeypatch.setattr("skflow.datasets._adbench.FOLDERS", {"Classical": ""})
    with pytest.raises(ValueError, match="npz"):
        fetch_adbench("trapped")
    assert not trapped.parent.with_name("trace").exists()
