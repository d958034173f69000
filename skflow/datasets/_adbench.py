"""The ADBench tables: labelled tables from many fields, and image features."""

import hashlib
import os
import re
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import Bunch

from .._hints import got_name
from ..hillas._pixels import read_npz
from ._adbench_tables import CLASSICAL, DIGESTS, FEATURES, N_FEATURES

#: The commit that moved all tables to where they are.
BASE_URL = (
    "https://raw.githubusercontent.com/Minqi824/ADBench/"
    "f7fed68dea6901fe9a81ed51b251b1d2456790cd/adbench/datasets"
)
#: Folders of tables: under SKFLOW_DATA, and in the repository.
FOLDERS = {"adbench": "Classical", "features": "CV_by_ResNet18"}


class Known(NamedTuple):
    """A table of the repository; None where the size is not known."""

    folder: str
    name: str
    stem: str
    n_rows: int | None
    n_features: int
    n_anomalies: int | None


def _known_tables() -> dict[str, Known]:
    tables = []
    for line in CLASSICAL.split("\n")[1:-1]:
        number, name, *size = line.split(" ")
        n_rows, n_features, n_anomalies = map(int, size)
        stem = f"{number}_{name}"
        tables.append(Known("adbench", name, stem, n_rows, n_features, n_anomalies))
    for name, counts in FEATURES.items():
        rows, anomalies = counts or (None, None)
        tables.append(Known("features", name, name, rows, N_FEATURES, anomalies))
    return {table.name.lower(): table for table in tables}


KNOWN = _known_tables()


def fetch_adbench(
    name: str,
    *,
    data_home: str | os.PathLike[str] | None = None,
    return_X_y: bool = False,
) -> Any:
    """Fetch a table of ADBench [1]_: 47 classical tables, 61 of image features.

    Read from ``adbench/`` or ``features/`` under the folder named by the environment variable
    ``SKFLOW_DATA`` where there is such a file (any ``.npz`` of X and y there can be read, also one
    that is not on ADBench's list), else downloaded from ADBench's repository on GitHub, at a fixed
    commit, and cached.

    Parameters
    ----------
    name : str
        Name as in ADBench's files, in any case, with or without their number: "glass" or
        "14_glass", "magic.gamma"; "CIFAR10_0", "MNIST-C_fog", "MVTec-AD_bottle". A folder may
        stand before it, "adbench/glass" or "features/CIFAR10_0": it is then looked for only there.
    data_home : path-like or None, default=None
        Cache folder of the download; by default the user's cache folder for skflow.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of the Bunch.

    Returns
    -------
    table : sklearn.utils.Bunch
        ``data`` (n, d) float64; ``target`` (n,) of +1 and -1, -1 for anomalies; ``name``, without
        number; ``source``, the file that was read; ``DESCR``.

    Raises
    ------
    OSError
        If the table is neither there nor can be downloaded.
    ValueError
        If `name` is neither there nor on ADBench's list, or two files have it; if the file is not
        a table of finite numbers with labels 0 and 1, or a download has not the size that ADBench
        publishes.
    ImportError
        If a download needs pooch, which is not installed.

    Warns
    -----
    UserWarning
        If the values of a download are not those that skflow's own figures were measured on.

    Notes
    -----
    A download is checked as follows: the commit is fixed; the number of features, and of rows and
    anomalies, must be as in ADBench's list (of SVHN and MVTec-AD it has only the features); for 36
    tables the values are compared, by their SHA-256, with those that skflow's own figures were
    measured on. A file that is there already is only checked to be a table.

    References
    ----------
    .. [1] Han et al., "ADBench: Anomaly Detection Benchmark", NeurIPS 2022, arXiv:2206.09426.

    Examples
    --------
    >>> from skflow.datasets import fetch_adbench
    >>> glass = fetch_adbench("glass")  # doctest: +SKIP
    >>> glass.data.shape, int((glass.target == -1).sum())  # doctest: +SKIP
    ((214, 7), 9)
    """
    folder, _, key = name.lower().removesuffix(".npz").rpartition("/")
    paths = [path for path in _files() if folder in ("", path.parent.name) and _is(path.stem, key)]
    if len(paths) > 1:
        both = " and ".join(map(str, paths))
        raise ValueError(f"name must be that of one table; got {name!r}, which {both} have")
    if paths:
        path = paths[0]
        X, y = _read(path)
    else:
        known = KNOWN.get(_short(key))
        if known is None or not _is(known.stem, key) or folder not in ("", known.folder):
            names = {_short(path.stem) for path in _files()} | {k.name for k in KNOWN.values()}
            raise ValueError(f"name must be that of an ADBench table; {got_name(name, names)}")
        path = _download(known, data_home)
        X, y = _checked(path, known)
    target = np.where(y == 1, -1, 1)
    if return_X_y:
        return X, target
    return Bunch(data=X, target=target, name=_short(path.stem), source=str(path), DESCR=DESCR)


