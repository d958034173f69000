"""CalibratedDetectorCV: from scores to the probability of being rare, given a prior."""

import warnings
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.utils import ClassifierTags, indexable

from .._sklearn import HasMethods, Interval, StrOptions, fit_context
from ..detectors._around import bulk_rows, out_of_fold
from ..detectors._validation import unchanged_on_error
from ._inner import InnerDetectorMixin


class CalibratedDetectorCV(InnerDetectorMixin):
    r"""Turn scores into the probability of being rare.

    Scores of rows by detectors that did not train on them are regressed on their labels, both
    classes counting alike; that is the odds :math:`r` of a rare row against one of the bulk at
    equal numbers. Where a share :math:`\pi` of all rows is rare,

    .. math:: P(\text{rare} \mid x) = \frac{\pi r}{\pi r + 1 - \pi}.

    It is a probability only for rows like those of the labels, and only with the right prior: a
    rescaled score, as PyOD's ``predict_proba`` returns, is neither.

    Parameters
    ----------
    estimator : detector
        Any outlier detector of scikit-learn's kind with ``score_samples``, or a pipeline that ends
        with one. A fitted one in a `sklearn.frozen.FrozenEstimator` is kept, and scores the rows
        that `fit` gets, which it must not have seen.
    method : {"isotonic", "sigmoid"}, default="isotonic"
        "isotonic" is any function that falls with the score, for hundreds of anomalies;
        "sigmoid" is Platt's logistic function, with his targets, for tens; it goes on beyond
        the rows, where "isotonic" is no surer than their number allows.
    prevalence : float in (0, 1) or None, default=None
        The prior: share of rare rows among those that will come. None is their share in y. May
        be changed after `fit`.
    cv : int, cross-validator or iterable, default=5
        Folds, stratified if a number.
    n_jobs : int or None, default=None
        Folds at a time, through joblib.

    Attributes
    ----------
    estimator_ : detector
        The detector fitted to all rows.
    calibrator_ : regressor or classifier or None
        Of the odds at equal numbers; None without any anomaly.
    prevalence_ : float
        Share of rare rows in y.
    classes_ : ndarray of shape (2,)
        -1 and 1, the columns of `predict_proba`.
    n_features_in_ : int
        Number of features, if the estimator knows.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where X had string column names.

    References
    ----------
    .. [1] Saerens, Latinne and Decaestecker, "Adjusting the outputs of a classifier to new a
       priori probabilities", Neural Computation 14, 2002.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow import MahalanobisDetector
    >>> from skflow.calibration import CalibratedDetectorCV
    >>> rng = np.random.RandomState(0)
    >>> X, y = rng.normal(size=(4000, 2)), np.repeat([1, -1], [2000, 2000])
    >>> X[y == -1] *= 2
    >>> detector = CalibratedDetectorCV(MahalanobisDetector(), method="sigmoid").fit(X, y)
    >>> detector.predict_proba([[3.0, 3.0]])[:, 0].round(2)  # of being rare
    array([1.])
    >>> detector.set_params(prevalence=0.001).predict_proba([[3.0, 3.0]])[:, 0].round(2)
    array([0.25])
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "estimator": [HasMethods(["fit", "score_samples"])],
        "method": [StrOptions({"isotonic", "sigmoid"})],
        "prevalence": [None, Interval(Real, 0, 1, closed="neither")],
        "cv": ["cv_object"],
        "n_jobs": [None, Integral],
    }

    def __init__(
        self,
        estimator: Any,
        *,
        method: str = "isotonic",
        prevalence: float | None = None,
        cv: Any = 5,
        n_jobs: int | None = None,
    ):
        self.estimator = estimator
        self.method = method
        self.prevalence = prevalence
        self.cv = cv
        self.n_jobs = n_jobs

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None, **fit_params: Any) -> "CalibratedDetectorCV":
        """Calibrate with rows held out in turn, then fit the detector to all.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,)
            -1 for rare rows, +1 for the bulk. Without any -1 nothing is known of rare rows, and
            every row has the prior.
        **fit_params : dict
            Further arguments of the estimator's `fit`, such as `sample_weight`.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        ValueError
            If y mixes -1 with labels other than +1, or all rows of a class lack a score.

        Warns
        -----
        UserWarning
            If no rare row is known.
        """
        with unchanged_on_error(self):
            (X,) = indexable(X)
            bulk, rare = bulk_rows(X, y)
            # First, so that rows it refuses are refused in its own words.
            self._fit_inner(X, bulk, rare, fit_params)
            self.classes_ = np.array([-1, 1])
            self.prevalence_ = len(rare) / (len(rare) + len(bulk))
            self.calibrator_: Any = None
            if len(rare):
                scores, label = out_of_fold(
                    self.estimator, X, bulk, rare, self.cv, fit_params, self.n_jobs
                )
                self._calibrate(scores, label == -1)
            else:
                warnings.warn(
                    "y holds no -1: nothing is known of rare rows, and every row has the prior as "
                    "its probability",
                    UserWarning,
                    stacklevel=4,
                )
        return self

    def _calibrate(self, scores: np.ndarray, is_rare: np.ndarray) -> None:
        judged = ~np.isnan(scores)
        scores, is_rare = scores[judged], is_rare[judged]
        n_rare, n_bulk = int(is_rare.sum()), int((~is_rare).sum())
        if not n_rare or not n_bulk:
            raise ValueError("rows of both classes must have scores; got NaN for all of one")
        finite = scores[np.isfinite(scores)]
        if not len(finite):
            raise ValueError("some rows must have finite scores; got none")
        self._ends = finite.min(), finite.max()
        self._center, self._scale = finite.mean(), finite.std() or 1.0
        self.method_ = self.method
        z = self._standardized(scores)
        weight = np.where(is_rare, 0.5 / n_rare, 0.5 / n_bulk)
        # So many rows cannot tell rarer ones: without bounds the prior would have no say where
        # rows of one class alone were seen.
        low, high = 1 / (n_rare + 2), 1 - 1 / (n_bulk + 2)
        if self.method == "isotonic":
            self.calibrator_ = IsotonicRegression(y_min=low, y_max=high, out_of_bounds="clip")
            self.calibrator_.fit(z, is_rare, sample_weight=weight)
        else:
            # Platt's targets, which are not quite 0 and 1, as weights of both labels.
            target = np.where(is_rare, (n_rare + 1) / (n_rare + 2), 1 / (n_bulk + 2))
            self.calibrator_ = LogisticRegression(C=np.inf)
            self.calibrator_.fit(
                np.tile(z, 2)[:, None],
                np.repeat([True, False], len(z)),
                sample_weight=np.concatenate([target, 1 - target]) * np.tile(weight, 2) * len(z),
            )

    def _standardized(self, scores: np.ndarray) -> np.ndarray:
        """Anomaly scores in standard deviations, infinite ones as large as the largest finite."""
        low, high = self._ends
        scores = np.where(scores == -np.inf, low, np.where(scores == np.inf, high, scores))
        return (self._center - scores) / self._scale

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probability of being rare, and of belonging to the bulk.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        probability : ndarray of shape (n_samples, 2)
            Columns are `classes_`, -1 and 1; NaN for rows without a score.
        """
        scores = self.score_samples(X)
        prior = self.prevalence_ if self.prevalence is None else self.prevalence
        judged = ~np.isnan(scores)
        rare = np.where(judged, prior, np.nan)
        if self.calibrator_ is not None and judged.any():
            if self.method != self.method_:
                raise ValueError(f"a change of method, from {self.method_!r}, needs another fit")
            z = self._standardized(scores[judged])
            if self.method == "isotonic":
                p = self.calibrator_.predict(z)
            else:
                p = self.calibrator_.predict_proba(z[:, None])[:, 1]
            rare[judged] = prior * p / (prior * p + (1 - prior) * (1 - p))
        return np.column_stack([rare, 1 - rare])

    def predict(self, X: Any) -> np.ndarray:
        """Label rows that are more probably rare than not.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        labels : ndarray of shape (n_samples,), int
            -1 for a probability of being rare of 1/2 or more, +1 for less, 0 for rows without a
            score.
        """
        rare = self.predict_proba(X)[:, 0]
        return np.where(np.isnan(rare), 0, np.where(rare >= 0.5, -1, 1))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags = ClassifierTags(multi_class=False)  # two columns of probabilities
        return tags
