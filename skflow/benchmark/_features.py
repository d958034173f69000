"""Features of a benchmark's rows, from a transformer that is fitted to another table."""

import hashlib
from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np

from ._tables import load_table, table_names

#: Between what makes the transformer and the table that it is fitted to.
FITTED_TO = " fitted to "


def check_features(value: Any, key: str) -> str:
    """The text with the table's name as it is written, once both parts are found to be right."""
    use, fitted_to, table = value.partition(FITTED_TO) if isinstance(value, str) else ("", "", "")
    if not fitted_to or not use.partition(":")[2]:
        raise ValueError(f'{key} must be "package.module:Class{FITTED_TO}TABLE"; got {value!r}')
    try:
        [name] = table_names(table)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from error
    return use + fitted_to + name


@lru_cache(maxsize=1)
def fitted_features(features: str) -> "Features":
    """The transformer, which a worker fits once, to the normal rows of the other table."""
    use, _, table = features.partition(FITTED_TO)
    module, _, name = use.partition(":")
    transformer = getattr(import_module(module), name)()
    other = load_table(table)
    return Features(transformer.fit(other.X[other.y == 1]))


class Features:
    """A fitted transformer that computes the features of a row only once.

    Splits of a table share most of their rows, and an auxiliary sample is the same for all.
    """

    def __init__(self, transformer: Any):
        self.transformer = transformer
        self._known: dict[bytes, np.ndarray] = {}

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Features (n, k) of rows (n, d)."""
        keys = [hashlib.sha256(row.tobytes()).digest() for row in X]
        new = {key: i for i, key in enumerate(keys) if key not in self._known}
        if new:
            features = self.transformer.transform(X[[*new.values()]])
            self._known.update(zip(new, features, strict=True))
        return np.stack([self._known[key] for key in keys])
