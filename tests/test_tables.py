"""Tables of the benchmark: all names load, patterns stand for what is at hand."""

import numpy as np
import pytest

from skflow.benchmark import _tables, load_table, table_names


def check(table, shape, n_anomalies):
    assert table.X.shape == shape
    assert table.X.dtype == np.float64
    assert np.isfinite(table.X).all()
    assert (table.y == -1).sum() == n_anomalies
    assert (table.y == 1).sum() == len(table.y) - n_anomalies


@pytest.mark.parametrize(
    ("name", "shape", "n_anomalies"),
    [
        ("sklearn/breast_cancer", (569, 30), 212),
        ("sklearn/digits", (1797, 64), 174),
        ("sklearn/wine", (178, 13), 48),
    ],
)
def test_sklearn(name, shape, n_anomalies):
    table = load_table(name)
    assert table.name == name
    assert table.groups is None
    check(table, shape, n_anomalies)


@pytest.mark.parametrize(
    ("name", "shape", "n_anomalies"),
    [
        ("adbench/Hepatitis", (80, 19), 13),
        ("features/MVTec-AD_bottle", (292, 512), 63),
        ("magic/gamma-bulk", (19_020, 10), 6_688),
        ("magic/hadron-bulk-no-extraction", (19_020, 8), 12_332),
        ("fact/gammas-bulk", (2000, 36), 1000),
        ("fact/protons-bulk", (2000, 36), 1000),
    ],
)
def test_real_tables(data_folder, name, shape, n_anomalies):
    table = load_table(name.lower())
    assert table.name == name
    check(table, shape, n_anomalies)
    assert (table.groups is None) != name.startswith("fact")


def test_one_table_against_another(monkeypatch):
    assert table_names("SKLEARN/wine against sklearn/Digits") == [
        "sklearn/wine against sklearn/digits"
    ]
    with pytest.raises(ValueError, match=r"equally many columns; got 13 of .*wine and 64 of"):
        load_table("sklearn/wine against sklearn/digits")
    with pytest.raises(ValueError, match=r"a table must be one of.*did you mean 'sklearn/wine'"):
        load_table("sklearn/wine against sklearn/wime")
    wine = load_table("sklearn/wine")
    other = wine.X + 1, wine.y, None
    monkeypatch.setitem(_tables.LOADERS, "sklearn/digits", lambda: other)
    table = load_table("sklearn/WINE against sklearn/digits")
    assert table.name == "sklearn/wine against sklearn/digits"
    check(table, (260, 13), 130)
    normal = wine.X[wine.y == 1]
    np.testing.assert_array_equal(table.X, np.concatenate([normal, normal + 1]))
    grouped = wine.X, wine.y, np.arange(178)
    monkeypatch.setitem(_tables.LOADERS, "sklearn/digits", lambda: grouped)
    with pytest.raises(ValueError, match="must have no groups of rows"):
        load_table("sklearn/wine against sklearn/digits")


def test_kddcup99(monkeypatch):
    def fetch(subset, return_X_y):
        assert subset == "smtp"
        return np.array([[1, 2.5], [3, 4]], dtype=object), np.array([b"normal.", b"satan."])

    monkeypatch.setattr(_tables, "fetch_kddcup99", fetch)
    check(load_table("sklearn/kddcup99-smtp"), (2, 2), 1)

    def offline(**options):
        raise OSError("no route to host")

    monkeypatch.setattr(_tables, "fetch_kddcup99", offline)
    with pytest.raises(OSError, match=r"kddcup99-http must be in .*got neither .no route to host"):
        load_table("sklearn/kddcup99-http")


def test_patterns_without_a_folder(monkeypatch):
    monkeypatch.delenv("SKFLOW_DATA", raising=False)
    assert len(table_names("adbench/*")) == 47
    assert len(table_names("features/*")) == 61
    assert table_names("features/cifar10_[0-2]") == [f"features/CIFAR10_{k}" for k in range(3)]
    assert table_names("*/wine") == ["adbench/wine", "sklearn/wine"]
    assert len(table_names("*")) == 47 + 61 + 4 + 2 + 3
    assert table_names("adbench/pima") == ["adbench/Pima"]
    assert table_names("sklearn/kddcup99-http") == ["sklearn/kddcup99-http"]


def test_patterns_with_a_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("SKFLOW_DATA", str(tmp_path))
    tmp_path.joinpath("adbench").mkdir()
    for name in ("14_glass.npz", "1_Mine.npz", "7_other.txt"):
        tmp_path.joinpath("adbench", name).touch()
    assert table_names("adbench/*") == ["adbench/glass", "adbench/Mine"]
    assert len(table_names("features/*")) == 61
    assert table_names("adbench/census") == ["adbench/census"]


@pytest.mark.parametrize("function", [load_table, table_names])
def test_no_such_table(function):
    with pytest.raises(ValueError, match="got 'adbench/glas'; did you mean 'adbench/glass'"):
        function("adbench/glas")
    with pytest.raises(ValueError, match=r"a pattern must match .* got 'x/\*'"):
        table_names("x/*")
