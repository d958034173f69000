"""ThresholdDetector: a threshold by a stated rule, changed without another fit."""

from numbers import Real
from typing import Any

import numpy as np
from scipy.stats import chi2, norm
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state, indexable
from sklearn.utils.validation import check_is_fitted

from .._sklearn import HasMethods, Interval, StrOptions, fit_context, safe_indexing
from ..detectors._around import bulk_rows
from ..detectors._latent import squared_distance
from ..detectors._validation import unchanged_on_error
from ._inner import OneThresholdMixin


class ThresholdDetector(OneThresholdMixin):
    r"""Set the threshold of a detector by a stated rule.

    Parameters
    ----------
    estimator : detector
        Any outlier detector of scikit-learn's kind with ``score_samples``, or a pipeline that ends
        with one. A fitted one in a `sklearn.frozen.FrozenEstimator` is kept, and the bulk rows that
        `fit` gets set the threshold.
    rule : {"quantile", "false_alarms", "sigma"}, default="quantile"
        - "quantile": a share `level` of the training rows is flagged. Scores of training rows are
          too good, so that more of new rows are.
        - "false_alarms": of new bulk rows a share of at most `level` is flagged in the mean, judged
          by rows that are kept from training; none where these are too few to tell.
          `ConformalDetector` says more of such thresholds.
        - "sigma": rows more than `level` standard deviations from the centre of the latent space
          are flagged: the squared distance :math:`|z|^2` exceeds the chi-square quantile, with as
          many degrees of freedom as features, that a normal variable exceeds by chance as
          often as it strays by `level` standard deviations. It holds where the latent
          distribution is normal, and for flows that were trained by likelihood alone and
          `MahalanobisDetector`, whose distance it is, only; then `score_samples` is
          :math:`-|z|^2`.
    level : float, default=0.05
        Share of rows, or number of standard deviations. May be changed after `fit`.
    held_out_size : float in (0, 1), default=0.25
        Share of the bulk that does not train, with ``rule="false_alarms"``.
    random_state : int, RandomState instance or None, default=None
        Seed of the split; the estimator has its own.

    Attributes
    ----------
    estimator_ : detector
        The fitted detector.
    reference_scores_ : ndarray
        Scores that a share of is flagged; empty for "sigma".
    offset_ : float
        Threshold on `score_samples`.
    n_features_in_ : int
        Number of features, if the estimator knows.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where X had string column names.

    See Also
    --------
    ConformalDetector : A threshold whose false-alarm rate is guaranteed.
    TunedThresholdDetectorCV : The threshold that is best by a metric.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow import MahalanobisDetector
    >>> from skflow.calibration import ThresholdDetector
    >>> X = np.random.RandomState(0).normal(size=(1000, 3))
    >>> detector = ThresholdDetector(MahalanobisDetector(), rule="sigma", level=2.0).fit(X)
    >>> print(f"{np.mean(detector.predict(X) == -1):.1%}")  # of normal rows 4.6 % in the mean
    5.0%
    >>> print(f"{np.mean(detector.set_params(level=3.0).predict(X) == -1):.1%}")  # 0.27 %
    0.1%
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "estimator": [HasMethods(["fit", "score_samples"])],
        "rule": [StrOptions({"quantile", "false_alarms", "sigma"})],
        "level": [Interval(Real, 0, None, closed="neither")],
        "held_out_size": [Interval(Real, 0, 1, closed="neither")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any,
        *,
        rule: str = "quantile",
        level: float = 0.05,
        held_out_size: float = 0.25,
        random_state: Any = None,
    ):
        self.estimator = estimator
        self.rule = rule
        self.level = level
        self.held_out_size = held_out_size
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None, **fit_params: Any) -> "ThresholdDetector":
        """Fit the detector, and keep what its threshold is taken from.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,), default=None
            +1 for the bulk, -1 for known anomalies, which set no threshold; detectors that know
            what -1 means get them.
        **fit_params : dict
            Further arguments of the estimator's `fit`, such as `sample_weight`.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        ValueError
            If y mixes -1 with labels other than +1, `level` is no share where it must be one, or
            "sigma" is asked of a detector without a likelihood-trained latent space.
        """
        with unchanged_on_error(self):
            self._check_level()
            (X,) = indexable(X)
            bulk, anomalies = bulk_rows(X, y)
            train = held_out = bulk
            if self.rule == "false_alarms" and not isinstance(self.estimator, FrozenEstimator):
                if len(bulk) < 2:
                    raise ValueError(
                        "rule='false_alarms' needs at least 2 bulk rows, one of them held out; got "
                        f"{len(bulk)} sample{'s' if len(bulk) != 1 else ''}"
                    )
                train, held_out = train_test_split(
                    bulk,
                    test_size=self.held_out_size,
                    random_state=check_random_state(self.random_state),
                )
            self._fit_inner(X, train, anomalies, fit_params)
            self.rule_ = self.rule
            if self.rule == "sigma":
                _, self._n_latent = squared_distance(self.estimator_, safe_indexing(X, bulk[:1]))
                self.reference_scores_ = np.empty(0)
            else:
                scores = self.score_samples(safe_indexing(X, held_out))
                self.reference_scores_ = np.sort(scores[~np.isnan(scores)])
                if not len(self.reference_scores_):
                    raise ValueError("bulk rows must have scores; got NaN for all of them")
        return self

    def _check_level(self) -> None:
        if self.rule != "sigma" and self.level >= 1:
            raise ValueError(
                f"level must be a share below 1 with rule={self.rule!r}; got {self.level}"
            )

    @property
    def offset_(self) -> float:
        """Threshold on `score_samples` at `level`."""
        if not hasattr(self, "rule_"):
            raise AttributeError("offset_ is there after fit")
        if self.rule != self.rule_:
            raise AttributeError(f"a change of rule, from {self.rule_!r}, needs another fit")
        if self.rule != "sigma" and self.level >= 1:
            raise AttributeError(f"level must be a share below 1; got {self.level}")
        if self.rule == "sigma":
            return -float(chi2.isf(2 * norm.sf(self.level), self._n_latent))
        scores = self.reference_scores_
        if self.rule == "false_alarms":
            # A fresh row scores below the k-th lowest of n others with chance k / (n + 1).
            k = int(self.level * (len(scores) + 1) + 1e-9)
            return float(scores[k - 1]) if k else -np.inf
        # The k lowest lie below the next one, unless there are ties.
        k = min(int(self.level * len(scores) + 1e-9), len(scores) - 1)
        return float(scores[k])

    def score_samples(self, X: Any) -> np.ndarray:
        """Scores: higher means more normal.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to score.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            The detector's, or for "sigma" minus the squared distance in latent space.
        """
        check_is_fitted(self)
        if self.rule_ == "sigma":
            return -squared_distance(self.estimator_, X)[0]
        return super().score_samples(X)
