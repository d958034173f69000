"""Scores by class with the threshold, and the reliability of probabilities."""

from typing import Any

import numpy as np
from scipy.stats import beta
from sklearn.utils import column_or_1d

from ..metrics._checks import checked
from ._axes import ANOMALY, BULK, LINE, axes_of, end_of, scores_of


class ScoreHistogramDisplay:
    """Histogram of anomaly scores, by class where there are labels, with the threshold.

    `from_estimator` and `from_predictions` make and plot in one call.

    Parameters
    ----------
    anomaly_score : array-like of shape (n_samples,)
        Higher means more anomalous; rows without a score (NaN) are counted in the legend.
    y_true : array-like of shape (n_samples,), default=None
        -1 for anomalies, +1 for the bulk.
    threshold : float, default=None
        Rows above it are flagged.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where it is drawn, after `plot`.
    edges_ : ndarray
        Of the bins.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow import MahalanobisDetector
    >>> from skflow.inspection import ScoreHistogramDisplay
    >>> X = np.random.RandomState(0).normal(size=(500, 2))
    >>> display = ScoreHistogramDisplay.from_estimator(MahalanobisDetector().fit(X), X)
    >>> display.ax_.get_xlabel()
    'anomaly score'
    """

    def __init__(self, anomaly_score: Any, y_true: Any = None, *, threshold: float | None = None):
        self.anomaly_score = column_or_1d(anomaly_score).astype(np.float64)
        self.y_true = None
        if y_true is not None:
            is_anomaly, _, _ = checked(y_true, anomaly_score)
            self.y_true = np.where(is_anomaly, -1, 1)
        self.threshold = threshold

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        anomaly_score: Any,
        *,
        threshold: float | None = None,
        ax: Any = None,
        **options: Any,
    ) -> "ScoreHistogramDisplay":
        """Draw scores of both classes; parameters as for the class and `plot`."""
        return cls(anomaly_score, y_true, threshold=threshold).plot(ax=ax, **options)

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any = None, *, ax: Any = None, **options: Any
    ) -> "ScoreHistogramDisplay":
        """Draw the scores of a fitted detector and its threshold.

        Parameters
        ----------
        estimator : detector
            Any outlier detector of scikit-learn's kind; its ``offset_`` is the threshold.
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,), default=None
            -1 for anomalies, +1 for the bulk.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **options : dict
            As for `plot`.

        Returns
        -------
        display : ScoreHistogramDisplay
        """
        offset = getattr(end_of(estimator), "offset_", None)
        threshold = None if offset is None or not np.isfinite(offset) else -float(offset)
        return cls(scores_of(estimator, X), y, threshold=threshold).plot(ax=ax, **options)

    def plot(self, ax: Any = None, *, bins: int = 60, log: bool = True) -> "ScoreHistogramDisplay":
        """Draw the histogram.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        bins : int, default=60
            Number of bins, from the lowest score to the 99.5 % quantile; the last bin holds all
            above.
        log : bool, default=True
            Logarithmic numbers of rows.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If no score is finite.
        """
        judged = ~np.isnan(self.anomaly_score)
        values = self.anomaly_score[np.isfinite(self.anomaly_score)]
        if not len(values):
            raise ValueError("anomaly_score must be finite for some rows; got none")
        self.ax_, self.figure_ = axes_of(ax)
        # Anomalies far out would squeeze all others into one bin.
        low, high = values.min(), np.quantile(values, 0.995)
        if self.threshold is not None:
            high = max(high, self.threshold + 0.05 * (self.threshold - low))
        self.edges_ = np.linspace(low, high if high > low else low + 1, bins + 1)
        groups = {"rows": np.ones(len(judged), dtype=bool)}
        if self.y_true is not None:
            groups = {"bulk": self.y_true == 1, "anomalies": self.y_true == -1}
        for (name, own), color in zip(groups.items(), (BULK, ANOMALY), strict=False):
            lost = int(np.sum(own & ~judged))
            label = f"{name} ({own.sum():,}" + (f", {lost:,} without a score)" if lost else ")")
            clipped = np.clip(self.anomaly_score[own & judged], *self.edges_[[0, -1]])
            self.ax_.hist(clipped, self.edges_, color=color, alpha=0.6, label=label, log=log)
        if self.threshold is not None:
            flagged = np.mean(self.anomaly_score[judged] > self.threshold)
            self.ax_.axvline(
                self.threshold,
                color=LINE,
                linestyle="--",
                label=f"threshold, {flagged:.1%} above",
            )
        self.ax_.set(xlabel="anomaly score", ylabel="rows")
        self.ax_.legend()
        return self


