"""BaseDetector: what every detector promises, in NumPy only."""

import logging
import warnings
from abc import ABCMeta, abstractmethod
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .._sklearn import Interval, StrOptions, check_sample_weight, fit_context
from ._contrast import ContrastRows
from ._stream import StreamMixin
from ._validation import bulk_mask, check_rows, predicted, unchanged_on_error

logger = logging.getLogger(__name__)

#: With contamination="auto", this share of held-out bulk rows lies below the threshold.
AUTO_QUANTILE = 0.05
#: What a row that cannot be judged counts in `score`, in nats.
LOST_LOG_DENSITY = -1e9
#: Fewer bulk rows than this are all needed for training: their own scores set the threshold.
MIN_ROWS_TO_HOLD_OUT = 20


def _scores_are_log_densities(estimator: Any) -> bool:
    if not estimator._is_log_density:
        raise AttributeError(
            f"{type(estimator).__name__} has no score method, because its score_samples is not "
            "a log-density trained by likelihood alone; pass scoring=, for example "
            "skflow.metrics.get_scorer('roc_auc'), with labels"
        )
    return True


def check_log_density(detector: "BaseDetector", name: str) -> None:
    """Refuse a detector, the parameter `name`, whose scores are no log-density."""
    if not detector._is_log_density:
        raise ValueError(
            f"{name} must be a detector whose score_samples is a log-density, such as "
            f"RealNVPOutlierDetector or MahalanobisDetector; got {detector!r}"
        )


