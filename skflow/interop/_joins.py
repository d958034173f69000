"""Rows of ctapipe's tables brought together by the ids of event and telescope."""

from collections.abc import Sequence
from typing import Any

import numpy as np

EVENT = ("obs_id", "event_id")
KEYS = (*EVENT, "tel_id")


def number_rows(columns: Sequence[np.ndarray]) -> np.ndarray:
    """Number the distinct rows of columns from 0, in their order; NaN equals NaN."""
    number = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        values, place = np.unique(column, return_inverse=True)
        _, number = np.unique(number * len(values) + place, return_inverse=True)
    return number


def match(keys: Sequence[np.ndarray], among: Sequence[np.ndarray], label: str) -> np.ndarray:
    """Row of `among` that has the same keys, -1 where there is none."""
    n_among = len(among[0])
    both = zip(among, keys, strict=True)
    number = number_rows([np.r_[there, here].astype(np.int64) for there, here in both])
    place = np.full(len(number) + 1, -1)
    place[number[:n_among]] = np.arange(n_among)
    if (place[number[:n_among]] != np.arange(n_among)).any():
        what = ("observation", "event", "event and telescope")[len(keys) - 1]
        raise ValueError(f"{label} must have one row for each {what}; got several for some")
    return place[number[n_among:]]


def joined(
    ids: dict[str, np.ndarray], table: dict[str, np.ndarray], keys: Sequence[str], label: str
) -> dict[str, np.ndarray]:
    """Columns of a table beside the rows of `ids`."""
    if not table:
        return {}
    row = match([ids[key] for key in keys], [table[key] for key in keys], label)
    return {
        name: _fill(column[row], row < 0) if len(column) else _missing(len(row), column)
        for name, column in table.items()
        if name not in KEYS
    }


def _fill(column: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """Set rows to NaN, or False in a mask."""
    if lost.any():
        dtype = np.result_type(column, np.float32) if column.dtype.kind in "iu" else column.dtype
        column = column.astype(dtype)
        column[lost] = False if dtype.kind == "b" else np.nan
    return column


def _missing(n_rows: int, like: np.ndarray) -> np.ndarray:
    """Rows of which nothing is known, in the shape of a column's rows."""
    return _fill(np.zeros((n_rows, *like.shape[1:]), like.dtype), np.ones(n_rows, dtype=bool))


def stack(
    parts: list[dict[str, np.ndarray]], telescopes: list[dict[str, Any]]
) -> dict[str, np.ndarray]:
    """Put the telescopes' columns one below the other."""
    lengths = [len(telescope["ids"]["tel_id"]) for telescope in telescopes]
    examples = {name: column for part in parts for name, column in part.items()}
    return {
        name: np.concatenate(
            [
                part[name] if name in part else _missing(length, like)
                for part, length in zip(parts, lengths, strict=True)
            ]
        )
        for name, like in examples.items()
    }
