"""fit_stream: learning from more rows than fit into memory."""

import logging
from collections.abc import Iterator
from numbers import Integral
from typing import Any

import numpy as np

from .._rows import row_batches
from ._reservoir import Reservoir
from ._validation import bulk_mask, check_labels_so_far, check_rows, unchanged_on_error

logger = logging.getLogger(__name__)

#: Rows kept by default: more than any detector trains on by itself, and numbers in them.
RESERVOIR_ROWS, RESERVOIR_VALUES = 1_000_000, 2**26


class StreamMixin:
    """Detectors that learn from rows which they see once."""

    def fit_stream(
        self: Any, batches: Any, *, reservoir_size: int | str = "auto", X_contrast: Any = None
    ) -> Any:
        """Learn the bulk from more rows than fit into memory, reading them once.

        A uniform sample of all rows is kept, whatever their order (a reservoir), and serves as
        the X of `fit`: for standardisation, training, early stopping and threshold. As long as
        all rows find room, this is the same detector as from `fit`, bit for bit.

        Parameters
        ----------
        batches : iterable of array-like, path-like, array or pyarrow dataset
            Batches of rows X (n_rows, n_features), or pairs (X, y) with labels as in `fit`; a
            file as for `skflow.io.read_batches`; a memory-mapped array or an HDF5 dataset; a
            table, dataset or reader of pyarrow.
        reservoir_size : "auto" or int, default="auto"
            Rows to keep of the bulk, and as many of those with y = -1. "auto" is a million, more
            than a detector trains on by default, or as many as take 512 MiB.
        X_contrast : array-like of shape (n_contrast, n_features), default=None
            Auxiliary rows, for detectors whose `fit` takes them.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        TypeError
            If batches cannot be read one by one, or X_contrast is given to a detector of one
            class.
        ValueError
            If there are no rows, or as in `fit`, with the number of the batch; then the detector
            is as it was.

        See Also
        --------
        skflow.io.read_batches : Choose columns, and a column of labels, of a file.
        """
        if X_contrast is not None and not self._uses_contrast:
            raise TypeError(f"{type(self).__name__} learns from one class and takes no X_contrast")
        if reservoir_size != "auto" and not (
            isinstance(reservoir_size, Integral) and reservoir_size > 1
        ):
            raise ValueError(
                f"reservoir_size must be 'auto' or an int of at least 2; got {reservoir_size!r}"
            )
        self._validate_params()
        with unchanged_on_error(self):
            bulk = rare = None
            n_nan = 0
            for X, is_bulk in self._checked_batches(batches):
                if bulk is None or rare is None:
                    auto = min(RESERVOIR_ROWS, RESERVOIR_VALUES // X.shape[1])
                    size = auto if reservoir_size == "auto" else int(reservoir_size)
                    bulk, rare = (Reservoir(X.shape[1], size, seed) for seed in (0, 1))
                has_nan = np.isnan(X).any(axis=1)
                bulk.add(X[is_bulk & ~has_nan])
                rare.add(X[~is_bulk & ~has_nan])
                n_nan += int(has_nan.sum())
            if bulk is None or rare is None:
                raise ValueError("batches must hold rows; there were none")
            n_kept, n_seen = len(bulk.rows) + len(rare.rows), bulk.n_seen + rare.n_seen
            logger.info("learning from %d of %d rows", n_kept, n_seen)
            rows = np.concatenate([bulk.rows, rare.rows])
            is_bulk = np.arange(len(rows)) < len(bulk.rows)
            del bulk, rare  # as large as the rows themselves
            self._learn(rows, is_bulk, X_contrast)
            self.n_omitted_ += n_nan
        return self

    def _checked_batches(self: Any, batches: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows of every batch that has any, and which of them are bulk."""
        first = True
        seen: dict[str, Any] = {}
        for number, batch in enumerate(row_batches(batches), start=1):
            X, y = batch if isinstance(batch, tuple) and len(batch) == 2 else (batch, None)
            if hasattr(X, "__len__") and len(X) == 0:
                continue
            try:
                X = check_rows(self, X, reset=first)
                is_bulk = bulk_mask(y, len(X))
                check_labels_so_far(y, is_bulk, seen)
            except (ValueError, TypeError) as error:
                raise type(error)(f"batch {number}: {error}") from error
            first = False
            yield X, is_bulk