class BaseDetector(StreamMixin, OutlierMixin, BaseEstimator, metaclass=ABCMeta):
    """Base of all detectors.

    A subclass learns in ``_fit`` and scores in ``_score_samples``, both on finite float64 rows;
    labels, NaN, thresholds and error messages are dealt with here, once for all.
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "contamination": [StrOptions({"auto"}), Interval(Real, 0, 0.5, closed="right")],
        "nan_policy": [StrOptions({"raise", "omit"})],
    }
    #: Whether score_samples is a normalised log-density of X, trained by likelihood.
    _is_log_density = False
    #: Whether known anomalies and auxiliary rows are learned from.
    _uses_contrast = False

    def _as_table(self, X: Any, reset: bool) -> Any:
        """X as a table, for leaves that take images as well."""
        return X

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> "BaseDetector":
        """Learn the bulk.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, at least two of them bulk.
        y : array-like of shape (n_samples,), default=None
            -1 marks known anomalies, +1 the bulk; without any -1 all rows are bulk. Known
            anomalies are left out of training.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        ValueError
            If X holds infinity, or NaN with ``nan_policy="raise"``, or fewer than two bulk
            rows; if y mixes -1 with labels other than +1.
        """
        with unchanged_on_error(self):
            self._fit_checked(X, y)
        return self

    def _fit_checked(
        self, X: Any, y: Any, X_contrast: Any = None, sample_weight: Any = None
    ) -> None:
        X = check_rows(self, X, reset=True, min_rows=2)
        self._learn(X, bulk_mask(y, len(X)), X_contrast, sample_weight)

    def _learn(
        self, X: np.ndarray, is_bulk: np.ndarray, X_contrast: Any = None, sample_weight: Any = None
    ) -> None:
        """Fit to checked rows, of which some are bulk."""
        weights = None
        if sample_weight is not None:
            weight = check_sample_weight(sample_weight, X, ensure_non_negative=True)
            had_rare = not is_bulk.all()
            X, is_bulk, weight = (part[weight > 0] for part in (X, is_bulk, weight))
            if had_rare and is_bulk.all():
                warnings.warn(
                    "all rows with y = -1 have weight 0, so nothing is learned from them",
                    UserWarning,
                    stacklevel=5,
                )
        has_nan = np.isnan(X).any(axis=1)
        bulk, rare = X[is_bulk & ~has_nan], X[~is_bulk & ~has_nan]
        if sample_weight is not None:
            weights = weight[is_bulk & ~has_nan], weight[~is_bulk & ~has_nan]
        if len(bulk) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 bulk rows; got {len(bulk)} of "
                f"{len(X)} rows ({(~is_bulk).sum()} labelled -1, {has_nan.sum()} with NaN)"
            )
        n_given, n_contrast, auxiliary = len(X), int((~is_bulk).sum()), X[:0]
        if X_contrast is not None:
            given = check_rows(self, X_contrast, reset=False, input_name="X_contrast")
            auxiliary = given[~np.isnan(given).any(axis=1)]
            n_given, n_contrast = n_given + len(given), n_contrast + len(given)
        contrast = ContrastRows(rare, auxiliary, weights)
        if self._uses_contrast and n_contrast and contrast.n_rows == 0:
            raise ValueError(
                f"all {n_contrast} contrast rows (y = -1 or X_contrast) contain NaN; at least one "
                "must not, or none be given"
            )
        self.n_omitted_ = n_given - len(bulk) - contrast.n_rows
        if self.n_omitted_:
            logger.info("left %d of %d rows with NaN out of training", self.n_omitted_, n_given)
        self._set_threshold(bulk, contrast, self._fit(bulk, contrast))

    def _set_threshold(
        self, bulk: np.ndarray, contrast: ContrastRows, held_out: np.ndarray | None
    ) -> None:
        self.offset_ = self._threshold(bulk, contrast, held_out)
        if not np.isfinite(self.offset_):
            raise ValueError(
                f"{type(self).__name__} gave scores that are not finite to training rows, so "
                "there is no threshold to set"
            )

    def _threshold(
        self, bulk: np.ndarray, contrast: ContrastRows, held_out: np.ndarray | None
    ) -> float:
        if self.contamination != "auto":
            scores = self._score_samples(bulk)
            threshold = np.quantile(scores, self.contamination)
        else:
            if held_out is not None:
                scores = self._held_out_scores(held_out)
            else:
                scores = self._cross_fitted_scores(bulk, contrast)
            # A fresh row scores below the k-th lowest of m others with chance k / (m + 1).
            k = int(AUTO_QUANTILE * (len(scores) + 1))
            threshold = np.sort(scores)[max(k, 1) - 1]
            if k == 0:  # too few to tell 5 %: ask the training rows as well
                in_sample = np.quantile(self._score_samples(bulk), AUTO_QUANTILE)
                threshold = min(threshold, in_sample)
        if np.isnan(scores).any():
            return np.nan
        # A hair lower, so that rounding never flips the row that the threshold was taken from.
        return float(threshold - 1e-9 * max(abs(threshold), np.median(np.abs(scores))))

    @abstractmethod
    def _fit(self, X: np.ndarray, contrast: ContrastRows) -> np.ndarray | None:
        """Learn from bulk rows and known anomalies; return the bulk rows held out, if any."""

    @abstractmethod
    def _score_samples(self, X: np.ndarray) -> np.ndarray:
        """Score rows: higher means more normal."""

    def _held_out_scores(self, held_out: np.ndarray) -> np.ndarray:
        """Scores of the held-out bulk rows as if they were new."""
        return self._score_samples(held_out)

    def _cross_fitted_scores(self, bulk: np.ndarray, contrast: ContrastRows) -> np.ndarray:
        """Scores of bulk rows by a copy of the detector that did not train on them."""
        # What went on from a former fit cannot be repeated on fewer rows: judged by its own.
        goes_on = getattr(self, "warm_start", False) or hasattr(self, "_passed")
        if len(bulk) < MIN_ROWS_TO_HOLD_OUT or goes_on:
            return self._score_samples(bulk)
        order = np.random.RandomState(0).permutation(len(bulk))
        held_out, rest = np.split(order, [len(bulk) // 5])
        copy, _ = self._fitted_copy(self, bulk[rest], contrast)
        return copy._score_samples(bulk[held_out])

    def _fitted_copy(
        self, detector: "BaseDetector", bulk: np.ndarray, contrast: ContrastRows, seed: Any = None
    ) -> tuple[Any, np.ndarray | None]:
        """Fit a copy of a detector, without a threshold, to rows of the columns of this one.

        Also returns the bulk rows that the copy held out.
        """
        copy = clone(detector)
        if hasattr(copy, "set_callbacks"):
            copy.set_callbacks()  # none: they follow the detector itself
        if seed is not None and "random_state" in copy.get_params(deep=False):
            copy.set_params(random_state=seed)
        copy._validate_params()
        copy._take_columns_of(self)
        return copy, copy._fit(bulk, contrast)

    def _take_columns_of(self, other: Any) -> None:
        """Go without the validation of X, which was another detector's."""
        self.n_features_in_ = other.n_features_in_
        if hasattr(other, "feature_names_in_"):
            self.feature_names_in_ = other.feature_names_in_

    def _on_finite_rows(self, X: np.ndarray, compute: Any, width: int | None = None) -> np.ndarray:
        """Apply `compute` to the rows without NaN and leave NaN in the others."""
        judged = ~np.isnan(X).any(axis=1)
        if judged.all():
            return compute(X)
        out = np.full(len(X) if width is None else (len(X), width), np.nan)
        if judged.any():
            out[judged] = compute(X[judged])
        return out

    def score_samples(self, X: Any) -> np.ndarray:
        """Score every row: higher means more normal.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to score. A row's score does not depend on the other rows.

        Returns
        -------
        scores : ndarray of shape (n_samples,), float64
            NaN for rows with NaN under ``nan_policy="omit"``.
        """
        check_is_fitted(self)
        return self._on_finite_rows(check_rows(self, X, reset=False), self._score_samples)

    def decision_function(self, X: Any) -> np.ndarray:
        """Score every row relative to the threshold: negative means outlier.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to score.

        Returns
        -------
        decision : ndarray of shape (n_samples,), float64
            ``score_samples(X) - offset_``.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """Label every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to label.

        Returns
        -------
        labels : ndarray of shape (n_samples,), int
            +1 for bulk, -1 for outliers, 0 for rows with NaN (not judged).
        """
        return predicted(self.decision_function(X))

    def fit_predict(self, X: Any, y: Any = None, **fit_params: Any) -> np.ndarray:
        """Fit on X and label its rows; y reaches `fit`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,), default=None
            Labels as in `fit`.
        **fit_params : dict
            Further arguments of `fit`.

        Returns
        -------
        labels : ndarray of shape (n_samples,), int
            As from `predict`.
        """
        return self.fit(X, y, **fit_params).predict(X)

    def anomaly_score(self, X: Any) -> np.ndarray:
        """Score every row the other way round: higher means more anomalous.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to score.

        Returns
        -------
        scores : ndarray of shape (n_samples,), float64
            ``-score_samples(X)``, the sign that papers and PyOD use.
        """
        return -self.score_samples(X)

    @available_if(_scores_are_log_densities)
    def score(self, X: Any, y: Any = None) -> float:
        """Mean log-density of the bulk rows, in nats: needs no labels.

        Comparable only between detectors that see X through the same preprocessing.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Held-out rows.
        y : array-like of shape (n_samples,), default=None
            Labels as in `fit`; rows with -1 do not count.

        Returns
        -------
        score : float
            Every row with NaN counts as -1e9 nats, so that a detector that loses more rows
            never wins a search, and among those that lose the same number the likelihood of
            the others decides.
        """
        scores = self.score_samples(X)
        scores = scores[bulk_mask(y, len(scores))]
        if len(scores) == 0:
            raise ValueError("score needs at least one bulk row; got none")
        return float(np.where(np.isnan(scores), LOST_LOG_DENSITY, scores).mean())

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.nan_policy == "omit"
        return tags
