"""PyODDetector: any tabular PyOD detector under skflow's contract."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from sklearn.base import clone

from .._sklearn import HasMethods
from ..detectors import BaseDetector
from ..training import resolve_seed

#: PyOD detectors that rank the rows of a call among each other.
BATCH_DEPENDENT = frozenset({"COPOD", "ECOD"})


@contextmanager
def _kept_generators() -> Iterator[None]:
    """Put NumPy's and torch's global generators back: PyOD seeds them and draws from them."""
    numpy_state = np.random.get_state()
    with torch.random.fork_rng():
        try:
            yield
        finally:
            np.random.set_state(numpy_state)


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
        ``contamination`` plays no part.
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
        True for ECOD and COPOD, whose score of a row changes with the other rows of the call:
        the only detectors here that break that promise.
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

    def _fit(self, X: np.ndarray, X_contrast: np.ndarray) -> None:
        seed = resolve_seed(self.random_state)
        with _kept_generators():
            estimator = clone(self.estimator)
            if self.random_state is not None and "random_state" in estimator.get_params(deep=False):
                estimator.set_params(random_state=seed)
            torch.random.default_generator.manual_seed(seed)
            np.random.set_state(np.random.RandomState(seed).get_state())
            estimator.fit(X)
        self.estimator_ = estimator
        self.scores_depend_on_batch_ = type(estimator).__name__ in BATCH_DEPENDENT

    def _score_samples(self, X: np.ndarray) -> np.ndarray:
        with _kept_generators():
            return -np.asarray(self.estimator_.decision_function(X), dtype=np.float64)
