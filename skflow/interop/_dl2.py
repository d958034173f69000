"""write_scores: anomaly scores as DL2 tables that ctapipe joins to its events."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import check_array

from .._hdf5 import get_table, read_table, reading, replacing, write_table
from ._dl1 import LAYOUT
from ._joins import EVENT, KEYS, match, number_rows

TEL_TRIGGER = "dl1/event/telescope/trigger"
ARRAY_TRIGGER = "dl1/event/subarray/trigger"
TEL_GROUP = "dl2/event/telescope/classification"
ARRAY_GROUP = "dl2/event/subarray/classification"
TEXTS = {
    "obs_id": "observation block",
    "event_id": "array event",
    "tel_id": "telescope",
    "score": "anomaly score, higher means more anomalous",
    "prediction": "share of the reference scores below this one, near 1 for rare events",
    "is_valid": "whether there is a score",
    "goodness_of_fit": "not used",
    "telescopes": "telescopes with a valid score",
}


def write_scores(
    path: str | os.PathLike[str],
    scores: Any,
    *,
    obs_id: Any,
    event_id: Any,
    tel_id: Any,
    name: str = "skflow",
    reference_scores: Any = None,
    combine: str = "mean",
    weights: Any = None,
    overwrite: bool = False,
) -> None:
    """Write anomaly scores as DL2 tables, which ctapipe's ``TableLoader`` joins to its events.

    The file is written whole or not at all: tables go to a copy in the same folder, which takes
    the file's place when it is complete.

    Parameters
    ----------
    path : path-like
        A DL1 file of ctapipe, to which the tables are added, or a new file.
    scores : array-like of shape (n_rows,)
        Anomaly scores, one for each image: higher means more anomalous, as ``anomaly_score``
        gives them (``score_samples`` the other way round). NaN where there is none.
    obs_id, event_id, tel_id : array-like of shape (n_rows,) or int
        Whose scores they are, as `read_dl1` returns them.
    name : str, default="skflow"
        Name of the tables and the prefix of their columns.
    reference_scores : array-like of shape (n_reference,) or dict, default=None
        Scores of bulk events, best of ones held out of training. A dict gives each `tel_id` its
        own, for detectors whose scores have no common scale. By default `scores` themselves:
        predictions then are ranks within this file.
    combine : {"mean", "max"}, default="mean"
        How the scores, and the predictions, of an event's telescopes become one: over those with
        a valid score, their mean or the largest.
    weights : array-like of shape (n_rows,), default=None
        Weights in the mean, such as the intensities; equal by default.
    overwrite : bool, default=False
        Whether to replace tables of that name.

    Raises
    ------
    ImportError
        If h5py is not installed, or hdf5plugin for a file whose compression h5py lacks.
    FileNotFoundError
        If the folder does not exist.
    ValueError
        If arrays differ in length, ids are not integers, a row appears twice or is not among the
        file's triggers, the file has tables of that name or is no HDF5 file, or a parameter is
        not valid.

    See Also
    --------
    read_dl1 : Read the images and the ids.

    Notes
    -----
    Tables are ``/dl2/event/telescope/classification/<name>/tel_XXX``, with the columns
    ``<name>_tel_score``, ``<name>_tel_prediction`` and ``<name>_tel_is_valid``, and
    ``/dl2/event/subarray/classification/<name>``, with ``<name>_score``, ``<name>_prediction``,
    ``<name>_is_valid``, ``<name>_goodness_of_fit`` (NaN) and, where the file has a layout,
    ``<name>_telescopes``, a mask in its order.

    A prediction is the share of reference scores that are strictly lower, a number in [0, 1] that
    grows with the score. In ctapipe's convention 1 means signal: here, rare. It is not a
    probability, and the mean over telescopes is not a rank.

    In a DL1 file every triggered event gets a row, because ctapipe joins tables row by row: those
    without a score have NaN and ``is_valid`` False.

    References
    ----------
    .. [1] ctapipe documentation, "Data Models", DL2.

    Examples
    --------
    >>> import h5py, tempfile
    >>> from skflow.interop import write_scores
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_scores(
    ...         folder + "/scores.h5", [3.0, 1.0, 2.0], obs_id=7, event_id=[100, 100, 101],
    ...         tel_id=[1, 2, 1], reference_scores=[0.0, 1.5, 2.5, 4.0],
    ...     )
    ...     with h5py.File(folder + "/scores.h5") as file:
    ...         table = file["dl2/event/subarray/classification/skflow"][:]
    >>> table["event_id"].tolist(), table["skflow_prediction"].tolist()
    ([100, 101], [0.5, 0.5])
    """
    if not str(name).isidentifier():
        raise ValueError(f"name must be a valid Python name; got {name!r}")
    if combine not in ("mean", "max"):
        raise ValueError(f"combine must be 'mean' or 'max'; got {combine!r}")
    if weights is not None and combine == "max":
        raise ValueError("weights must be None with combine='max', which has no use for them")
    rows = _check_rows(scores, obs_id, event_id, tel_id, weights)
    rows["prediction"] = _predict(rows["score"], rows["tel_id"], reference_scores)
    path = Path(path).resolve()
    if not path.parent.is_dir():
        raise FileNotFoundError(f"path must be in a folder that exists; got {path}")
    _, first = np.unique(number_rows([rows[key] for key in EVENT]), return_index=True)
    array_ids = {key: rows[key][first] for key in EVENT}
    layout = None
    if path.exists():
        with reading(path, "an HDF5 file") as file:
            found = [part for part in (TEL_GROUP, ARRAY_GROUP) if f"{part}/{name}" in file]
            if found and not overwrite:
                raise ValueError(
                    f"{path} must have no tables named {name!r}; it has them in {found[0]}: give "
                    "another name, or overwrite=True"
                )
            if (trigger := get_table(file, TEL_TRIGGER)) is not None:
                rows = _align(rows, read_table(trigger, KEYS), path)
            if (trigger := get_table(file, ARRAY_TRIGGER)) is not None:
                array_ids = read_table(trigger, EVENT)
            if (table := get_table(file, LAYOUT)) is not None:
                layout = read_table(table, ("tel_id",))["tel_id"]
    array = _combine(rows, array_ids, combine, layout)
    with replacing(path) as file:
        for group in (TEL_GROUP, ARRAY_GROUP):
            if f"{group}/{name}" in file:
                del file[f"{group}/{name}"]
        rows["is_valid"] = ~np.isnan(rows["prediction"])
        for telescope in np.unique(rows["tel_id"]):
            mine = rows["tel_id"] == telescope
            part = {key: rows[key][mine] for key in (*KEYS, "score", "prediction", "is_valid")}
            _write(file, f"{TEL_GROUP}/{name}/tel_{telescope:03d}", f"{name}_tel", part)
        _write(file, f"{ARRAY_GROUP}/{name}", name, array)


def _check_rows(
    scores: Any, obs_id: Any, event_id: Any, tel_id: Any, weights: Any
) -> dict[str, np.ndarray]:
    """Scores, ids and weights as columns of one length."""
    score = _check_floats(scores, "scores")
    weight = np.ones(score.shape) if weights is None else _check_floats(weights, "weights")
    rows = {"score": score, "weight": weight}
    for key, values in zip(KEYS, (obs_id, event_id, tel_id), strict=True):
        ids = np.asarray(values)
        if ids.dtype.kind not in "iu":
            raise ValueError(f"{key} must be integers; got {ids.dtype}")
        rows[key] = ids.astype(np.int64)
    for label, values in rows.items():
        if values.shape not in ((), score.shape) or score.ndim != 1:
            raise ValueError(
                "scores, ids and weights must be one-dimensional and of one length; got scores of "
                f"shape {score.shape} and {label} of {values.shape}"
            )
    if not (np.isfinite(weight).all() and (weight >= 0).all()):
        raise ValueError("weights must be finite and not negative")
    rows = {key: np.broadcast_to(values, score.shape) for key, values in rows.items()}
    match([rows[key] for key in KEYS], [rows[key] for key in KEYS], "scores")
    return rows


def _check_floats(values: Any, label: str) -> np.ndarray:
    """Numbers, of which some may be missing."""
    return check_array(
        values, ensure_2d=False, dtype=np.float64, ensure_all_finite=False, input_name=label
    )


def _predict(score: np.ndarray, tel_id: np.ndarray, reference: Any) -> np.ndarray:
    """Share of the reference scores below each score."""
    prediction = np.full(len(score), np.nan)
    if not isinstance(reference, Mapping):
        whole = slice(None)
        parts = [(whole, score if reference is None else reference)]
    else:
        lacking = sorted(set(tel_id.tolist()) - set(reference))
        if lacking:
            raise ValueError(
                "reference_scores must have scores of every telescope; it has none of "
                f"{', '.join(map(str, lacking))}"
            )
        parts = [(tel_id == key, values) for key, values in reference.items()]
    for part, values in parts:
        values = np.asarray(values, dtype=np.float64).ravel()
        values = np.sort(values[~np.isnan(values)])
        valid = ~np.isnan(score[part])
        if valid.any() and not len(values):
            raise ValueError("reference_scores must hold at least one number; got none")
        share = np.searchsorted(values, score[part]) / max(len(values), 1)
        prediction[part] = np.where(valid, share, np.nan)
    return prediction


def _align(
    rows: dict[str, np.ndarray], triggers: dict[str, np.ndarray], path: Path
) -> dict[str, np.ndarray]:
    """One row for each trigger of the file, in its order, NaN where there is no score."""
    keys, there = ([each[key] for key in KEYS] for each in (rows, triggers))
    lost = match(keys, there, TEL_TRIGGER) < 0
    if lost.any():
        first = ", ".join(f"{key} {rows[key][lost.argmax()]}" for key in KEYS)
        raise ValueError(
            f"every row must be one of the triggers in {path}; {lost.sum()} of {len(lost)} are "
            f"not, the first of them {first}"
        )
    row = match(there, keys, "scores")
    aligned = dict(triggers)
    for column in ("score", "weight", "prediction"):
        values = np.append(rows[column], np.nan)
        aligned[column] = values[row]
    return aligned


def _combine(
    rows: dict[str, np.ndarray], array_ids: dict[str, np.ndarray], combine: str, layout: Any
) -> dict[str, np.ndarray]:
    """Make one row of each array event's telescopes."""
    n_events = len(array_ids["event_id"])
    events, there = ([each[key] for key in EVENT] for each in (rows, array_ids))
    event = match(events, there, ARRAY_TRIGGER)
    used = ~np.isnan(rows["prediction"]) & (rows["weight"] > 0) & (event >= 0)
    event, weight, tel_id = event[used], rows["weight"][used], rows["tel_id"][used]
    valid = np.bincount(event, minlength=n_events) > 0
    array = dict(array_ids)
    for column in ("score", "prediction"):
        values = rows[column][used]
        if combine == "max":
            result = np.full(n_events, -np.inf)
            np.maximum.at(result, event, values)
        else:
            total = np.bincount(event, weight, n_events)
            result = np.bincount(event, weight * values, n_events) / np.where(valid, total, 1.0)
        array[column] = np.where(valid, result, np.nan)
    array["is_valid"] = valid
    array["goodness_of_fit"] = np.full(n_events, np.nan)
    if layout is not None:
        if not np.isin(tel_id, layout).all():
            raise ValueError(
                "tel_id must be telescopes of the file's layout; got "
                f"{', '.join(map(str, np.setdiff1d(tel_id, layout)))}"
            )
        array["telescopes"] = np.zeros((n_events, len(layout)), dtype=bool)
        order = np.argsort(layout)
        array["telescopes"][event, order[np.searchsorted(layout, tel_id, sorter=order)]] = True
    return array


def _write(file: Any, path: str, prefix: str, columns: dict[str, np.ndarray]) -> None:
    """Write one table, its columns but the ids prefixed."""
    names = {key: key if key in KEYS else f"{prefix}_{key}" for key in columns}
    write_table(
        file,
        path,
        {names[key]: values for key, values in columns.items()},
        {names[key]: (key, TEXTS[key]) for key in columns},
        title=f"anomaly scores {prefix}",
    )
