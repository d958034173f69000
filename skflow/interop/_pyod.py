"""PyODDetector: any tabular PyOD detector under skflow's contract."""

import logging
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from sklearn.base import clone

from .._sklearn import HasMethods
from .._threads import alone
from ..detectors import BaseDetector
from ..detectors._contrast import ContrastRows
from ..training import resolve_seed

logger = logging.getLogger(__name__)

#: Training rows scored alone and together, to see whether a detector treats them alike.
N_PROBES = 3


def _seed_generators(seed: int) -> None:
    random.seed(seed)
    np.random.set_state(np.random.RandomState(seed).get_state())
    torch.random.manual_seed(seed)


@contextmanager
def _kept_generators() -> Iterator[None]:
    """Put the global generators back afterwards: PyOD seeds them and draws from them."""
    with alone(), torch.random.fork_rng():
        states = random.getstate(), np.random.get_state()
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])


class PyODDetector(BaseDetector):
    """Any tabular PyOD detector, as a scikit-learn outlier detector.

    PyOD's scores are higher for outliers, its labels 0 and 1, and its detectors train on
    whatever they get. Here scores are higher for the bulk, labels are +1 and -1, only bulk
    rows train, seeds are set at `fit`, and searches reach the detector's own parameters as
    ``estimator__...``.

    Parameters
    ----------
    estimator : pyod detector
        An instance such as ``pyod.models.knn.KNN()``; `fit` trains a copy. Its own
        ``contamination`` plays no part. What has ``score_samples`` has scikit-learn's signs, and
        is refused.
    contamination : "auto" or float in (0, 0.5], default="auto"
        Share of the bulk below the threshold: of the training rows for a float; for "auto", 5 %
        of every fifth row, scored by a fit on the others (a second fit).
    random_state : int, RandomState instance or None, default=None
        Seed of the fit. An int or RandomState goes to the detector's own ``random_state`` if it
        has one; the global generators, from which other detectors draw, are seeded while it
        trains and then put back.
    nan_policy : {"raise", "omit"}, default="raise"
        "omit" leaves rows with NaN out of training, scores them NaN and predicts 0.

    Attributes
    ----------
    estimator_ : pyod detector
        The fitted copy.
    scores_depend_on_batch_ : bool
        Whether the score of a row changes with the other rows of the call, as for ECOD and
        COPOD, which breaks the promise that other detectors keep; tried out at `fit`, with a
        warning.
    offset_ : float
        Threshold on `score_samples`.
    n_omitted_ : int
        Training rows left out because of NaN.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where X had string column names.

    References
    ----------
    .. [1] Zhao, Nasrullah and Li, "PyOD: A Python Toolbox for Scalable Outlier Detection",
       JMLR 20, 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from pyod.models.knn import KNN
    >>> from skflow.interop import PyODDetector
    >>> X = np.random.RandomState(0).normal(size=(300, 2))
    >>> detector = PyODDetector(KNN(n_neighbors=10)).fit(X)
    >>> detector.predict([[0.0, 0.0], [8.0, -8.0]])
    array([ 1, -1])
    """

    _parameter_constraints: dict[str, list[Any]] = {
        **BaseDetector._parameter_constraints,
        "estimator": [HasMethods(["fit", "decision_function", "get_params"])],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any,
        *,
        contamination: float | str = "auto",
        random_state: Any = None,
        nan_policy: str = "raise",
    ):
        self.estimator = estimator
        self.contamination = contamination
        self.random_state = random_state
        self.nan_policy = nan_policy

    def _fit(self, X: np.ndarray, contrast: ContrastRows) -> None:
        if hasattr(self.estimator, "score_samples"):
            raise ValueError(
                "estimator must be a detector of PyOD, whose decision_function is higher for "
                f"outliers; got {self.estimator!r}, which has scikit-learn's signs already and "
                "needs no wrapper"
            )
        seed = resolve_seed(self.random_state)
        with _kept_generators():
            estimator = clone(self.estimator)
            if self.random_state is not None and "random_state" in estimator.get_params(deep=False):
                estimator.set_params(random_state=seed)
            # Only now: some detectors seed the global generators when they are made.
            _seed_generators(seed)
            estimator.fit(X)
        self.estimator_ = estimator
        self.scores_depend_on_batch_ = self._depends_on_batch(X[:N_PROBES])
        if self.scores_depend_on_batch_:
            warnings.warn(
                f"the score that {type(estimator).__name__} gives a row depends on the rows that "
                "it is scored with: score all rows in one call",
                UserWarning,
                stacklevel=2,
            )

    def _depends_on_batch(self, rows: np.ndarray) -> bool:
        together = self._score_samples(rows)
        try:
            alone = np.concatenate([self._score_samples(row[None]) for row in rows])
        except Exception as error:  # PyOD's detectors fail on one row in ways of their own
            logger.info("%s cannot score a single row: %s", type(self.estimator_).__name__, error)
            return True
        return not np.allclose(together, alone, rtol=1e-4, equal_nan=True)

    def _score_samples(self, X: np.ndarray) -> np.ndarray:
        with _kept_generators():
            _seed_generators(0)  # for detectors that draw when they score
            return -np.asarray(self.estimator_.decision_function(X), dtype=np.float64)
