"""Labels in a column of files: which rows are known anomalies."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

logger = logging.getLogger(__name__)


class Labels:
    """Which rows are anomalies, by a column.

    Parameters
    ----------
    column : str
        Its name.
    anomalies : sequence of str
        Values that are anomalies, compared as numbers where the column holds numbers. Without any
        the column must hold -1 for anomalies and +1 for the bulk.
    """

    def __init__(self, column: str, anomalies: Sequence[str] = ()):
        self.column = column
        self.anomalies = list(anomalies)
        self._unseen = set(self.anomalies)

    def of(self, rows: Any) -> np.ndarray:
        """-1 for the anomalies of some rows, +1 for the others.

        Raises
        ------
        ValueError
            If labels are missing, or of another kind than the anomalies.
        """
        values = rows[self.column]
        n_missing = int(values.isna().sum())
        if n_missing:
            raise ValueError(
                f"the label {self.column} must be there in every row; it is missing in {n_missing}"
            )
        label = values.to_numpy()
        if not self.anomalies:
            if not np.isin(label, [-1, 1]).all():
                raise ValueError(
                    f"the label {self.column} must be -1 or +1, or --anomalies must say which "
                    f"values are anomalies; got {list(dict.fromkeys(label.tolist()))[:5]}"
                )
            return label
        found = np.ones(len(label), dtype=int)
        for text in self.anomalies:
            is_it = self._are(label, text)
            found[is_it] = -1
            if is_it.any():
                self._unseen.discard(text)
        return found

    def _are(self, label: np.ndarray, text: str) -> np.ndarray:
        if label.dtype.kind not in "iuf":
            return label.astype(str) == text
        try:
            return label == float(text)
        except ValueError as error:
            raise ValueError(
                f"the label {self.column} holds numbers, and so must --anomalies; got {text!r}"
            ) from error

    def check_seen(self) -> None:
        """Refuse anomalies none of which any row has been; tell of single ones."""
        if self.anomalies and len(self._unseen) == len(set(self.anomalies)):
            raise ValueError(
                f"--anomalies must be values of {self.column}; no row has {sorted(self._unseen)}"
            )
        if self._unseen:
            logger.warning("no row has the %s %s", self.column, sorted(self._unseen))
