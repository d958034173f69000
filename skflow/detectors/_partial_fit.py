"""partial_fit: learning that goes on, batch after batch, with a sample of what has passed."""

import copy
import math
from typing import Any

import numpy as np

from ..training import resolve_seed
from ._contrast import ContrastRows
from ._reservoir import Passed
from ._torch import automatic_steps
from ._validation import bulk_mask, check_labels_so_far, check_rows, unchanged_on_error


class PartialFitMixin:
    """Torch detectors that go on learning from new rows."""

    def partial_fit(self: Any, X: Any, y: Any = None) -> Any:
        """Go on learning from some more rows of the bulk.

        A uniform sample of all rows that have passed, 100,000 at most, is kept in the detector:
        each call trains on that, as many steps as `fit` with ``max_iter="auto"`` makes on all
        rows so far less those already done, or enough to see every new row once. A part of it,
        never trained on, is for early stopping and the threshold. So batches may come in any
        order. Training starts anew, on the sample, when four times the rows have passed with
        which it last started, or when the sample's means or standard deviations have changed:
        the first rows of a stream need not be like the rest.

        After `fit`, which keeps no rows, training goes on from its weights, with a threshold by
        the new rows alone.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            New rows; in the first call at least two of them bulk.
        y : array-like of shape (n_samples,), default=None
            Labels as in `fit`.

        Returns
        -------
        self : object
            The detector, fitted to all rows so far.

        Raises
        ------
        ValueError
            As `fit`; then the detector is as it was.
        """
        self._validate_params()
        with unchanged_on_error(self):
            self._go_on(X, y)
        return self

    def _go_on(self: Any, X: Any, y: Any) -> None:
        fitted = hasattr(self, "weights_")
        X = check_rows(self, X, reset=not fitted)
        is_bulk, has_nan = bulk_mask(y, len(X)), np.isnan(X).any(axis=1)
        n_omitted = int(has_nan.sum()) + (self.n_omitted_ if fitted else 0)
        passed = copy.deepcopy(getattr(self, "_passed", None))  # a failed call loses nothing
        if passed is None:
            passed = Passed(X.shape[1], resolve_seed(self.random_state))
            passed.weights = self.weights_ if fitted else None
        check_labels_so_far(y, is_bulk, passed.labels)
        n_before = passed.bulk.n_seen
        passed.bulk.add(X[is_bulk & ~has_nan])
        passed.rare.add(X[~is_bulk & ~has_nan])
        n = passed.bulk.n_seen
        if n < 2:
            raise ValueError(f"{type(self).__name__} needs at least 2 bulk rows; got {n}")
        if passed.starts_anew():
            passed.n_steps = automatic_steps(n)
        else:
            due = automatic_steps(n) - automatic_steps(n_before)
            once = math.ceil(int((~has_nan).sum()) / self.batch_size)
            passed.n_steps = max(due, once, 1)
        seed = passed.seed if passed.weights is None else passed.seed + n
        contrast = ContrastRows(passed.rare.rows, passed.rare.rows[:0])
        held_out = self._fit(passed.bulk.rows, contrast, seed, passed)
        self._passed, self.n_omitted_ = passed, n_omitted
        self._set_threshold(passed.bulk.rows, contrast, held_out)
