"""Rows of the files that a command names: columns, labels and cuts."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .._rows import ArrayRows, batches_of, count_rows
from ._labels import Labels
from ._progress import with_progress
from ._selection import Selection

logger = logging.getLogger(__name__)


class Input(NamedTuple):
    """Files and what is read of them.

    Parameters
    ----------
    files : sequence of path
        Read one after another; of one kind, with the same columns.
    columns : list of str or None
        Features; None is all columns but the label.
    labels : Labels or None
        Column of labels, and what they mean.
    selection : Selection or None
        Cuts.
    table : str or None
        Table of HDF5 files.
    keep : tuple of str
        Columns to read besides.
    batch_size : int or None
        Rows at a time.
    """

    files: Sequence[Path]
    columns: list[str] | None = None
    labels: Labels | None = None
    selection: Selection | None = None
    table: str | None = None
    keep: tuple[str, ...] = ()
    batch_size: int | None = None

    def batches(self, what: str) -> Iterator[Any]:
        """Rows of all files before cuts, with progress."""
        besides: list[str] = []
        if self.columns is not None:
            cuts = [] if self.selection is None else self.selection.columns
            label = [] if self.labels is None else [self.labels.column]
            besides = [*cuts, *label, *self.keep]
        counts = [count_rows(path, self.table) for path in self.files]
        n_rows = None if None in counts else sum(counts)  # type: ignore[arg-type]
        read = (
            batch
            for path in self.files
            for batch in batches_of(
                path, self.columns, besides, self.table, self.batch_size, self.keep
            )
        )
        return with_progress(read, what, n_rows)

    def passed(self, batch: Any) -> np.ndarray:
        """Which rows of a batch pass the cuts."""
        if self.selection is None:
            return np.ones(len(batch), dtype=bool)
        self.check_columns(batch, self.selection.columns)
        return self.selection.passed(batch)

    def features(self, batch: Any) -> Any:
        """The features of a batch."""
        if isinstance(batch, ArrayRows):
            return batch.arrays
        if not hasattr(batch, "columns"):
            if self.columns is not None and len(self.columns) > 1:  # one may hold images
                self.check_columns(batch, self.columns)
            return batch
        names = self.columns
        if names is None:
            label = None if self.labels is None else self.labels.column
            names = [name for name in batch.columns if name != label]
        text = [name for name in names if batch[name].dtype.kind not in "biufcmM"]
        if text:
            raise ValueError(f"columns {text} hold no numbers; choose others with --columns")
        return batch[names]

    def labels_of(self, batch: Any) -> np.ndarray | None:
        """-1 for the anomalies of a batch, +1 for the others; None without a label."""
        if self.labels is None:
            return None
        self.check_columns(batch, [self.labels.column])
        return self.labels.of(batch)

    def check_columns(self, batch: Any, names: Sequence[str]) -> None:
        """Refuse names that there are not."""
        known = list(getattr(batch, "columns", []))
        missing = [name for name in names if name not in known]
        if missing:
            has = f"has {known}" if known else "is an array without names of columns"
            raise ValueError(f"columns {missing} must be in {self.files[0]}, which {has}")

    def end(self) -> None:
        """Tell how many rows each cut has left, and refuse labels that there were none of."""
        if self.selection is not None:
            for name, n_left in self.selection.counts:
                logger.info("selection: %s: %s rows", name, f"{n_left:,}")
        if self.labels is not None:
            self.labels.check_seen()
