"""Model files: a line with a digest, a line that describes the model, and the model by skops."""

import hashlib
import importlib.metadata
import io
import json
import os
import platform
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._files import write_whole

#: First words of every file. The number grows when a later skflow writes what this cannot read.
MAGIC = b"skflow model 1 sha256 "
#: The first line: these words, 64 hexadecimal digits and its end.
N_FIRST = len(MAGIC) + 64 + 1
#: Packages whose versions a file tells.
PACKAGES = ("scikit-learn", "torch", "numpy", "scipy", "skops")
#: Fitted attributes that are shown as the threshold, the first that there is.
THRESHOLDS = ("threshold_", "best_threshold_", "offset_")


def save(model: Any, path: str | os.PathLike[str], *, X: Any = None) -> None:
    """Write a fitted estimator or pipeline to a file that is safe to read.

    The file holds no code: it is made by skops, which names types and writes their arrays. It has
    a digest of its content, and the versions of the packages that wrote it. It is written whole or
    not at all, in place of one that was there.

    Parameters
    ----------
    model : estimator
        Any fitted estimator of skflow or scikit-learn, or a pipeline of such; its threshold and
        its calibration are part of it.
    path : path-like
        Where to write.
    X : array-like of shape (n_samples, n_features), default=None
        The training rows. Their fingerprint lets `info` tell later what the model was fitted to.

    Raises
    ------
    ImportError
        If skops is not installed.
    TypeError
        If the model holds something that such a file cannot, such as a torch module or a lambda.
    sklearn.exceptions.NotFittedError
        If the model is not fitted.
    OSError
        If the file cannot be written.

    See Also
    --------
    load : Read the file.
    info : What a file holds.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import skflow
    >>> X = np.random.RandomState(0).normal(size=(200, 2))
    >>> detector = skflow.MahalanobisDetector().fit(X)
    >>> path = Path(tempfile.mkdtemp()) / "detector.skflow"
    >>> skflow.save(detector, path, X=X)
    >>> skflow.load(path).predict([[0.0, 0.0], [9.0, -9.0]])
    array([ 1, -1])
    >>> skflow.io.info(path)["training_rows"]
    200
    """
    skops = needed_skops()
    check_is_fitted(model)
    try:
        content = skops.dumps(model)
        _model(content, None)  # skops writes lambdas as well, and cannot find them again
    except Exception as error:  # of any type: what cannot be written is not ours
        raise TypeError(
            f"{type(model).__name__} cannot be written to a model file, which must hold arrays, "
            f"numbers, strings and estimators alone: {error}"
        ) from error
    header = json.dumps(_description(model, X)).encode() + b"\n"
    digest = hashlib.sha256(header + content).hexdigest()
    write_whole(Path(path), b"%s%s\n%s%s" % (MAGIC, digest.encode(), header, content))


def load(path: str | os.PathLike[str], *, trusted: Iterable[str] = ()) -> Any:
    """Read a model file, without running any code of it.

    Parameters
    ----------
    path : path-like
        A file by `save`.
    trusted : iterable of str, default=()
        Full names of types that may be in the file, beside those of skflow and those of
        scikit-learn that skflow can check. To name a type is to trust all that it does: ask
        whoever wrote the file.

    Returns
    -------
    model : estimator
        The model as it was saved. A model that was trained on a GPU computes on the CPU where
        there is no GPU.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImportError
        If skops is not installed.
    ValueError
        If the file is not a model file, was changed or cut short since it was written, comes
        from a later format, or holds a type that is not trusted.

    Warns
    -----
    UserWarning
        If other versions of the packages wrote the file.

    See Also
    --------
    save : Write a model file.
    """
    needed_skops()
    header, content = _read(path)
    names = _checked_names(trusted)
    try:
        model = _model(content, names)
    except _NotTrustedError as error:
        raise ValueError(
            f"{_name(path)} holds types that are not trusted: {', '.join(error.names)}. If you "
            f"know who wrote the file, and trust these types, pass trusted={error.names!r}"
        ) from None
    except Exception as error:  # of any type: the content may be anyone's
        raise ValueError(
            f"{_name(path)} does not hold a model that can be read: {error}"
        ) from error
    _warn_of_versions(path, header["versions"])
    return model


