"""FlowEnsemble: the mean density of several flows."""

from numbers import Integral
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from scipy.special import logsumexp

from .._sklearn import Interval
from ..training import resolve_seed
from ._base import MIN_ROWS_TO_HOLD_OUT, BaseDetector
from ._contrast import ContrastRows
from ._realnvp import RealNVPOutlierDetector
from ._torch import MAX_HELD_OUT


class FlowEnsemble(BaseDetector):
    """Average the densities of several detectors.

    Members differ in their seed, and so in their first weights, rotations, batches and held-out
    rows; with a list of detectors also in their parameters. The mean of densities is a density:
    by Jensen's inequality its log-likelihood is at least the members' mean, at n times the cost.

    Parameters
    ----------
    estimator : detector, list of detectors or None, default=None
        Skflow detectors whose `score_samples` are log-densities, as of flows and of
        `MahalanobisDetector`; a list is gone through in turn. None is `RealNVPOutlierDetector()`.
    n_estimators : int, default=4
        Number of members.
    n_jobs : int or None, default=None
        Members fitted at once, through joblib.
    contamination : "auto" or float in (0, 0.5], default="auto"
        Share of the bulk below the threshold: of the training rows for a float; for "auto", 5 %
        of a fifth of the bulk, 10,000 rows at most, that no member sees (of fewer than 20 rows
        all are trained on).
    random_state : int, RandomState instance or None, default=None
        Seed of the members' seeds; their own is not used.
    nan_policy : {"raise", "omit"}, default="raise"
        "omit" leaves rows with NaN out of training, scores them NaN and predicts 0.

    Attributes
    ----------
    estimators_ : list of detectors
        The members, for `score_samples`; they have no thresholds of their own.
    offset_ : float
        Threshold on `score_samples`.
    n_omitted_ : int
        Training rows left out because of NaN.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where X had string column names.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow import FlowEnsemble, RealNVPOutlierDetector
    >>> X = np.random.RandomState(0).normal(size=(300, 2))
    >>> widths = [RealNVPOutlierDetector(hidden_features=h, max_iter=50) for h in (16, 32)]
    >>> detector = FlowEnsemble(widths, n_estimators=2, random_state=0).fit(X)
    >>> detector.predict([[0.0, 0.0], [8.0, -8.0]])
    array([ 1, -1])
    """

    _parameter_constraints: dict[str, list[Any]] = {
        **BaseDetector._parameter_constraints,
        "estimator": [None, BaseDetector, list],
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [None, Integral],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any = None,
        *,
        n_estimators: int = 4,
        n_jobs: int | None = None,
        contamination: float | str = "auto",
        random_state: Any = None,
        nan_policy: str = "raise",
    ):
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.n_jobs = n_jobs
        self.contamination = contamination
        self.random_state = random_state
        self.nan_policy = nan_policy

    def _kinds(self) -> list[BaseDetector]:
        if self.estimator is None:
            return [RealNVPOutlierDetector()]
        kinds = list(self.estimator) if isinstance(self.estimator, list) else [self.estimator]
        for kind in kinds or [None]:
            if not isinstance(kind, BaseDetector):
                raise ValueError(
                    "estimator must be a skflow detector or a list of at least one; "
                    f"got {self.estimator!r}"
                )
        return kinds

    @property
    def _is_log_density(self) -> bool:  # type: ignore[override]
        return all(kind._is_log_density for kind in self._kinds())

    @property
    def _uses_contrast(self) -> bool:  # type: ignore[override]
        return any(kind._uses_contrast for kind in self._kinds())

    def _fit(self, X: np.ndarray, contrast: ContrastRows) -> np.ndarray | None:
        random_state = np.random.RandomState(resolve_seed(self.random_state) % 2**32)
        kinds = self._kinds()
        held_out = None
        if self.contamination == "auto" and len(X) >= MIN_ROWS_TO_HOLD_OUT:
            order = random_state.permutation(len(X))
            held_out, X = np.split(X[order], [min(len(X) // 5, MAX_HELD_OUT)])
        seeds = random_state.randint(2**31 - 1, size=self.n_estimators)
        fits = Parallel(n_jobs=self.n_jobs)(
            delayed(self._fitted_copy)(kinds[i % len(kinds)], X, contrast, int(seed))
            for i, seed in enumerate(seeds)
        )
        self.estimators_ = [member for member, _ in fits]
        return held_out

    def _score_samples(self, X: np.ndarray) -> np.ndarray:
        scores = np.stack([member._score_samples(X) for member in self.estimators_])
        return logsumexp(scores, axis=0) - np.log(len(scores))
