"""FlowNeighborsDetector: neighbours in the data and in the latent space of a flow."""

import math
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.neighbors import NearestNeighbors

from .._sklearn import Interval, StrOptions
from ..training import resolve_seed
from ._base import BaseDetector
from ._contrast import ContrastRows
from ._flow import FlowMixin
from ._realnvp import RealNVPOutlierDetector
from ._scaling import scaling, standardized

#: Below so many rows the default flow trains for fewer steps.
SMALL_TABLE = 2000
#: Noise of the default flow, in ranges of the features.
NOISE = 0.03
#: Neighbours of n_neighbors="auto", of clean rows and where rows are trimmed.
N_NEIGHBORS, N_NEIGHBORS_TRIMMED = 5, 32
#: Distances below this are all the same: rows that are equal.
LEAST_DISTANCE = 1e-3
#: Latent rows are clipped to this: further out the other coordinates tell rows apart.
MAX_LATENT = 1e3
#: Rows scored at once: bounds the memory that distances take.
CHUNK_ROWS = 4096


class FlowNeighborsDetector(BaseDetector):
    """Detect rows that are far from the bulk, in the data and in the latent space of a flow.

    The score is minus the log of the mean distance to the nearest bulk rows, averaged over three
    coordinate systems. Two are the data in units of every feature's range, in which features with
    rare large values count less than in standard deviations: once as they are, and once with
    their tails drawn in by arcsinh. The third is the latent space of a flow that was trained with
    much noise, in which the bulk has no shape left, so that all directions count alike. Neighbours
    remember single rows, a flow the shape of all of them, and rows that both find far away are
    seldom bulk. A good first choice for tables of unknown kind; where a density or a threshold in
    nats is wanted, `RealNVPOutlierDetector` has one.

    Parameters
    ----------
    estimator : flow detector or None, default=None
        Gives the latent space. None is a `RealNVPOutlierDetector` of 4 blocks with `trim` and
        noise of 3 % of each feature's range (with `trim`, of the range of its central values).
        For n < 2,000 rows it trains for 60 steps with batches of 128; for more, with networks of
        width 64, for ``5 * sqrt(n)`` steps, at most 1,500, with batches of 256.
    n_neighbors : "auto" or int, default="auto"
        Number of neighbours, all other rows at most. "auto" is 5, and 32 with `trim`: anomalies in
        training have each other for neighbours.
    trim : float in [0, 0.5), default=0.0
        Share of the training rows, that of the lowest density, that are no neighbours and do not
        teach the default flow: for training rows with unlabelled anomalies among them.
    n_jobs : int or None, default=None
        Threads that search for neighbours.
    contamination : "auto" or float in (0, 0.5], default="auto"
        Share of the bulk below the threshold: of the training rows for a float; for "auto", 5 %
        of the rows that the flow holds out, each scored without itself.
    random_state : int, RandomState instance or None, default=None
        Seed of the flow's seed; its own is not used.
    nan_policy : {"raise", "omit"}, default="raise"
        "omit" leaves rows with NaN out of training, scores them NaN and predicts 0.

    Attributes
    ----------
    estimator_ : flow detector
        The fitted flow, without a threshold of its own.
    neighbors_ : list of NearestNeighbors
        The bulk rows in the three coordinate systems.
    mean_, scale_ : ndarray of shape (n_features,)
        Mean and standard deviation of every feature.
    ranges_ : list of ndarray of shape (n_features,)
        Range of every standardised feature, before and after arcsinh; 1 where it is constant.
    n_neighbors_ : int
        Number of neighbours.
    offset_ : float
        Threshold on `score_samples`.
    n_omitted_ : int
        Training rows left out because of NaN.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where X had string column names.

    See Also
    --------
    RealNVPOutlierDetector : The log-density of the flow.

    References
    ----------
    .. [1] Ramaswamy, Rastogi and Shim, "Efficient algorithms for mining outliers from large data
       sets", SIGMOD 2000.
    .. [2] Livernoche, Jain, Hezaveh and Ravanbakhsh, "On diffusion modeling for anomaly
       detection", ICLR 2024, arXiv:2305.18593: mean distances to neighbours.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow import FlowNeighborsDetector
    >>> X = np.random.RandomState(0).normal(size=(300, 2))
    >>> detector = FlowNeighborsDetector(random_state=0).fit(X)
    >>> detector.predict([[0.0, 0.0], [8.0, -8.0]])
    array([ 1, -1])
    """

    _parameter_constraints: dict[str, list[Any]] = {
        **BaseDetector._parameter_constraints,
        "estimator": [None, FlowMixin],
        "n_neighbors": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "trim": [Interval(Real, 0, 0.5, closed="left")],
        "n_jobs": [None, Integral],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any = None,
        *,
        n_neighbors: int | str = "auto",
        trim: float = 0.0,
        n_jobs: int | None = None,
        contamination: float | str = "auto",
        random_state: Any = None,
        nan_policy: str = "raise",
    ):
        self.estimator = estimator
        self.n_neighbors = n_neighbors
        self.trim = trim
        self.n_jobs = n_jobs
        self.contamination = contamination
        self.random_state = random_state
        self.nan_policy = nan_policy

    def _flow(self, X: np.ndarray) -> Any:
        if self.estimator is not None:
            return self.estimator
        size: dict[str, Any] = (
            {"max_iter": 60, "batch_size": 128}
            if len(X) < SMALL_TABLE
            else {"max_iter": min(int(5 * math.sqrt(len(X))), 1500), "hidden_features": 64}
        )
        mean, scale = scaling(X)
        noise = NOISE * _range(standardized(X, mean, scale), self.trim)
        return RealNVPOutlierDetector(n_blocks=4, noise=noise, trim=self.trim, **size)

    def _fit(self, X: np.ndarray, contrast: ContrastRows) -> np.ndarray | None:
        seed = resolve_seed(self.random_state) % 2**32
        self.estimator_, held_out = self._fitted_copy(self._flow(X), X, contrast, seed)
        n_trimmed = int(self.trim * len(X))
        self._least_density = -math.inf
        if n_trimmed:
            density = self.estimator_._score_samples(X)
            order = np.argsort(density, kind="stable")
            self._least_density = density[order[n_trimmed]]
            X = X[np.sort(order[n_trimmed:])]
        self.mean_, self.scale_ = scaling(X)
        z = standardized(X, self.mean_, self.scale_)
        self.ranges_ = [_range(z), _range(np.arcsinh(z))]
        self.neighbors_ = [
            NearestNeighbors(n_jobs=self.n_jobs).fit(rows) for rows in self._coordinates(X)
        ]
        auto = N_NEIGHBORS_TRIMMED if self.trim else N_NEIGHBORS
        n_neighbors = auto if self.n_neighbors == "auto" else int(self.n_neighbors)
        self.n_neighbors_ = min(n_neighbors, len(X) - 1)
        return held_out

    def _coordinates(self, X: np.ndarray) -> list[np.ndarray]:
        """Rows in the three coordinate systems in which neighbours are near."""
        latent = np.clip(self.estimator_._latent(X), -MAX_LATENT, MAX_LATENT)
        return [*self._data_coordinates(X), latent]

    def _data_coordinates(self, X: np.ndarray) -> list[np.ndarray]:
        """Rows in ranges of the features, as they are and with their tails drawn in."""
        z = standardized(X, self.mean_, self.scale_)
        return [z / self.ranges_[0], np.arcsinh(z) / self.ranges_[1]]

    def _score_samples(self, X: np.ndarray, *, without_self: bool = False) -> np.ndarray:
        return np.concatenate(
            [
                self._score_chunk(X[start : start + CHUNK_ROWS], int(without_self))
                for start in range(0, len(X), CHUNK_ROWS)
            ]
        )

    def _held_out_scores(self, held_out: np.ndarray) -> np.ndarray:
        scores = self._score_samples(held_out, without_self=True)
        if not self.trim:
            return scores
        trimmed = self.estimator_._score_samples(held_out) < self._least_density
        if trimmed.any():  # these are not among the neighbours
            scores[trimmed] = self._score_samples(held_out[trimmed])
        return scores

    def _score_chunk(self, X: np.ndarray, n_skipped: int) -> np.ndarray:
        """Minus the mean log distance, the nearest `n_skipped` neighbours skipped."""
        score = np.zeros(len(X))
        for rows, neighbors in zip(self._coordinates(X), self.neighbors_, strict=True):
            distances, _ = neighbors.kneighbors(rows, n_neighbors=self.n_neighbors_ + n_skipped)
            mean = distances[:, n_skipped:].mean(axis=1)
            score -= np.log(np.maximum(mean, LEAST_DISTANCE))
        return score / len(self.neighbors_)


def _range(X: np.ndarray, trim: float = 0.0) -> np.ndarray:
    """Range of every standardised feature, that of its central values where rows are trimmed.

    1 where a feature is constant, but for rounding.
    """
    low, high = np.quantile(X, [trim / 2, 1 - trim / 2], axis=0)
    widths = np.where(high > low, high - low, np.ptp(X, axis=0))
    return np.where(widths > 1e-6, widths, 1.0)
