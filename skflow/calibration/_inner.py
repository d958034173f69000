"""What detectors around one fitted detector share: how it is fitted, its scores, a threshold."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, OutlierMixin
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from ..detectors._around import copy_features, fitted_on, relative
from ..detectors._validation import predicted


class InnerDetectorMixin(MetaEstimatorMixin, BaseEstimator):
    """Base of estimators with one detector inside, `estimator` and, fitted, `estimator_`."""

    def _fit_inner(
        self, X: Any, bulk: np.ndarray, anomalies: np.ndarray, fit_params: dict[str, Any]
    ) -> None:
        """Fit the detector, or keep a frozen one."""
        self.estimator_ = self.estimator
        if not isinstance(self.estimator, FrozenEstimator):
            self.estimator_ = fitted_on(self.estimator, X, bulk, anomalies, fit_params)
        copy_features(self, self.estimator_)

    def score_samples(self, X: Any) -> np.ndarray:
        """Scores of the detector, to rank by: higher means more normal.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to score.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
        """
        check_is_fitted(self)
        return np.asarray(self.estimator_.score_samples(X), dtype=np.float64)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.estimator).input_tags
        return tags


class OneThresholdMixin(OutlierMixin, InnerDetectorMixin):
    """Base of those that flag what scores below one threshold, `offset_`."""

    offset_: Any

    def decision_function(self, X: Any) -> np.ndarray:
        """Scores relative to the threshold: negative means outlier.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to score.

        Returns
        -------
        decision : ndarray of shape (n_samples,)
            ``score_samples(X) - offset_``.
        """
        return relative(self.score_samples(X), self.offset_)

    def predict(self, X: Any) -> np.ndarray:
        """Label every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to label.

        Returns
        -------
        labels : ndarray of shape (n_samples,), int
            -1 for flagged rows, +1 for others, 0 for rows without a score.
        """
        return predicted(self.decision_function(X))