class ReliabilityDisplay:
    """Whether probabilities of being rare are frequencies.

    Rows are sorted into bins of their probability; for each the share of rare rows is drawn
    against the mean probability, with its 95 % interval (Clopper and Pearson). On the diagonal
    probabilities are what they say.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        -1 for rare rows, +1 for the bulk.
    probability : array-like of shape (n_samples,)
        Of being rare.
    bins : int, default=10
        Number of bins that hold as many rows each, fewer where probabilities are alike.

    Attributes
    ----------
    mean_, share_, low_, high_ : ndarray of shape (n_bins,)
        Mean probability, share of rare rows and its interval.
    n_rows_ : ndarray of shape (n_bins,)
    ax_, figure_ : matplotlib Axes and Figure
        Where it is drawn, after `plot`.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.inspection import ReliabilityDisplay
    >>> rng = np.random.RandomState(0)
    >>> probability = rng.uniform(size=2000)
    >>> y = np.where(rng.uniform(size=2000) < probability, -1, 1)
    >>> display = ReliabilityDisplay.from_predictions(y, probability)
    >>> bool(((display.low_ <= display.mean_) & (display.mean_ <= display.high_)).mean() > 0.7)
    True
    """

    def __init__(self, y_true: Any, probability: Any, *, bins: int = 10):
        is_rare, p, _ = checked(y_true, probability)
        is_rare, p = is_rare[~np.isnan(p)], p[~np.isnan(p)]
        if not len(p):
            raise ValueError("probability must be known for some rows; got NaN for all of them")
        if not ((p >= 0) & (p <= 1)).all():
            raise ValueError(f"probability must lie between 0 and 1; got {p.min()} to {p.max()}")
        edges = np.unique(np.quantile(p, np.linspace(0, 1, bins + 1)))
        place = np.searchsorted(edges, p, side="right") - 1
        # The largest probability is a bin of its own only where many rows have it.
        if np.mean(p == edges[-1]) < 0.5 / bins:
            place = np.minimum(place, max(len(edges) - 2, 0))
        _, place = np.unique(place, return_inverse=True)
        self.n_rows_ = np.bincount(place)
        n_rare = np.bincount(place, weights=is_rare)
        self.mean_ = np.bincount(place, weights=p) / self.n_rows_
        self.share_ = n_rare / self.n_rows_
        n_bulk = self.n_rows_ - n_rare
        with np.errstate(invalid="ignore"):
            self.low_ = np.where(n_rare > 0, beta.ppf(0.025, n_rare, n_bulk + 1), 0.0)
            self.high_ = np.where(n_bulk > 0, beta.ppf(0.975, n_rare + 1, n_bulk), 1.0)

    @classmethod
    def from_predictions(
        cls, y_true: Any, probability: Any, *, bins: int = 10, ax: Any = None, **options: Any
    ) -> "ReliabilityDisplay":
        """Draw probabilities; parameters as for the class and `plot`."""
        return cls(y_true, probability, bins=bins).plot(ax=ax, **options)

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any, *, bins: int = 10, ax: Any = None, **options: Any
    ) -> "ReliabilityDisplay":
        """Draw the probabilities of a fitted `skflow.calibration.CalibratedDetectorCV`.

        Parameters
        ----------
        estimator : detector or classifier
            With ``predict_proba`` and ``classes_``, -1 among them.
        X : array-like of shape (n_samples, n_features)
            Rows that it has not seen, with as large a share of rare ones as its prior says.
        y : array-like of shape (n_samples,)
            -1 for rare rows, +1 for the bulk.
        bins : int, default=10
            As for the class.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **options : dict
            Of matplotlib for the points.

        Returns
        -------
        display : ReliabilityDisplay
        """
        column = list(estimator.classes_).index(-1)
        probability = estimator.predict_proba(X)[:, column]
        return cls.from_predictions(y, probability, bins=bins, ax=ax, **options)

    def plot(self, ax: Any = None, **options: Any) -> "ReliabilityDisplay":
        """Draw the bins.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **options : dict
            Of matplotlib for the points.

        Returns
        -------
        self : object
        """
        self.ax_, self.figure_ = axes_of(ax)
        self.ax_.plot([0, 1], [0, 1], ":", color=LINE, linewidth=1)
        self.ax_.errorbar(
            self.mean_,
            self.share_,
            [self.share_ - self.low_, self.high_ - self.share_],
            **{"fmt": "o", "color": BULK, "capsize": 2} | options,
        )
        self.ax_.set(xlabel="probability of being rare", ylabel="share of rare rows")
        self.ax_.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        return self
