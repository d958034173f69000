"""Labelled sets of images: local files, OpenML, tables of the benchmark."""

import os

import numpy as np
import pytest
from sklearn.utils import Bunch

from skflow.benchmark import load_table, make_trial, table_names
from skflow.benchmark._config import Detector
from skflow.benchmark._fit import Limits, Task, run_fit
from skflow.datasets import fetch_image_set


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A data folder with tiny sets."""
    rng = np.random.RandomState(0)
    (tmp_path / "images").mkdir()
    for name in ("mnist_t10k", "notmnist"):
        X = rng.randint(256, size=(60, 28, 28)).astype(np.uint8)
        np.savez(tmp_path / "images" / f"{name}.npz", X=X, y=np.arange(60) % 10)
    monkeypatch.setenv("SKFLOW_DATA", str(tmp_path))
    return tmp_path


def test_local_files(folder):
    mnist = fetch_image_set("MNIST")
    assert mnist.images.shape == (60, 28, 28)
    assert mnist.images.dtype == np.uint8
    assert mnist.target.dtype == np.int64
    assert mnist.source.endswith("mnist_t10k.npz")


def test_tables(folder):
    assert table_names("images/mnist-*") == [f"images/mnist-{k}" for k in range(10)]
    assert "images/cifar10-0" not in table_names("*")  # needs a download
    table = load_table("images/mnist-3")
    assert table.X.shape == (60, 784)
    assert table.X.max() <= 1.0
    np.testing.assert_array_equal(table.y == 1, np.arange(60) % 10 == 3)
    trial = make_trial(table, "auxiliary:images/notmnist", seed=0)
    assert trial.n_auxiliary == 60
    assert trial.X_train.shape == (63, 784)
    assert (trial.y_test == -1).sum() == 54


def test_several_classes_and_files_of_ones_own(folder):
    table = load_table("Images/MNIST-0+6+8")
    assert table.name == "images/mnist-0+6+8"
    np.testing.assert_array_equal(table.y == 1, np.isin(np.arange(60) % 10, [0, 6, 8]))
    np.testing.assert_array_equal(table.classes, np.arange(60) % 10)
    trial = make_trial(table, "one-class", seed=0, max_rows=40)
    assert len(trial.test_classes) == len(trial.X_test)
    np.testing.assert_array_equal(np.isin(trial.test_classes, [0, 6, 8]), trial.y_test == 1)
    assert (load_table("images/notmnist").y == 1).all()
    pair = load_table("images/mnist against images/notmnist-5+6")
    assert (pair.y == -1).sum() == 12

    assert load_table("images/mnist-8+00+0").name == "images/mnist-0+8"
    own = folder / "Mine-2.NPZ"
    with own.open("wb") as file:
        np.savez(file, X=np.full((4, 2, 2), -3.0), y=[0, 1, 1, 2])
    table = load_table(f"images/{own}-1")
    assert table.name == f"images/{own}-1"
    assert (table.X == -3).all()  # two files of one's own keep one scale
    assert table.y.tolist() == [-1, 1, 1, -1]
    with pytest.raises(ValueError, match=r"classes of .*Mine-2.NPZ must be among \[0 1 2\]; got 3"):
        load_table(f"images/{own}-3")
    for wrong, message in (
        ("images/mnist-1+10", "classes of images/mnist must be from 0 to 9; got 1.10"),
        ("images/nowhere.npz-1", "must be a file; there is none at nowhere.npz"),
    ):
        with pytest.raises(ValueError, match=message):
            table_names(wrong)
    with pytest.raises(ValueError, match="'images/imagenet-3'"):
        load_table("images/imagenet-3")


def test_pixels_reach_detectors_as_they_are(folder):
    """Not standardised, unlike the columns of tables and unlike features."""
    detector = Detector("x", "misbehaving:Keeper", {"path": str(folder / "seen.npy")})
    features = "misbehaving:Halves fitted to images/notmnist"
    for given, n_columns, is_scaled in ((None, 784, False), (features, 392, True)):
        task = Task("images/mnist-3", "one-class", 0, None, given)
        row = run_fit(task, detector, Limits(60.0, 2000.0), os.getppid())
        assert row["error"] is None
        assert set(row["auroc_by_class"]) == set("012456789")
        seen = np.load(folder / "seen.npy")
        assert seen.shape[1] == n_columns
        assert (abs(seen.mean(axis=0)).max() < 1e-9) == is_scaled
        assert (seen.min() >= 0) != is_scaled


def test_openml(monkeypatch):
    """Colours of CIFAR-10 come one after another, and labels as text."""
    rows = np.arange(2 * 3072) % 256
    asked = {}

    def fetch(**kwargs):
        asked.update(kwargs)
        return Bunch(data=rows.reshape(2, 3072).astype(float), target=np.array(["3", "9"]))

    monkeypatch.delenv("SKFLOW_DATA", raising=False)
    monkeypatch.setattr("skflow.datasets._image_sets.fetch_openml", fetch)
    images, labels = fetch_image_set("cifar10", data_home="here", return_X_y=True)
    assert (asked["data_id"], asked["data_home"]) == (40927, "here")
    assert images.shape == (2, 32, 32, 3)
    assert images[0, 0, 1].tolist() == [1, (1024 + 1) % 256, (2048 + 1) % 256]
    assert labels.tolist() == [3, 9]


def test_what_is_not_there(monkeypatch, tmp_path):
    def fetch(**kwargs):
        raise OSError("no network")

    monkeypatch.delenv("SKFLOW_DATA", raising=False)
    monkeypatch.setattr("skflow.datasets._image_sets.fetch_openml", fetch)
    with pytest.raises(OSError, match="or OpenML give mnist; got no network"):
        fetch_image_set("mnist")
    with pytest.raises(OSError, match="notmnist cannot be downloaded: SKFLOW_DATA must name"):
        fetch_image_set("notmnist")
    with pytest.raises(ValueError, match=r"name must be one of mnist, notmnist, cifar10, or an"):
        fetch_image_set("imagenet")
    np.savez(tmp_path / "flat.npz", X=np.zeros((3, 4)), y=np.zeros(3))
    with pytest.raises(ValueError, match=r"must hold images X .* got shapes \(3, 4\)"):
        fetch_image_set(tmp_path / "flat.npz")
    np.savez(tmp_path / "none.npz", images=np.zeros((3, 4)))
    with pytest.raises(ValueError, match=r"must hold X and y; got \['images'\]"):
        fetch_image_set(tmp_path / "none.npz")
