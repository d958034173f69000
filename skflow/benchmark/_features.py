"""Features of a benchmark's rows, from a transformer that is fitted to another table."""

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
from sklearn.utils import check_array

from ._detectors import imported
from ._limits import describe
from ._tables import load_table, other_values_refused, table_names

#: Between what makes the transformer and the table that it is fitted to.
FITTED_TO = " fitted to "


def check_features(value: Any, key: str) -> str:
    """The text with the table's name as it is written, once both parts are found to be right."""
    use, fitted_to, table = value.partition(FITTED_TO) if isinstance(value, str) else ("", "", "")
    if not fitted_to or not use.partition(":")[2]:
        raise ValueError(f'{key} must be "package.module:Class{FITTED_TO}TABLE"; got {value!r}')
    try:
        names = table_names(table)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from error
    if len(names) > 1:
        raise ValueError(f"{key} must name one table; got {table}, which stands for {len(names)}")
    return use + fitted_to + names[0]


def make_transformer(features: str) -> Any:
    """The transformer, unfitted; ValueError if it cannot be made."""
    try:
        return imported(features.partition(FITTED_TO)[0])()
    except Exception as error:
        raise ValueError(f"features {features!r} cannot be made: {describe(error)}") from None


@lru_cache(maxsize=1)
def fitted_features(features: str) -> "Features":
    """The transformer, which a worker fits once, to the normal rows of the other table."""
    transformer = make_transformer(features)
    with other_values_refused():
        other = load_table(features.partition(FITTED_TO)[2])
    return Features(transformer, other.X[other.y == 1])


class Features:
    """A fitted transformer that computes the features of a row only once.

    Splits of a table share most of their rows, and an auxiliary sample is the same for all.
    """

    def __init__(self, transformer: Any, X: np.ndarray):
        self.transformer = transformer.fit(X)
        self._fitted_to = set(_digests(X))
        self._known: dict[bytes, np.ndarray] = {}

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Features (n, k) of rows (n, d)."""
        keys = list(_digests(X))
        new = {key: i for i, key in enumerate(keys) if key not in self._known}
        if new:
            features = check_array(self.transformer.transform(X[[*new.values()]]))
            self._known.update(zip(new, features, strict=True))
        return np.stack([self._known[key] for key in keys])

    def check_unseen(self, X: np.ndarray) -> None:
        """Refuse test rows that the transformer was fitted to."""
        if n_seen := sum(key in self._fitted_to for key in _digests(X)):
            raise ValueError(f"features must not be fitted to test rows; got {n_seen} such rows")


def _digests(X: np.ndarray) -> Iterable[bytes]:
    return (hashlib.sha256(row.tobytes()).digest() for row in X)