def adbench_names(folder: str) -> tuple[list[str], list[str]]:
    """Names of a folder's tables, sorted: those under SKFLOW_DATA, and all on ADBench's list."""
    there = {_short(path.stem) for path in _files() if path.parent.name == folder}
    known = [table.name for table in KNOWN.values() if table.folder == folder]
    return sorted(there, key=str.lower), sorted(known, key=str.lower)


def _files() -> list[Path]:
    """The tables under SKFLOW_DATA."""
    root = os.environ.get("SKFLOW_DATA")
    if not root:
        return []
    return [path for folder in FOLDERS for path in sorted(Path(root, folder).glob("*.npz"))]


def _short(stem: str) -> str:
    """Leave out the number of ADBench's file names."""
    return re.sub(r"^\d+_", "", stem)


def _is(stem: str, key: str) -> bool:
    """Whether a file's name is what was asked for, but for the number that one of them lacks."""
    stem = stem.lower()
    return key in (stem, _short(stem)) or stem == _short(key)


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read values (float64) and labels (0 and 1), and check that they are a table."""
    found = read_npz(path, "an .npz of X and y", ("X", "y"))
    if len(found) < 2:
        raise ValueError(f"{path} must hold X and y; got {', '.join(found) or 'neither'}")
    X, y = np.asarray(found["X"], dtype=np.float64), found["y"].ravel()
    if X.ndim != 2 or len(X) != len(y) or not np.isin(y, (0, 1)).all() or not np.isfinite(X).all():
        raise ValueError(
            f"{path} must hold X (n, d) of finite numbers and y (n,) of 0 and 1; got shapes "
            f"{X.shape} and {found['y'].shape}, labels {np.unique(y)[:5]} and "
            f"{int((~np.isfinite(X)).sum())} values that are not finite"
        )
    return X, y.astype(np.int64)


def _download(known: Known, data_home: Any) -> Path:
    """Download a table, or find it in the cache."""
    try:
        import pooch
    except ImportError as error:
        raise ImportError(
            f"to download {known.name}, fetch_adbench needs pooch: pip install skflow-detect[io]"
        ) from error
    folder = pooch.os_cache("skflow") if data_home is None else Path(data_home)
    path = Path(folder, known.folder, f"{known.stem}.npz")
    if path.is_file():
        return path
    url = f"{BASE_URL}/{FOLDERS[known.folder]}/{path.name}"
    try:
        pooch.retrieve(url, known_hash=None, fname=path.name, path=path.parent)
    except OSError as error:
        raise OSError(
            f"{known.name} must be at {known.folder}/{path.name} under the folder that SKFLOW_DATA "
            f"names, or {url} be reachable; got neither ({error})"
        ) from error
    return path


def _checked(path: Path, known: Known) -> tuple[np.ndarray, np.ndarray]:
    """Read a download and check that it is the table that was asked for."""
    try:
        X, y = _read(path)
        got = (len(X), X.shape[1], int(y.sum()))
        expected = (known.n_rows, known.n_features, known.n_anomalies)
        if any(size not in (None, value) for size, value in zip(expected, got, strict=True)):
            sizes = ["any" if size is None else str(size) for size in expected]
            raise ValueError(
                f"{path} is not {known.name}: rows, features and anomalies must be "
                f"{', '.join(sizes)}; got {', '.join(map(str, got))}"
            )
    except ValueError:
        path.unlink()  # so that the next call downloads it again
        raise
    if DIGESTS.get(known.name, content_digest(X, y)) != content_digest(X, y):
        warnings.warn(
            f"{path} has the size of {known.name} but other values than the table that skflow's "
            "own figures were measured on: they cannot be compared",
            UserWarning,
            stacklevel=3,
        )
    return X, y


def content_digest(X: np.ndarray, y: np.ndarray) -> str:
    """SHA-256 of the values and labels, however a file packs them."""
    digest = hashlib.sha256(np.ascontiguousarray(X, dtype="<f8").tobytes())
    digest.update(np.ascontiguousarray(y, dtype="<i8").tobytes())
    return digest.hexdigest()


DESCR = """ADBench table

One of the 57 data sets of ADBench (Han et al., NeurIPS 2022), github.com/Minqi824/ADBench,
BSD-2-Clause: 47 classical tables of other collections (ODDS, DAMI, ...), and images as 512
features each by a ResNet18 that was trained on ImageNet. Anomalies are a class of the original
data, so they are not always rare, nor always improbable. Small tables repeat rows: split by groups
of equal rows.
"""
