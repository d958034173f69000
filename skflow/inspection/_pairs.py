"""Flagged rows among the others, in pairs of the features that tell them apart."""

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted

from ..detectors._latent import last_step
from ._axes import ANOMALY, BULK
from ._frames import feature_names

#: Rows of each kind that are drawn at most: more would be one blot.
MAX_DRAWN = 3000


class PairPlotDisplay:
    """Scatter plots and histograms of a few features, with flagged rows set apart.

    `from_estimator` makes and plots in one call.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows; those with NaN are left out.
    flagged : array-like of bool, shape (n_samples,)
        Which rows are set apart.
    feature_names : sequence of str, default=None
        Names of all features; None takes the columns of X, or numbers them.
    features : int or sequence of str, default=4
        Features to draw: names, or how many of those that alone tell flagged rows best from the
        others (AUROC, either way round).
    random_state : int, RandomState instance or None, default=None
        Seed of the draw where there are more rows than can be drawn.

    Attributes
    ----------
    features_ : list of str
        Features drawn, best first.
    separation_ : ndarray of shape (n_drawn,)
        How well each alone tells flagged rows from the others: AUROC, at least 0.5.
    axes_, figure_ : ndarray of matplotlib Axes of shape (n_drawn, n_drawn), and Figure
        Where it is drawn, after `plot`.

    Raises
    ------
    ValueError
        If no row, or every row, is flagged, or there is no such feature.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow import MahalanobisDetector
    >>> from skflow.inspection import PairPlotDisplay
    >>> X = np.random.RandomState(0).normal(size=(500, 3)) * [1, 1, 0]
    >>> detector = MahalanobisDetector(covariance="spherical").fit(X)
    >>> PairPlotDisplay.from_estimator(detector, X, features=["x0", "x1"]).axes_.shape
    (2, 2)
    """

    def __init__(
        self,
        X: Any,
        flagged: Any,
        *,
        feature_names: Any = None,
        features: Any = 4,
        random_state: Any = None,
    ):
        if feature_names is None:
            feature_names = getattr(X, "columns", None)
        X = check_array(X, dtype=np.float64, ensure_all_finite="allow-nan")
        if feature_names is None:
            feature_names = [f"x{j}" for j in range(X.shape[1])]
        names = [str(name) for name in feature_names]
        if len(names) != X.shape[1]:
            raise ValueError(f"feature_names must be {X.shape[1]}; got {len(names)}")
        flagged = np.asarray(flagged, dtype=bool)
        if flagged.shape != (len(X),):
            raise ValueError(f"flagged must have {len(X)} entries; got shape {flagged.shape}")
        whole = ~np.isnan(X).any(axis=1)
        X, flagged = X[whole], flagged[whole]
        if flagged.all() or not flagged.any():
            raise ValueError(
                "some rows must be flagged and some not; "
                f"got {flagged.sum()} of {len(flagged)} flagged"
            )
        separation = np.array([roc_auc_score(flagged, column) for column in X.T])
        separation = np.maximum(separation, 1 - separation)
        if isinstance(features, Integral) and int(features) >= 1:
            chosen = np.argsort(-separation, kind="stable")[: int(features)].tolist()
        else:
            given = features if isinstance(features, list | tuple) else [features]
            unknown = [name for name in given if name not in names]
            if unknown or not given:
                raise ValueError(
                    f"features must be a number of at least 1, or names among {names}; got "
                    f"{unknown or features!r}"
                )
            chosen = [names.index(name) for name in given]
        self.features_, self.separation_ = [names[j] for j in chosen], separation[chosen]
        rng = check_random_state(random_state)
        parts = [rng.permutation(np.flatnonzero(k))[:MAX_DRAWN] for k in (~flagged, flagged)]
        self._parts = [X[rows][:, chosen] for rows in parts]
        self._counts = [int(np.sum(~flagged)), int(np.sum(flagged))]

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, *, features: Any = 4, random_state: Any = None
    ) -> "PairPlotDisplay":
        """Draw the rows that a fitted detector predicts -1, among the others.

        Parameters
        ----------
        estimator : detector
            Any outlier detector of scikit-learn's kind; in a pipeline, features are those that the
            last step sees. (Where `predict` needs more than rows, as with calibration groups,
            call the class with what it flags.)
        X : array-like of shape (n_samples, n_features)
            Rows.
        features : int or sequence of str, default=4
            As for the class.
        random_state : int, RandomState instance or None, default=None
            As for the class.

        Returns
        -------
        display : PairPlotDisplay
        """
        check_is_fitted(estimator)
        flagged = np.asarray(estimator.predict(X)) == -1
        detector, rows = last_step(estimator, X)
        names = feature_names(estimator, detector, rows)
        display = cls(
            rows, flagged, feature_names=names, features=features, random_state=random_state
        )
        return display.plot()

    def plot(self) -> "PairPlotDisplay":
        """Draw all pairs in a new figure.

        Returns
        -------
        self : object
        """
        import matplotlib.pyplot as plt
        from matplotlib.lines import Line2D

        n = len(self.features_)
        side = min(2.2 * n + 0.8, 14)
        self.figure_, self.axes_ = plt.subplots(
            n, n, figsize=(side, side), squeeze=False, sharex="col", layout="constrained"
        )
        kinds = list(zip(self._parts, (BULK, ANOMALY), ("others", "flagged"), strict=True))
        everything = np.concatenate(self._parts)
        for i, row in enumerate(self.axes_):
            edges = np.histogram_bin_edges(everything[:, i], 30)
            for j, ax in enumerate(row):
                for part, color, _ in kinds:
                    if i == j:
                        ax.hist(part[:, i], edges, color=color, alpha=0.6, density=True)
                    else:
                        ax.plot(part[:, j], part[:, i], ".", color=color, alpha=0.5, markersize=2)
                if i == j:
                    ax.set_yticks([])
                if i == n - 1:
                    ax.set_xlabel(self.features_[j])
                if j == 0:
                    ax.set_ylabel(self.features_[i])
        handles = [Line2D([], [], color=color, marker="o", linestyle="") for _, color, _ in kinds]
        labels = [f"{kind[2]} ({n:,})" for kind, n in zip(kinds, self._counts, strict=True)]
        self.figure_.legend(handles, labels, loc="outside upper center", ncols=2)
        return self
