"""Labelled sets of images: MNIST, notMNIST, CIFAR-10, and a user's own files."""

import os
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import fetch_openml
from sklearn.utils import Bunch

from ..hillas._pixels import read_npz

#: Files under SKFLOW_DATA, the data set of OpenML, and the shape of an image.
SETS: dict[str, tuple[tuple[str, ...], int | None, tuple[int, ...]]] = {
    "mnist": (("mnist.npz", "mnist_t10k.npz"), 554, (28, 28)),
    "notmnist": (("notmnist.npz", "notmnist_t10k.npz"), None, (28, 28)),
    "cifar10": (("cifar10.npz",), 40927, (32, 32, 3)),
}


def fetch_image_set(
    name: str,
    *,
    data_home: str | os.PathLike[str] | None = None,
    return_X_y: bool = False,
) -> Any:
    """Fetch a labelled set of images.

    Read from ``images/`` under the folder named by the environment variable ``SKFLOW_DATA``, where
    the set is there, else downloaded from OpenML (but for notMNIST) and cached.

    Parameters
    ----------
    name : {"mnist", "notmnist", "cifar10"} or path
        The set: digits, letters A to J in many fonts, or photos of ten kinds; or an ``.npz`` file
        of one's own, with ``X`` (n, h, w) or (n, h, w, c) and ``y`` (n,).
    data_home : path-like or None, default=None
        Cache folder of the download; scikit-learn's by default.
    return_X_y : bool, default=False
        Return ``(images, target)`` instead of the Bunch.

    Returns
    -------
    images : sklearn.utils.Bunch
        ``images`` (n, h, w) or (n, h, w, c), of the dtype in the file (uint8 for the three sets);
        ``target`` (n,) of labels, int64; ``source``, where they came from.

    Raises
    ------
    OSError
        If the set is neither there nor can be downloaded.
    ValueError
        If the name is none of these, or the file does not hold images and a label for each.

    References
    ----------
    LeCun et al., "Gradient-based learning applied to document recognition", Proc. IEEE 86, 1998;
    Bulatov, "notMNIST dataset", 2011; Krizhevsky, "Learning multiple layers of features from tiny
    images", 2009.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from skflow.datasets import fetch_image_set
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     own = Path(folder, "own.npz")
    ...     np.savez(own, X=np.zeros((5, 8, 8)), y=np.arange(5))
    ...     images, labels = fetch_image_set(own, return_X_y=True)
    >>> images.shape, labels.tolist()
    ((5, 8, 8), [0, 1, 2, 3, 4])
    """
    if Path(name).suffix.lower() == ".npz":
        images, target = _read(Path(name))
        source = str(name)
    elif str(name).lower() in SETS:
        images, target, source = _known(str(name).lower(), data_home)
    else:
        raise ValueError(f"name must be one of {', '.join(SETS)}, or an .npz file; got {name!r}")
    if return_X_y:
        return images, target
    return Bunch(images=images, target=target, source=source)


def local_image_set(name: str) -> Path | None:
    """The file of a set in the folder that SKFLOW_DATA names, if it is there."""
    folder = os.environ.get("SKFLOW_DATA")
    paths = [Path(folder or "", "images", file) for file in SETS[name][0]]
    return next((path for path in paths if folder and path.is_file()), None)


def _known(name: str, data_home: Any) -> tuple[np.ndarray, np.ndarray, str]:
    files, number, shape = SETS[name]
    path = local_image_set(name)
    if path is not None:
        return *_read(path), str(path)
    wanted = f"SKFLOW_DATA must name a folder with images/{files[0]}"
    if number is None:
        raise FileNotFoundError(f"{name} cannot be downloaded: {wanted}")
    try:
        bunch = fetch_openml(
            data_id=number, data_home=data_home, as_frame=False, parser="liac-arff"
        )
    except (OSError, ValueError, HTTPException) as error:
        raise OSError(f"{wanted}, or OpenML give {name}; got {error}") from error
    rows = np.asarray(bunch.data).astype(np.uint8)
    # OpenML has the colours of CIFAR-10 one after another.
    images = rows.reshape(-1, *shape[2:], *shape[:2])
    if len(shape) > 2:
        images = np.moveaxis(images, 1, -1)
    return images, np.asarray(bunch.target).astype(np.int64), f"OpenML, data set {number}"


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    found = read_npz(path, "an .npz of images X and labels y")
    if not {"X", "y"} <= set(found):
        raise ValueError(f"{path} must hold X and y; got {sorted(found)}")
    images, target = found["X"], found["y"]
    if images.ndim not in (3, 4) or target.shape != images.shape[:1]:
        raise ValueError(
            f"{path} must hold images X (n, h, w) or (n, h, w, c) and labels y (n,); got shapes "
            f"{images.shape} and {target.shape}"
        )
    return images, target.astype(np.int64)
