"""Which features make a row strange."""

from typing import Any

import numpy as np
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted

from ..detectors._latent import last_step
from ._frames import as_fitted, feature_names, pandas
from ._shapley import shapley_values

#: Rows drawn from a flow where no background is given.
N_DRAWN = 2000


def explain(
    estimator: Any,
    X: Any,
    *,
    background: Any = None,
    n_neighbors: int = 20,
    max_coalitions: int = 1024,
    random_state: Any = None,
) -> Any:
    r"""Split the score of every row into contributions of its features.

    `MahalanobisDetector` and `AutoencoderDetector` have exact ones: :math:`-\frac12 \delta_j
    (\Sigma^{-1} \delta)_j`, and minus the squared error of each feature over their number. For
    flows and all other detectors they are Shapley values: what a feature adds to the score, on
    average over the orders in which features are taken from the row instead of from ordinary rows
    like it. Ordinary rows are the row's nearest neighbours among the background, by the sum of
    absolute differences in standard deviations: those that agree with the row but for what is
    strange about it. (Far rows would break the dependence between features by themselves.)

    Parameters
    ----------
    estimator : detector
        Fitted, with ``score_samples``; in a pipeline, whose steps before it are applied, a search
        or a detector of `skflow.calibration`, the detector inside is explained: contributions are
        of the features that it sees.
    X : array-like of shape (n_samples, n_features)
        Rows to explain.
    background : array-like of shape (n_background, n_features), default=None
        Rows of the bulk, as X. None is 2,000 draws of a detector that can `sample` without a
        condition.
    n_neighbors : int, default=20
        Background rows that each row is compared with.
    max_coalitions : int, default=1024
        Coalitions of features that are scored for each row: all, for exact Shapley values, with up
        to ten features; else random ones.
    random_state : int, RandomState instance or None, default=None
        Seed of the background and of random coalitions.

    Returns
    -------
    contributions : pandas.DataFrame of shape (n_samples, 1 + n_features)
        ``baseline``, then a column for each feature, in the units of the score: the more negative,
        the stranger. Each row sums to its score. NaN for rows with NaN.

    Raises
    ------
    ImportError
        If pandas is not installed.
    ValueError
        If there is no background and none can be drawn, or it has other columns than X.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow import MahalanobisDetector
    >>> from skflow.inspection import explain
    >>> rng = np.random.RandomState(0)
    >>> X = rng.normal(size=(1000, 1)) + 0.1 * rng.normal(size=(1000, 3))  # three alike
    >>> detector = MahalanobisDetector().fit(X)
    >>> explain(detector, [[1.0, 1.0, -1.0]]).idxmin(axis=1)[0]
    'x2'
    """
    pd = pandas("explain")
    check_is_fitted(estimator)
    index = X.index if hasattr(X, "iloc") else None
    detector, rows = last_step(estimator, X)
    # The rows as they were given, so that columns of other names are refused.
    scores = np.asarray(detector.score_samples(rows), dtype=np.float64)
    names = feature_names(estimator, detector, rows)
    rows = check_array(rows, dtype=np.float64, ensure_all_finite="allow-nan")
    judged = ~np.isnan(scores) & ~np.isnan(rows).any(axis=1)
    contributions = np.full((len(rows), 1 + rows.shape[1]), np.nan)
    if judged.any() and hasattr(detector, "_feature_contributions"):
        contributions[judged, 1:], contributions[judged, 0] = detector._feature_contributions(
            rows[judged]
        )
    elif judged.any():
        rng = check_random_state(random_state)
        ordinary = _background(estimator, detector, background, rows.shape[1], rng)
        contributions[judged, 1:], contributions[judged, 0] = shapley_values(
            lambda mixed: np.asarray(
                detector.score_samples(as_fitted(detector, mixed, names)), dtype=np.float64
            ),
            rows[judged],
            _neighbors(rows[judged], ordinary, n_neighbors),
            max_coalitions,
            rng,
        )
    return pd.DataFrame(contributions, columns=["baseline", *names], index=index)


def _background(
    estimator: Any, detector: Any, given: Any, n_features: int, rng: np.random.RandomState
) -> np.ndarray:
    if given is not None:
        _, given = last_step(estimator, given)
        if np.shape(given)[1:] == (n_features,) and len(given):
            detector.score_samples(given[:1])  # refuses columns of other names
        rows = check_array(given, dtype=np.float64, ensure_all_finite="allow-nan")
        rows = rows[~np.isnan(rows).any(axis=1)]
    elif hasattr(detector, "sample") and getattr(detector, "condition", None) is None:
        rows = detector.sample(N_DRAWN, random_state=rng)
    else:
        raise ValueError(
            f"background must be given: {type(detector).__name__} cannot draw ordinary rows, or "
            "only under a condition"
        )
    if rows.shape[1] != n_features or not len(rows):
        raise ValueError(
            f"background must hold rows of {n_features} columns; got shape {rows.shape}"
        )
    return rows


def _neighbors(rows: np.ndarray, ordinary: np.ndarray, n_neighbors: int) -> np.ndarray:
    """Nearest ordinary rows (n, k, d) of each row."""
    scale = ordinary.std(axis=0)
    scale[scale == 0] = 1.0
    n_neighbors = min(n_neighbors, len(ordinary))
    # Absolute differences: a feature that is far off counts less than in squares.
    nearest = NearestNeighbors(n_neighbors=n_neighbors, metric="manhattan").fit(ordinary / scale)
    return ordinary[nearest.kneighbors(rows / scale, return_distance=False)]
