"""Reservoirs: uniform samples of rows that pass by once."""

from typing import Any

import numpy as np

#: A detector starts anew when it has seen so many times the rows that it last started with; or so
#: many times, if the mean of a column has moved by so many standard deviations, or these have
#: changed by such a factor.
GROWTH, LEAST_GROWTH, SHIFT, STRETCH = 4, 1.2, 0.25, 1.25
#: Rows that a detector keeps from batch to batch, and numbers in them: they are part of it.
KEPT_ROWS, KEPT_VALUES = 100_000, 2**23


class Reservoir:
    """Uniform sample of at most `max_rows` of all rows that were added, whatever their order.

    Vitter, "Random sampling with a reservoir", ACM Transactions on Mathematical Software 11
    (1985), algorithm R.

    Parameters
    ----------
    n_features : int
        Numbers in a row.
    max_rows : int
        Rows that are kept.
    seed : int
        Of the draws: the same rows in the same batches leave the same sample.

    Attributes
    ----------
    n_seen : int
        Rows that were added.
    """

    def __init__(self, n_features: int, max_rows: int, seed: int):
        self.max_rows = max_rows
        self.seed = seed
        self.n_seen = 0
        self._n_kept = 0
        self._rows = np.empty((0, n_features))
        self._tags = np.empty(0)

    @property
    def rows(self) -> np.ndarray:
        """The sample (n, d); in the order in which they came, until there are too many."""
        return self._rows[: self._n_kept]

    @property
    def tags(self) -> np.ndarray:
        """For every row of the sample (n,) a number in [0, 1), drawn when it came."""
        return self._tags[: self._n_kept]

    def add(self, rows: np.ndarray) -> None:
        """Take or leave each of some rows (m, d)."""
        rng = np.random.default_rng([self.seed, self.n_seen])
        tags = rng.random(len(rows))
        n_new = min(self.max_rows - self._n_kept, len(rows))
        self._make_room(self._n_kept + n_new)
        # The k-th row of all takes the place of one of the first k, if that is a place here.
        ranks = np.arange(self.n_seen + n_new, self.n_seen + len(rows)) + 1
        places = (rng.random(len(ranks)) * ranks).astype(np.int64)
        taken = np.flatnonzero(places < self.max_rows)
        kept = slice(self._n_kept, self._n_kept + n_new)
        for store, values in ((self._rows, rows), (self._tags, tags)):
            store[kept] = values[:n_new]
            store[places[taken]] = values[n_new:][taken]  # of two for one place the later stays
        self._n_kept += n_new
        self.n_seen += len(rows)

    def _make_room(self, n_rows: int) -> None:
        if n_rows > len(self._rows):
            size = min(max(n_rows, 2 * len(self._rows)), self.max_rows)
            rows, tags = np.empty((size, self._rows.shape[1])), np.empty(size)
            rows[: self._n_kept], tags[: self._n_kept] = self.rows, self.tags
            self._rows, self._tags = rows, tags


class Passed:
    """What a detector keeps of the batches that have passed.

    Parameters
    ----------
    n_features : int
        Columns of X.
    seed : int
        Of the samples and of training.

    Attributes
    ----------
    bulk, rare : Reservoir
        Samples of the bulk and of the rows with y = -1.
    n_started : int or None
        Bulk rows that had passed when training last started anew; None after a `fit`, whose rows
        are not known any more.
    units : tuple of ndarray of shape (n_features,)
        Mean and standard deviation of the sample when training last started anew.
    n_steps : int
        Optimiser steps to do now, on the bulk.
    labels : dict
        What labels have been, as `check_labels_so_far` notes it.
    weights : dict of str to ndarray, or None
        Of the bulk's density, to go on from; None to start anew.
    """

    def __init__(self, n_features: int, seed: int):
        size = min(KEPT_ROWS, max(KEPT_VALUES // n_features, 2))
        self.seed = seed
        self.bulk, self.rare = (Reservoir(n_features, size, seed) for _ in range(2))
        self.n_started: int | None = None
        self.units: tuple[np.ndarray, np.ndarray] = (np.empty(0), np.empty(0))
        self.n_steps = 0
        self.labels: dict[str, Any] = {}
        self.weights: dict[str, np.ndarray] | None = None

    def starts_anew(self) -> bool:
        """Whether what training last started with is no longer like the rows; notes the new."""
        n = self.bulk.n_seen
        if self.weights is None:
            anew = True
        elif self.n_started is None or n < LEAST_GROWTH * self.n_started:
            anew = False
        else:
            anew = n >= GROWTH * self.n_started or self._is_elsewhere()
        if anew:
            self.n_started, self.weights, self.units = n, None, self._units()
        return anew

    def _units(self) -> tuple[np.ndarray, np.ndarray]:
        with np.errstate(over="ignore", invalid="ignore"):
            return self.bulk.rows.mean(axis=0), self.bulk.rows.std(axis=0)

    def _is_elsewhere(self) -> bool:
        (mean, std), (former_mean, former_std) = self._units(), self.units
        with np.errstate(over="ignore", invalid="ignore"):
            moved = np.abs(mean - former_mean) > SHIFT * former_std
            stretched = (std > STRETCH * former_std) | (former_std > STRETCH * std)
        return bool((moved | stretched).any())