def info(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Tell what a model file holds, without reading the model.

    Parameters
    ----------
    path : path-like
        A file by `save`.

    Returns
    -------
    description : dict
        ``model`` (its repr), ``type``, ``versions`` (of the packages that wrote it),
        ``n_features``, ``feature_names``, ``threshold`` (of the last step), ``training_rows`` and
        ``training_sha256`` (None unless `save` was given the rows), ``bytes`` of the file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not a model file, or was changed or cut short.
    """
    header, _ = _read(path)
    return {**header, "bytes": os.path.getsize(path)}


def fingerprint(X: Any) -> str:
    """SHA-256 of the values of rows, the same for a frame and its array.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows.

    Returns
    -------
    digest : str
        Hexadecimal digits; of numbers as float64, of other columns as text.
    """
    values = np.asarray(X)
    try:
        data = np.ascontiguousarray(values, dtype="<f8").tobytes()
    except (TypeError, ValueError):  # not numbers
        data = json.dumps(values.tolist(), default=str).encode()
    return hashlib.sha256(repr(values.shape).encode() + data).hexdigest()


class _NotTrustedError(Exception):
    """A file names types that nobody trusts."""

    def __init__(self, names: list[str]):
        self.names = names


def _model(content: bytes, trusted: set[str] | None) -> Any:
    """The model of a skops file; None trusts all types, where we wrote the file ourselves."""
    from ._checked import checked
    from ._trust import check_size, refused_types

    archive = ZipFile(io.BytesIO(content))
    check_size(archive, len(content))
    untrusted = needed_skops().get_untrusted_types(data=content)
    refused = [] if trusted is None else refused_types(archive, set(untrusted), trusted)
    if refused:
        raise _NotTrustedError(refused)
    return checked(needed_skops().loads(content, trusted=untrusted))


def _description(model: Any, X: Any) -> dict[str, Any]:
    last = model[-1] if hasattr(model, "steps") else model
    found = [getattr(last, name) for name in THRESHOLDS if hasattr(last, name)]
    n_features = getattr(model, "n_features_in_", None)
    names = getattr(model, "feature_names_in_", None)
    return {
        "model": " ".join(repr(model).split()),
        "type": f"{type(model).__module__}.{type(model).__qualname__}",
        "versions": {"python": platform.python_version()} | _versions(),
        "n_features": None if n_features is None else int(n_features),
        "feature_names": None if names is None else [str(name) for name in names],
        "threshold": float(found[0]) if found and np.ndim(found[0]) == 0 else None,
        "training_rows": None if X is None else len(X),
        "training_sha256": None if X is None else fingerprint(X),
    }


def _versions() -> dict[str, str]:
    from .. import __version__

    return {"skflow": __version__} | {
        package: importlib.metadata.version(package) for package in PACKAGES
    }


def _warn_of_versions(path: Any, written: dict[str, str]) -> None:
    now = _versions()
    others = [
        f"{package} {written.get(package)} (here {version})"
        for package, version in now.items()
        if written.get(package) != version
    ]
    if others:
        warnings.warn(
            f"{_name(path)} was written by other versions, and its scores may differ: "
            + ", ".join(others),
            UserWarning,
            stacklevel=3,
        )


def _read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], bytes]:
    """Header and content of a file whose digest is right."""
    data = Path(path).read_bytes()
    first, rest = data[:N_FIRST], data[N_FIRST:]
    if not first.startswith(MAGIC):
        later = first.startswith(MAGIC[:13])
        raise ValueError(
            f"{_name(path)} must be a model file by skflow.save; got "
            + ("one of a later format: a newer skflow reads it" if later else "another file")
        )
    if first[len(MAGIC) :] != hashlib.sha256(rest).hexdigest().encode() + b"\n":
        raise ValueError(f"{_name(path)} was changed or cut short since it was written")
    header, _, content = rest.partition(b"\n")
    try:
        description = json.loads(header)
    except (ValueError, RecursionError):
        description = None
    if not isinstance(description, dict) or not isinstance(description.get("versions"), dict):
        raise ValueError(f"{_name(path)} does not describe its model in its second line")
    return description, content


def _checked_names(trusted: Iterable[str]) -> set[str]:
    names = set() if isinstance(trusted, str) else set(trusted)
    if isinstance(trusted, str) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"trusted must be a list of names of types; got {trusted!r}")
    return names


def _name(path: str | os.PathLike[str]) -> str:
    return repr(os.fspath(path))


def needed_skops() -> Any:
    try:
        import skops.io
    except ImportError as error:
        raise ImportError("model files need skops: pip install skflow-detect[io]") from error
    return skops.io
