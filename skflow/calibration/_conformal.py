"""ConformalDetector: false-alarm rates and false-discovery rates that hold for any detector."""

import warnings
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy.stats import false_discovery_control
from sklearn.base import BaseEstimator, MetaEstimatorMixin, OutlierMixin
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import KFold, train_test_split
from sklearn.utils import check_random_state, get_tags, indexable
from sklearn.utils.validation import check_is_fitted

from .._sklearn import HasMethods, Interval, StrOptions, fit_context, safe_indexing
from ..detectors._around import bulk_rows, copy_features, fitted_on, relative
from ..detectors._validation import predicted, unchanged_on_error
from ._calibration_rows import CalibrationRows, checked_groups, groups_of_new, shift_weights
from ._p_values import Counts, conditional_p_values, p_values, weighted_selection


class ConformalDetector(OutlierMixin, MetaEstimatorMixin, BaseEstimator):
    r"""Give a detector p-values, and a threshold whose false-alarm rate holds.

    Part of the bulk is kept from the detector and scored afterwards. A new row of the bulk is as
    likely to rank first among them as any of them, whatever the detector, the data and their
    number. So with n calibration rows

    .. math:: p(x) = \frac{1 + \#\{i : s_i \le s(x)\}}{n + 1}, \qquad P(p \le \alpha) \le \alpha

    for rows of the bulk that are exchangeable with the calibration rows [1]_: drawn like them, one
    after the other, neither later, nor elsewhere, nor simulated.

    Parameters
    ----------
    estimator : detector
        Any outlier detector of scikit-learn's kind with ``score_samples``, or a pipeline that ends
        with one. A fitted one in a `sklearn.frozen.FrozenEstimator` is kept, and all bulk rows
        that `fit` gets, which it must not have seen, calibrate.
    alpha : float in (0, 1), default=0.05
        Share of the bulk that `predict` may flag. May be changed after `fit`.
    cv : int or None, default=None
        None splits the bulk once. A number of folds uses all rows for both (cross-conformal): each
        fold is scored by a detector fitted to the others, and a new row compared with each fold by
        its detector. Such p-values have no exact guarantee: what is known bounds the false-alarm
        rate near twice alpha, in practice it is near alpha (Vovk 2015 [2]_).
    calibration_size : float in (0, 1), default=0.25
        Share of the bulk that calibrates, with ``cv=None``.
    guarantee : {"marginal", "conditional"}, default="marginal"
        Over what the false-alarm rate is at most alpha. "marginal" is the mean over calibration
        sets, where a single set can be unlucky: its rate is beta-distributed. "conditional" raises
        p-values so that it holds for all alpha at once with a chance of 1 - `delta` (Bates et al.
        2023 [1]_); needs ``cv=None``.
    delta : float in (0, 1), default=0.1
        Chance that the conditional guarantee does not hold; with groups, in each.
    ties : {"conservative", "random"}, default="conservative"
        "random" puts equal scores in random order, so that false alarms follow the same law as
        without ties, and the same call may give another answer; "conservative" flags none or
        all of them, and so fewer than alpha.
    covariate_shift : callable or None, default=None
        For new rows whose features are distributed otherwise than the calibration rows':
        ``covariate_shift(X)`` is the ratio of the two densities up to a factor, positive weights of
        shape (n_samples,). P-values become weighted (Tibshirani et al. 2019), `select` weighted
        conformal selection [3]_; needs ``cv=None``.
    random_state : int, RandomState instance or None, default=None
        Seed of the split and of random ties; the estimator has its own.

    Attributes
    ----------
    estimators_ : list of detectors
        The fitted detector, or one for every fold.
    calibration_scores_ : list of ndarray
        Scores of the calibration rows by each of them.
    n_calibration_ : int
        Number of calibration rows; those without a score (NaN) do not count.
    groups_ : ndarray or None
        The groups, if `fit` got any.
    offset_ : float
        Threshold on `score_samples` at `alpha`, minus infinity where no row can be flagged; only
        where there is a single one.
    n_features_in_ : int
        Number of features, if the estimator knows.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where X had string column names.

    See Also
    --------
    ThresholdDetector : Thresholds without a guarantee.

    References
    ----------
    .. [1] Bates, Candes, Lei, Romano and Sesia, "Testing for outliers with conformal p-values",
       Annals of Statistics 51, 2023, arXiv:2104.08279.
    .. [2] Vovk, "Cross-conformal predictors", Annals of Mathematics and AI 74, 2015.
    .. [3] Jin and Candes, "Model-free selective inference under covariate shift via weighted
       conformal p-values", 2023, arXiv:2307.09291.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow import RealNVPOutlierDetector
    >>> from skflow.calibration import ConformalDetector
    >>> rng = np.random.RandomState(0)
    >>> bulk, new = rng.normal(size=(2000, 2)), rng.normal(size=(1000, 2))
    >>> detector = ConformalDetector(RealNVPOutlierDetector(random_state=0), random_state=0)
    >>> flagged = detector.fit(bulk).predict(new) == -1
    >>> bool(flagged.mean() < 0.08)  # 5 % in the mean
    True
    >>> new[:20] += 8
    >>> selected = detector.select(new, fdr=0.1)  # at most 10 % of them bulk, in the mean
    >>> bool(selected[:20].all()), bool(selected.sum() < 30)
    (True, True)
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "estimator": [HasMethods(["fit", "score_samples"])],
        "alpha": [Interval(Real, 0, 1, closed="neither")],
        "cv": [None, Interval(Integral, 2, None, closed="left")],
        "calibration_size": [Interval(Real, 0, 1, closed="neither")],
        "guarantee": [StrOptions({"marginal", "conditional"})],
        "delta": [Interval(Real, 0, 1, closed="neither")],
        "ties": [StrOptions({"conservative", "random"})],
        "covariate_shift": [None, callable],
        "random_state": ["random_state"],
    }
    # Asked for by default wherever metadata is routed.
    __metadata_request__fit = {"calibration_groups": True}
    __metadata_request__predict = {"calibration_groups": True}
    __metadata_request__decision_function = {"calibration_groups": True}

    def __init__(
        self,
        estimator: Any,
        *,
        alpha: float = 0.05,
        cv: int | None = None,
        calibration_size: float = 0.25,
        guarantee: str = "marginal",
        delta: float = 0.1,
        ties: str = "conservative",
        covariate_shift: Callable[[Any], Any] | None = None,
        random_state: Any = None,
    ):
        self.estimator = estimator
        self.alpha = alpha
        self.cv = cv
        self.calibration_size = calibration_size
        self.guarantee = guarantee
        self.delta = delta
        self.ties = ties
        self.covariate_shift = covariate_shift
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self, X: Any, y: Any = None, calibration_groups: Any = None, **fit_params: Any
    ) -> "ConformalDetector":
        """Fit the detector to part of the bulk, and calibrate with the rest.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of the bulk, clean: anomalies among the calibration rows make p-values larger.
        y : array-like of shape (n_samples,), default=None
            +1 for the bulk, -1 for known anomalies, which never calibrate; detectors that know
            what -1 means get them.
        calibration_groups : array-like of shape (n_samples,), default=None
            Group of every row, such as its telescope or energy bin: the false-alarm rate then
            holds in each, and new rows need their group, too.
        **fit_params : dict
            Further arguments of the estimator's `fit`, such as `sample_weight`.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        ValueError
            If y mixes -1 with labels other than +1, too few rows are left to train or
            calibrate, or options are combined that have no guarantee together.

        Warns
        -----
        UserWarning
            If there are fewer calibration rows than ``1 / alpha - 1``, in a group or in all, so
            that no row can be flagged.
        """
        with unchanged_on_error(self):
            self._fit(X, y, calibration_groups, fit_params)
        return self

    def _fit(self, X: Any, y: Any, calibration_groups: Any, fit_params: dict[str, Any]) -> None:
        self._check_options(calibration_groups)
        (X,) = indexable(X)
        bulk, anomalies = bulk_rows(X, y)
        groups = checked_groups(X, calibration_groups)
        rng = check_random_state(self.random_state)
        self._fitted_with = (self.cv, self.covariate_shift)
        self.estimators_, self._calibration = [], []
        splits = self._splits(bulk, rng)
        # Of the order of equal scores: one for calibration rows, and draws that go on for new ones.
        self._seed, of_new = rng.randint(2**31 - 1, size=2).tolist()
        self._of_new = np.random.RandomState(of_new)
        for train, out in splits:
            model = self.estimator
            if not isinstance(model, FrozenEstimator):
                model = fitted_on(model, X, bulk[train], anomalies, fit_params)
            rows = safe_indexing(X, bulk[out])
            scores = np.asarray(model.score_samples(rows), dtype=np.float64)
            judged = ~np.isnan(scores)
            self.estimators_.append(model)
            weights = shift_weights(self.covariate_shift, rows, judged)
            self._calibration.append(
                CalibrationRows(scores[judged], groups[bulk[out]][judged], weights[judged])
            )
        copy_features(self, self.estimators_[0])
        self.calibration_scores_ = [rows.scores for rows in self._calibration]
        self.n_calibration_ = sum(map(len, self.calibration_scores_))
        if not self.n_calibration_:
            raise ValueError("calibration rows must have scores; got NaN for all of them")
        self.groups_ = None
        if calibration_groups is not None:
            self.groups_ = np.unique(self._all_groups())
            missing = np.setdiff1d(groups[bulk], self.groups_).tolist()
            if missing:
                raise ValueError(
                    f"every group must have calibration rows; got none of {missing[:5]}"
                )
        self._check_level()

    def _all_groups(self) -> np.ndarray:
        return np.concatenate([rows.groups for rows in self._calibration])

    def _splits(self, bulk: np.ndarray, rng: np.random.RandomState) -> Any:
        """Positions within the bulk that train and that calibrate."""
        everything = np.arange(len(bulk))
        if isinstance(self.estimator, FrozenEstimator):
            if self.cv is not None:
                raise ValueError(f"a FrozenEstimator needs cv=None; got cv={self.cv}")
            return [(everything[:0], everything)]
        if self.cv is None:
            if len(bulk) < 2:
                raise ValueError(
                    "ConformalDetector needs at least 2 bulk rows, to train with and to calibrate; "
                    f"got {len(bulk)} sample{'s' if len(bulk) != 1 else ''}"
                )
            sizes = {"test_size": self.calibration_size, "random_state": rng}
            return [train_test_split(everything, **sizes)]
        return list(KFold(self.cv, shuffle=True, random_state=rng).split(everything))

    def _check_level(self) -> None:
        groups, sizes = np.unique(self._all_groups(), return_counts=True)
        n = int(sizes.min())
        smallest = self._smallest_p(n)
        if smallest > self.alpha * (1 + 1e-9):
            where = "" if self.groups_ is None else f" of group {groups.tolist()[sizes.argmin()]!r}"
            warnings.warn(
                f"{n} calibration rows{where} are too few for alpha={self.alpha:g}: the smallest "
                f"p-value is {smallest:.3g}, so nothing can be flagged",
                UserWarning,
                stacklevel=5,
            )

    def _smallest_p(self, n: int) -> float:
        """Smallest p-value that n calibration rows of equal weight allow."""
        p = np.array([1 / (n + 1)])
        return float((conditional_p_values(p, n, self.delta) if self._conditional else p)[0])

    @property
    def _conditional(self) -> bool:
        return self.guarantee == "conditional"

    def _check_options(self, groups: Any) -> None:
        """Refuse options that have no guarantee together."""
        if self.cv is not None and (self.covariate_shift is not None or self._conditional):
            raise ValueError(
                "covariate_shift and guarantee='conditional' need cv=None: cross-conformal "
                f"p-values have no such guarantee; got cv={self.cv}"
            )
        if self.covariate_shift is not None and (
            self._conditional or self.ties == "random" or groups is not None
        ):
            raise ValueError(
                "covariate_shift needs guarantee='marginal', ties='conservative' and no "
                "calibration_groups: weighted p-values are not known to hold with these"
            )

    def _check_unchanged(self) -> None:
        """Check parameters that may have been set since `fit`."""
        check_is_fitted(self)
        self._validate_params()
        if self._fitted_with != (self.cv, self.covariate_shift):
            raise ValueError("a change of cv or covariate_shift needs another fit")
        self._check_options(self.groups_)

    @property
    def _is_plain(self) -> bool:
        return (
            self.cv is None
            and self.covariate_shift is None
            and self.guarantee == "marginal"
            and self.ties == "conservative"
            and getattr(self, "groups_", None) is None
        )

    def _counts(self, X: Any, groups: Any) -> tuple[np.ndarray, Counts]:
        """Mean scores of new rows, and their comparison with the calibration rows."""
        self._check_unchanged()
        scores = np.array([model.score_samples(X) for model in self.estimators_], dtype=float)
        groups = groups_of_new(X, groups, self.groups_)
        below, at_most, total = np.zeros((3, scores.shape[1]))
        for own, calibration in zip(scores, self._calibration, strict=True):
            ties = (self._seed, self._of_new) if self.ties == "random" else None
            counts = calibration.compare(own, groups, ties)
            below += counts.below
            at_most += counts.at_most
            total += counts.total
        return scores.mean(axis=0), Counts(below, at_most, total)

    def p_values(self, X: Any, calibration_groups: Any = None) -> np.ndarray:
        """P-value of every row: the chance of a row of the bulk to look as strange.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            New rows.
        calibration_groups : array-like of shape (n_samples,), default=None
            Their groups, if `fit` got groups.

        Returns
        -------
        p_values : ndarray of shape (n_samples,)
            NaN for rows without a score.

        Raises
        ------
        ValueError
            If groups are missing or unknown, or weights are not positive.
        """
        return self._compared(X, calibration_groups)[0]

    def _compared(self, X: Any, groups: Any) -> tuple[np.ndarray, np.ndarray, Counts, np.ndarray]:
        """P-values, and what they are made of: scores, counts and weights of new rows."""
        (X,) = indexable(X)
        scores, counts = self._counts(X, groups)
        weights = shift_weights(self.covariate_shift, X, ~np.isnan(scores))
        p = p_values(counts, weights)
        if self._conditional:
            for n in np.unique(counts.total).astype(int):
                rows = counts.total == n
                p[rows] = conditional_p_values(p[rows], n, self.delta)
        return np.where(np.isnan(scores), np.nan, p), scores, counts, weights

    def select(self, X: Any, fdr: float = 0.1, calibration_groups: Any = None) -> np.ndarray:
        """Choose rows so that few of the chosen belong to the bulk.

        Benjamini and Hochberg's procedure on the p-values keeps the expected share of bulk rows
        among the chosen at most `fdr` times the share of bulk rows in X [1]_. It is an
        expectation over calibration sets and batches: the share in a single batch may well be
        larger. With a covariate shift it is weighted conformal selection, whose cost grows with
        the square of the number of rows. Cross-conformal p-values (``cv``) give no guarantee
        here.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            New rows, all those that were looked at: selecting among rows that were selected before
            holds nothing.
        fdr : float in (0, 1), default=0.1
            False-discovery rate.
        calibration_groups : array-like of shape (n_samples,), default=None
            Their groups, if `fit` got groups.

        Returns
        -------
        selected : ndarray of bool, shape (n_samples,)
            Rows without a score are never selected, and do not count.

        Raises
        ------
        ValueError
            If `fdr` is not in (0, 1); as for `p_values`.

        Warns
        -----
        UserWarning
            If nothing is selected and the calibration rows are so few that only many rows
            together can be.
        """
        if not 0 < fdr < 1:
            raise ValueError(f"fdr must be between 0 and 1; got {fdr}")
        p, scores, counts, weights = self._compared(X, calibration_groups)
        judged = ~np.isnan(p)
        selected = np.zeros(len(p), dtype=bool)
        if not judged.any():
            return selected
        if self.covariate_shift is not None:
            selected[judged] = weighted_selection(
                p[judged],
                scores[judged],
                counts.below[judged],
                counts.total[judged],
                weights[judged],
                fdr,
            )
            return selected
        selected[judged] = false_discovery_control(p[judged]) <= fdr * (1 + 1e-12)
        fewest = int(counts.total[judged].min())
        n_needed = int(np.ceil(judged.sum() * self._smallest_p(fewest) / fdr - 1e-9))
        if not selected.any() and n_needed > 1:
            warnings.warn(
                f"nothing is selected, and with {fewest} calibration rows fewer than "
                f"{n_needed} of {judged.sum()} rows never are at fdr={fdr:g}: calibrate with more "
                "rows, or look at fewer",
                UserWarning,
                stacklevel=2,
            )
        return selected

    def predict(self, X: Any, calibration_groups: Any = None) -> np.ndarray:
        """Flag rows of a p-value of at most `alpha`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            New rows.
        calibration_groups : array-like of shape (n_samples,), default=None
            Their groups, if `fit` got groups.

        Returns
        -------
        labels : ndarray of shape (n_samples,), int
            -1 for flagged rows, +1 for others, 0 for rows without a score.
        """
        return predicted(self.decision_function(X, calibration_groups))

    def decision_function(self, X: Any, calibration_groups: Any = None) -> np.ndarray:
        """Negative for rows that `predict` flags.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            New rows.
        calibration_groups : array-like of shape (n_samples,), default=None
            Their groups, if `fit` got groups.

        Returns
        -------
        decision : ndarray of shape (n_samples,)
            ``score_samples(X) - offset_`` where there is an `offset_`; else p-values minus
            alpha. Rank by `score_samples`: p-values of the strangest rows are all alike.
        """
        check_is_fitted(self)
        if self._is_plain and calibration_groups is None:
            return relative(self.score_samples(X), self.offset_)
        p = self.p_values(X, calibration_groups)
        # At most alpha, up to the rounding of the p-value, is flagged.
        flagged = p <= self.alpha * (1 + 1e-12)
        return np.where(flagged, np.minimum(p - self.alpha, -1e-12), p - self.alpha)

    @property
    def estimator_(self) -> Any:
        """The fitted detector, where there is a single one."""
        if self.cv is not None or not hasattr(self, "estimators_"):
            raise AttributeError("estimator_ is there after fit with cv=None; see estimators_")
        return self.estimators_[0]

    def score_samples(self, X: Any) -> np.ndarray:
        """Scores of the detector: higher means more normal.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            New rows.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            With folds the mean over their detectors.
        """
        check_is_fitted(self)
        return np.mean([model.score_samples(X) for model in self.estimators_], axis=0)

    @property
    def offset_(self) -> float:
        """Threshold on `score_samples` at `alpha`."""
        if not self._is_plain:
            raise AttributeError(
                "offset_ exists for a single split without calibration_groups, covariate_shift, "
                "conditional guarantee and random ties only: use p_values"
            )
        self._check_unchanged()
        (scores,) = self.calibration_scores_
        k = int(self.alpha * (len(scores) + 1) + 1e-9)
        return float(np.sort(scores)[k - 1]) if k else -np.inf

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        of_estimator = get_tags(self.estimator).input_tags
        tags.input_tags.sparse = of_estimator.sparse
        tags.input_tags.allow_nan = of_estimator.allow_nan
        return tags

    def fit_predict(
        self, X: Any, y: Any = None, calibration_groups: Any = None, **fit_params: Any
    ) -> np.ndarray:
        """Fit, and label the same rows, for which nothing is guaranteed.

        Parameters
        ----------
        X, y, calibration_groups, **fit_params
            As for `fit`.

        Returns
        -------
        labels : ndarray of shape (n_samples,), int
            As from `predict`.
        """
        self.fit(X, y, calibration_groups, **fit_params)
        return self.predict(X, calibration_groups)
