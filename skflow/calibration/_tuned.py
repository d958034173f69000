"""TunedThresholdDetectorCV: the threshold that a labelled metric likes best."""

import warnings
from collections.abc import Callable
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.metrics import balanced_accuracy_score, f1_score, matthews_corrcoef
from sklearn.utils import indexable

from .._sklearn import HasMethods, Interval, StrOptions, fit_context
from ..detectors._around import bulk_rows, out_of_fold
from ..detectors._validation import unchanged_on_error
from ._inner import OneThresholdMixin

METRICS: dict[str, Callable[..., float]] = {
    "balanced_accuracy": balanced_accuracy_score,
    "f1": partial(f1_score, pos_label=-1),
    "matthews_corrcoef": matthews_corrcoef,
}
#: Where no anomaly is known, this share of the bulk lies below the threshold.
UNTUNED = 0.05


class TunedThresholdDetectorCV(OneThresholdMixin):
    """Set the threshold of a detector where a metric of labelled rows is largest.

    What scikit-learn's `TunedThresholdClassifierCV` does for classifiers, which refuses detectors:
    rows are scored by detectors that did not train on them, the metric of all of them together is
    maximised over thresholds, and the detector is fitted to all rows.

    Parameters
    ----------
    estimator : detector
        Any outlier detector of scikit-learn's kind with ``score_samples``, or a pipeline that ends
        with one. A fitted one in a `sklearn.frozen.FrozenEstimator` is kept, and scores the rows
        that `fit` gets, which it must not have seen.
    metric : str or callable, default="balanced_accuracy"
        "balanced_accuracy", "f1", "matthews_corrcoef", or
        ``metric(y_true, y_pred)`` of labels +1 and -1, higher is better; anomalies are the positive
        class of "f1". `skflow.metrics.precision_score` with a prevalence is one, too.
    n_thresholds : int, default=200
        At most so many thresholds are tried, each the next score above an anomaly's.
    cv : int, cross-validator or iterable, default=5
        Folds, stratified if a number.
    n_jobs : int or None, default=None
        Folds at a time, through joblib.

    Attributes
    ----------
    estimator_ : detector
        The detector fitted to all rows.
    best_threshold_, offset_ : float
        Threshold on `score_samples`: rows below it are flagged. `offset_` is its other name.
    best_score_ : float
        The metric there. It is the largest of many, so that new rows will have less.
    thresholds_, scores_ : ndarray of shape (n_tried,)
        Thresholds that were tried, rising, and their metric.
    n_features_in_ : int
        Number of features, if the estimator knows.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where X had string column names.

    See Also
    --------
    ThresholdDetector : Thresholds that need no labels.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow import MahalanobisDetector
    >>> from skflow.calibration import TunedThresholdDetectorCV
    >>> rng = np.random.RandomState(0)
    >>> X, y = rng.normal(size=(1000, 2)), np.repeat([1, -1], [980, 20])
    >>> X[y == -1, 0] += 6
    >>> detector = TunedThresholdDetectorCV(MahalanobisDetector(), metric="f1").fit(X, y)
    >>> detector.predict([[6.0, 0.0], [1.0, 1.0]])
    array([-1,  1])
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "estimator": [HasMethods(["fit", "score_samples"])],
        "metric": [StrOptions(set(METRICS)), callable],
        "n_thresholds": [Interval(Integral, 1, None, closed="left")],
        "cv": ["cv_object"],
        "n_jobs": [None, Integral],
    }

    def __init__(
        self,
        estimator: Any,
        *,
        metric: str | Callable[..., float] = "balanced_accuracy",
        n_thresholds: int = 200,
        cv: Any = 5,
        n_jobs: int | None = None,
    ):
        self.estimator = estimator
        self.metric = metric
        self.n_thresholds = n_thresholds
        self.cv = cv
        self.n_jobs = n_jobs

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None, **fit_params: Any) -> "TunedThresholdDetectorCV":
        """Find the threshold, then fit the detector to all rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,)
            -1 for anomalies, +1 for the bulk. Without any -1 there is nothing to tune: 5 % of the
            bulk's held-out scores lie below the threshold.
        **fit_params : dict
            Further arguments of the estimator's `fit`, such as `sample_weight`.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        ValueError
            If y mixes -1 with labels other than +1, or all anomalies lack a score.

        Warns
        -----
        UserWarning
            If no anomaly is known.
        """
        with unchanged_on_error(self):
            (X,) = indexable(X)
            bulk, anomalies = bulk_rows(X, y)
            # First, so that rows it refuses are refused in its own words.
            self._fit_inner(X, bulk, anomalies, fit_params)
            scores, label = out_of_fold(
                self.estimator, X, bulk, anomalies, self.cv, fit_params, self.n_jobs
            )
            self._tune(scores, label)
        return self

    def _tune(self, scores: np.ndarray, label: np.ndarray) -> None:
        judged = ~np.isnan(scores)
        if not judged.any():
            raise ValueError("rows must have scores; got NaN for all of them")
        if (label == 1).all():
            warnings.warn(
                f"y holds no -1, so there is nothing to tune: {UNTUNED:.0%} of the rows' held-out "
                "scores lie below the threshold",
                UserWarning,
                stacklevel=5,
            )
            self.best_threshold_ = float(np.quantile(scores[judged], UNTUNED))
            self.best_score_ = np.nan
            self.thresholds_, self.scores_ = np.empty(0), np.empty(0)
            return
        known = np.unique(scores[judged])
        of_anomalies = np.unique(scores[judged & (label == -1)])
        if not len(of_anomalies):
            raise ValueError("anomalies must have scores; got NaN for all of them")
        if len(of_anomalies) > self.n_thresholds:
            steps = np.linspace(0, len(of_anomalies) - 1, self.n_thresholds)
            of_anomalies = of_anomalies[np.unique(steps.round().astype(int))]
        # Rows below the next score above are flagged; beyond all others, all rows are.
        above = np.append(known, np.inf)
        self.thresholds_ = above[np.searchsorted(known, of_anomalies, side="right")]
        metric = METRICS[self.metric] if isinstance(self.metric, str) else self.metric
        # Rows without a score are never flagged.
        self.scores_ = np.array(
            [metric(label, np.where(scores < t, -1, 1)) for t in self.thresholds_]
        )
        best = int(np.argmax(self.scores_))
        self.best_threshold_ = float(self.thresholds_[best])
        self.best_score_ = float(self.scores_[best])

    @property
    def offset_(self) -> float:
        """Threshold on `score_samples`."""
        return self.best_threshold_
