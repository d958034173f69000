"""Tables of the benchmark, by name."""

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import fetch_kddcup99, load_breast_cancer, load_digits, load_wine

from .._hints import got_name
from ..datasets import fetch_adbench, fetch_fact_tables, fetch_image_set, fetch_magic
from ..datasets._adbench import adbench_names
from ..datasets._image_sets import SETS, local_image_set

#: Between two tables, of which the second has the anomalies.
AGAINST = " against "
#: A set of images or a file of some, and the classes that are the bulk.
_IMAGES = re.compile(r"images/(?P<images>.+?)(-(?P<bulk>\d+(\+\d+)*))?", re.IGNORECASE)
#: Of all three sets.
N_CLASSES = 10

#: Values, labels and, where there are some, groups.
Rows = tuple[np.ndarray, ...]


class Table(NamedTuple):
    """Rows and labels: +1 for the bulk, -1 for anomalies.

    Rows of one group must stay on one side of a split; None where no rows belong together. Rows
    that are equal need no group: every split keeps them together. ``classes`` are the labels that
    ``y`` was made of, where there are several kinds of anomalies.
    """

    name: str
    X: np.ndarray
    y: np.ndarray
    groups: np.ndarray | None = None
    classes: np.ndarray | None = None


def load_table(name: str) -> Table:
    """Load a table by its full name.

    Parameters
    ----------
    name : str
        One of these, in any case; where a table comes from is said by its loader.

        - ``adbench/NAME`` and ``features/NAME``: `skflow.datasets.fetch_adbench`.
        - ``magic/gamma-bulk``, ``magic/hadron-bulk``, and both with ``-no-extraction``, without
          fAlpha and fDist: `skflow.datasets.fetch_magic`.
        - ``fact/gammas-bulk`` and ``fact/protons-bulk``: diffuse gammas and protons, without the
          columns that tell how they were simulated; `skflow.datasets.fetch_fact_tables`.
        - ``sklearn/breast_cancer`` (malignant tumours are the anomalies), ``sklearn/digits`` (the
          digit 8) and ``sklearn/wine`` (class 2), which come with scikit-learn.
        - ``sklearn/kddcup99-http`` and ``sklearn/kddcup99-smtp`` (attacks), which scikit-learn
          downloads.
        - ``images/mnist-3`` and so on, also of ``notmnist``, ``cifar10`` and a file of one's own
          (``images/PATH.npz-3``): images of one class, or of several (``images/mnist-0+6+8``), are
          the bulk, those of all others the anomalies; pixels in rows, unsigned integers divided by
          the largest that there is (255).
          ``images/notmnist``: all of them, as an auxiliary sample;
          `skflow.datasets.fetch_image_set`.
        - ``A against B``, of two of these: normal rows of A are the bulk, those of B the
          anomalies, as when one set of images is told from another.

    Returns
    -------
    table : Table
        Its name in the case above, X float64, y of +1 and -1, groups, and classes.

    Raises
    ------
    ValueError
        If there is no such table, or two tables have different columns or grouped rows.
    OSError
        If it is neither at hand nor can be downloaded.

    Examples
    --------
    >>> from skflow.benchmark import load_table
    >>> table = load_table("sklearn/wine")
    >>> table.X.shape, int((table.y == -1).sum())
    ((178, 13), 48)
    """
    found = _find(name)
    if AGAINST in found:
        return _pair(found)
    if found.startswith("images/"):
        return _images(found)
    if found in LOADERS:
        return Table(found, *LOADERS[found]())
    return Table(found, *fetch_adbench(found, return_X_y=True))


