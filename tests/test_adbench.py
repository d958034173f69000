"""ADBench tables: read from the data folder, else downloaded, checked and cached."""

import builtins
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from skflow.benchmark import load_table
from skflow.datasets import _adbench, fetch_adbench
from skflow.datasets._adbench_tables import DIGESTS


def write_table(path, n, d, n_anomalies, **arrays):
    """A table of the given size with its anomalies first, and its values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    X = np.random.RandomState(0).normal(size=(n, d)).astype(np.float32)
    np.savez(path, **{"X": X, "y": np.arange(n) < n_anomalies} | arrays)
    return X


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A folder that 127.0.0.1 serves in place of the repository; its requests are kept."""
    folder, asked = tmp_path / "repository", []
    folder.mkdir()

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            asked.append(self.path)

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setattr(_adbench, "BASE_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.delenv("SKFLOW_DATA", raising=False)
    yield folder, asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_list():
    tables = list(_adbench.KNOWN.values())
    assert len(tables) == 47 + 61
    assert [table.stem for table in tables[:2]] == ["1_ALOI", "2_annthyroid"]
    assert _adbench.KNOWN["mvtec-ad_metal_nut"].folder == "features"
    assert set(DIGESTS) <= {table.name for table in tables}


def test_tables_at_hand_are_those_of_the_list(data_folder):
    for folder in ("adbench", "features"):
        for path in data_folder.joinpath(folder).glob("*.npz"):
            known = _adbench.KNOWN.get(_adbench._short(path.stem).lower())
            if known is None or path.stat().st_size > 1e6:
                continue
            X, y = _adbench._read(path)
            sizes = zip(known[3:], (*X.shape, y.sum()), strict=True)
            assert all(size in (None, got) for size, got in sizes), path
            assert DIGESTS[known.name] == _adbench.content_digest(X, y)


@pytest.mark.parametrize("name", ["glass", "GLASS", "14_glass", "14_Glass.npz"])
def test_names(data_folder, name):
    glass = fetch_adbench(name)
    assert glass.data.shape == (214, 7)
    assert glass.data.dtype == np.float64
    assert ((glass.target == -1).sum(), (glass.target == 1).sum()) == (9, 205)
    assert glass.name == "glass"
    assert glass.source.endswith("14_glass.npz")


def test_any_table_in_the_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SKFLOW_DATA", str(tmp_path))
    X = write_table(tmp_path / "features" / "99_my.own.npz", 30, 4, 3)
    data, target = fetch_adbench("my.own", return_X_y=True)
    np.testing.assert_array_equal(data, X)
    np.testing.assert_array_equal(target, np.repeat([-1, 1], [3, 27]))
    assert _adbench.adbench_names("features")[0] == ["my.own"]


def test_a_name_in_both_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("SKFLOW_DATA", str(tmp_path))
    for folder, n in (("adbench", 30), ("features", 40)):
        write_table(tmp_path / folder / "mine.npz", n, 4, 3)
        assert len(fetch_adbench(f"{folder}/mine").data) == n
        assert len(load_table(f"{folder}/mine").X) == n
    write_table(tmp_path / "features" / "mnist.npz", 40, 4, 3)
    assert len(fetch_adbench("mnist").data) == 40
    for name in ("mine", "features/glass", "elsewhere/mine"):
        with pytest.raises(ValueError, match=f"name must be .*; got '{name}'"):
            fetch_adbench(name)
    monkeypatch.setattr(_adbench, "BASE_URL", "http://127.0.0.1:1")
    with pytest.raises(OSError, match=r"mnist must be at adbench/24_mnist\.npz"):
        fetch_adbench("adbench/mnist", data_home=tmp_path / "cache")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"y": np.arange(30)}, r"y \(n,\) of 0 and 1.*labels \[0 1 2 3 4\]"),
        ({"y": np.zeros(29)}, r"got shapes \(30, 4\) and \(29,\)"),
        ({"X": np.full((30, 4), np.nan)}, "and 120 values that are not finite"),
        ({"X": np.array([["a", None]])}, "Object arrays cannot be loaded"),
    ],
)
def test_what_is_no_table(tmp_path, monkeypatch, arrays, message):
    monkeypatch.setenv("SKFLOW_DATA", str(tmp_path))
    write_table(tmp_path / "adbench" / "odd.npz", 30, 4, 3, **arrays)
    with pytest.raises(ValueError, match=message):
        fetch_adbench("odd")


def test_no_such_name(monkeypatch):
    monkeypatch.delenv("SKFLOW_DATA", raising=False)
    with pytest.raises(ValueError, match="got 'wein'; did you mean 'wine'"):
        fetch_adbench("wein")
    with pytest.raises(ValueError, match="got '15_glass'; did you mean 'glass'"):
        fetch_adbench("15_glass")


def test_download(server, tmp_path):
    folder, asked = server
    X = write_table(folder / "Classical" / "12_fault.npz", 1941, 27, 673)
    cache = tmp_path / "cache"
    for _ in range(2):
        fault = fetch_adbench("fault", data_home=cache)
        np.testing.assert_array_equal(fault.data, X)
        assert (fault.target == -1).sum() == 673
        assert fault.source == str(cache / "adbench" / "12_fault.npz")
    assert asked == ["/Classical/12_fault.npz"]


def test_a_download_of_unknown_size(server, tmp_path):
    write_table(server[0] / "CV_by_ResNet18" / "SVHN_3.npz", 40, 512, 2)
    X, y = fetch_adbench("svhn_3", data_home=tmp_path, return_X_y=True)
    assert X.shape == (40, 512)
    assert (y == -1).sum() == 2


def test_a_download_of_another_size_is_refused_and_not_kept(server, tmp_path):
    folder, asked = server
    write_table(folder / "Classical" / "14_glass.npz", 214, 7, 8)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"is not glass.* must be 214, 7, 9; got 214, 7, 8"):
            fetch_adbench("glass", data_home=tmp_path / "cache")
    assert len(asked) == 2


def test_a_download_with_other_values_warns(server, tmp_path):
    write_table(server[0] / "Classical" / "14_glass.npz", 214, 7, 9)
    with pytest.warns(UserWarning, match="has the size of glass but other values"):
        fetch_adbench("glass", data_home=tmp_path / "cache")


def test_offline(server, tmp_path):
    with pytest.raises(OSError, match=r"adbench/9_census.npz under .*got neither \(404"):
        fetch_adbench("census", data_home=tmp_path / "cache")
    assert not list(tmp_path.joinpath("cache").rglob("*.npz"))


def test_without_pooch(monkeypatch, tmp_path):
    real = builtins.__import__

    def no_pooch(name, *args, **options):
        if name == "pooch":
            raise ImportError("No module named 'pooch'")
        return real(name, *args, **options)

    monkeypatch.delenv("SKFLOW_DATA", raising=False)
    monkeypatch.setattr(builtins, "__import__", no_pooch)
    with pytest.raises(ImportError, match=r"needs pooch: pip install skflow-detect\[io\]"):
        fetch_adbench("census", data_home=tmp_path)
