"""PyODAdapter: what `to_pyod` returns; needs PyOD, so only `to_pyod` imports it."""

from numbers import Real
from typing import Any

import numpy as np
from pyod.models.base import BaseDetector as PyODBaseDetector
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.validation import check_is_fitted

from .._sklearn import HasMethods, Interval, fit_context


# PyOD's base is itself one of scikit-learn's outlier detectors only since PyOD 2.0.6.
class PyODAdapter(PyODBaseDetector, OutlierMixin, BaseEstimator):
    """A detector with ``score_samples`` behind PyOD's interface.

    Made by `skflow.interop.to_pyod`, which documents the parameters.

    Parameters
    ----------
    estimator : estimator with ``fit`` and ``score_samples``
        The detector; `fit` trains a copy.
    contamination : float in (0, 0.5] or PyThresh object, default=0.1
        Share of the training rows above the threshold.

    Attributes
    ----------
    estimator_ : estimator
        The fitted copy.
    decision_scores_ : ndarray of shape (n_samples,), float64
        Scores of the training rows: higher means more anomalous.
    threshold_ : float
        Threshold on `decision_scores_`.
    labels_ : ndarray of shape (n_samples,), int
        Labels of the training rows: 1 for those above the threshold, else 0.
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "estimator": [HasMethods(["fit", "score_samples"])],
        "contamination": [Interval(Real, 0, 0.5, closed="right"), HasMethods(["eval"])],
    }

    def __init__(self, estimator: Any, contamination: Any = 0.1):
        super().__init__(contamination=contamination)
        self.estimator = estimator

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None) -> "PyODAdapter":
        """Fit a copy of the detector and set the threshold.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,), default=None
            1 marks known outliers, 0 inliers. The detector gets them as -1 and +1.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        ValueError
            If y holds anything but 0 and 1, or if a training row gets a score that is not finite.
        """
        estimator = clone(self.estimator).fit(X, _labels(X, y))
        scores = _scores(estimator, X)
        self.estimator_, self.decision_scores_ = estimator, scores
        # Not given y, in which PyOD counts the classes: there are two whichever occur.
        self._set_n_classes(None)
        self._process_decision_scores()
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Score every row: higher means more anomalous.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to score.

        Returns
        -------
        scores : ndarray of shape (n_samples,), float64
            ``-estimator_.score_samples(X)``.

        Raises
        ------
        ValueError
            If a score is not finite, as for rows with NaN under ``nan_policy="omit"``.
        """
        check_is_fitted(self, "estimator_")
        return _scores(self.estimator_, X)


def _scores(estimator: Any, X: Any) -> np.ndarray:
    scores = -np.asarray(estimator.score_samples(X), dtype=np.float64)
    bad = ~np.isfinite(scores)
    if bad.any():
        # NaN is above no threshold, so PyOD would call such a row an inlier.
        raise ValueError(
            "every row must have a finite score, because PyOD has no label for a row that is not "
            f"judged; {type(estimator).__name__} gave {scores[bad][0]} to {bad.sum()} of "
            f"{len(scores)} rows, the first at row {bad.argmax()}"
        )
    return scores


def _labels(X: Any, y: Any) -> np.ndarray | None:
    """PyOD's labels 0 and 1 as +1 and -1."""
    if y is None:
        return None
    y = column_or_1d(y, warn=True)
    check_consistent_length(X, y)
    others = [label for label in dict.fromkeys(y.tolist()) if label not in (0, 1)]
    if others:
        raise ValueError(
            f"y must hold PyOD's labels, 0 for inliers and 1 for known outliers; got {others[:5]}"
        )
    return np.where(y == 1, -1, 1)