@contextmanager
def other_values_refused() -> Iterator[None]:
    """A download of other values than those that were measured on: nobody would see a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        yield


def table_names(pattern: str) -> list[str]:
    """Names of the tables that a pattern stands for.

    Parameters
    ----------
    pattern : str
        A pattern such as ``"adbench/*"`` stands for the tables at hand: those under
        ``SKFLOW_DATA``, or all that ADBench has where there are none, and those that need no
        download. A full name stands for itself.

    Returns
    -------
    names : list of str
        Sorted.

    Raises
    ------
    ValueError
        If there is no such table.

    Examples
    --------
    >>> from skflow.benchmark import table_names
    >>> table_names("sklearn/*")
    ['sklearn/breast_cancer', 'sklearn/digits', 'sklearn/wine']
    """
    if not any(character in pattern for character in "*?["):
        return [_find(pattern)]
    at_hand = [name for name in LOADERS if name not in DOWNLOADED]
    for name in filter(local_image_set, SETS):
        at_hand += [f"images/{name}", *(f"images/{name}-{k}" for k in range(N_CLASSES))]
    for folder in ("adbench", "features"):
        there, known = adbench_names(folder)
        at_hand += [f"{folder}/{name}" for name in there or known]
    names = [name for name in at_hand if fnmatchcase(name.lower(), pattern.lower())]
    if not names:
        raise ValueError(f"a pattern must match one of the tables; got {pattern!r}")
    return sorted(names, key=str.lower)


def _pair(name: str) -> Table:
    """Normal rows of two tables; those of the second are the anomalies."""
    bulk, other = (load_table(side) for side in name.split(AGAINST))
    if bulk.groups is not None or other.groups is not None:
        raise ValueError(f"tables must have no groups of rows that belong together; got {name!r}")
    if bulk.X.shape[1] != other.X.shape[1]:
        raise ValueError(
            f"tables must have equally many columns; got {bulk.X.shape[1]} of {bulk.name} and "
            f"{other.X.shape[1]} of {other.name}"
        )
    normal = [side.X[side.y == 1] for side in (bulk, other)]
    return Table(name, np.concatenate(normal), np.repeat([1, -1], [len(X) for X in normal]))


def _find(name: str) -> str:
    """The name as it is written; ValueError with the nearest one where there is none."""
    if name.count(AGAINST) == 1:
        return AGAINST.join(_find(side) for side in name.split(AGAINST))
    if (match := _IMAGES.fullmatch(name)) and (found := _find_images(**match.groupdict())):
        return found
    known = {written.lower(): written for written in LOADERS}
    known |= {f"images/{written}": f"images/{written}" for written in SETS}
    for folder in ("adbench", "features"):
        names = [written for part in adbench_names(folder) for written in part]
        known |= {f"{folder}/{written}".lower(): f"{folder}/{written}" for written in names}
    if name.lower() not in known:
        raise ValueError(
            "a table must be one of those that load_table lists; " + got_name(name, known.values())
        )
    return known[name.lower()]


def _find_images(images: str, bulk: str | None) -> str | None:
    """The name of a table of images, with each class once; None if there is no such set."""
    is_file = images.lower().endswith(".npz")
    if not is_file and images.lower() not in SETS:
        return None
    if is_file and not Path(images).is_file():
        raise ValueError(f"a table images/PATH.npz must be a file; there is none at {images}")
    written = f"images/{images if is_file else images.lower()}"
    if bulk is None:
        return written
    classes = sorted({int(k) for k in bulk.split("+")})
    if not is_file and classes[-1] >= N_CLASSES:
        raise ValueError(f"classes of {written} must be from 0 to {N_CLASSES - 1}; got {bulk}")
    return f"{written}-{'+'.join(map(str, classes))}"


def _magic(**options: Any) -> Rows:
    return fetch_magic(**options, return_X_y=True)


def _fact(bulk: str) -> Rows:
    fact = fetch_fact_tables(bulk=bulk)
    return fact.data, fact.target, fact.groups


def _sklearn(load: Callable[..., Any], anomaly: int) -> Rows:
    X, label = load(return_X_y=True)
    return np.asarray(X, dtype=np.float64), np.where(label == anomaly, -1, 1)


def _kddcup99(subset: str) -> Rows:
    try:
        X, label = fetch_kddcup99(subset=subset, return_X_y=True)
    except OSError as error:
        raise OSError(
            f"kddcup99-{subset} must be in scikit-learn's cache or be downloaded by it; got "
            f"neither ({error})"
        ) from error
    return np.asarray(X, dtype=np.float64), np.where(label == b"normal.", 1, -1)


def _images(name: str) -> Table:
    match = _IMAGES.fullmatch(name)
    assert match is not None  # _find has made it
    images, classes = fetch_image_set(match["images"], return_X_y=True)
    X = images.reshape(len(images), -1).astype(np.float64)
    if images.dtype.kind == "u":
        X /= np.iinfo(images.dtype).max
    there = np.unique(classes)
    bulk = there if match["bulk"] is None else [int(k) for k in match["bulk"].split("+")]
    if not set(bulk) <= set(there):
        raise ValueError(f"classes of {match['images']} must be among {there}; got {match['bulk']}")
    return Table(name, X, np.where(np.isin(classes, bulk), 1, -1), classes=classes)


LOADERS: dict[str, Callable[[], Rows]] = {
    "magic/gamma-bulk": partial(_magic, bulk="gamma"),
    "magic/gamma-bulk-no-extraction": partial(_magic, bulk="gamma", extraction_features=False),
    "magic/hadron-bulk": partial(_magic, bulk="hadron"),
    "magic/hadron-bulk-no-extraction": partial(_magic, bulk="hadron", extraction_features=False),
    "fact/gammas-bulk": partial(_fact, "gamma"),
    "fact/protons-bulk": partial(_fact, "proton"),
    "sklearn/breast_cancer": partial(_sklearn, load_breast_cancer, anomaly=0),
    "sklearn/digits": partial(_sklearn, load_digits, anomaly=8),
    "sklearn/wine": partial(_sklearn, load_wine, anomaly=2),
    "sklearn/kddcup99-http": partial(_kddcup99, "http"),
    "sklearn/kddcup99-smtp": partial(_kddcup99, "smtp"),
}
DOWNLOADED = ("sklearn/kddcup99-http", "sklearn/kddcup99-smtp")


def equal_rows(X: np.ndarray) -> np.ndarray:
    """A number for each row; rows that are equal in all features share it."""
    return np.unique(X, axis=0, return_inverse=True)[1].ravel()
