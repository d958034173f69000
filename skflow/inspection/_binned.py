"""Figures of merit against another quantity, such as energy."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils import check_consistent_length, column_or_1d

from ..metrics import bootstrap_interval, roc_auc_score
from ..metrics._binned import binned
from ..metrics._checks import checked
from ._axes import BULK, axes_of, scores_of


class BinnedMetricDisplay:
    """A metric in bins of energy, zenith angle or any other quantity, with intervals.

    `from_estimator` and `from_predictions` make and plot in one call.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        -1 for anomalies, +1 for the bulk.
    anomaly_score : array-like of shape (n_samples,)
        Higher means more anomalous.
    values : array-like of shape (n_samples,)
        The other quantity; rows where it is NaN are left out.
    metric : callable, default=None
        ``metric(y_true, anomaly_score)``, such as those of `skflow.metrics`, that exists in
        every bin with both classes; None is `skflow.metrics.roc_auc_score`.
    bins : int or array-like of shape (n_bins + 1,), default=8
        Number of bins that hold as many rows each, or rising edges; a row on an edge belongs to
        the bin above, on the last edge to the last bin. Rows outside are left out.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights, such as those of a spectrum, for metrics that take them.
    n_resamples : int, default=200
        Draws of the bootstrap intervals.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    Attributes
    ----------
    edges_ : ndarray of shape (n_bins + 1,)
    n_anomalies_, n_bulk_ : ndarray of shape (n_bins,)
    metric_, low_, high_ : ndarray of shape (n_bins,)
        The metric and its 95 % bootstrap interval; NaN in bins without both classes.
    ax_, figure_ : matplotlib Axes and Figure
        Where it is drawn, after `plot`.

    Raises
    ------
    ValueError
        If edges do not rise, or no bin has rows of both classes.

    See Also
    --------
    skflow.metrics.binned_cuts : Cuts that depend on another quantity.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.inspection import BinnedMetricDisplay
    >>> rng = np.random.RandomState(0)
    >>> energy, y = rng.uniform(size=2000), rng.choice([1, -1], size=2000)
    >>> score = rng.normal(size=2000) + 2 * energy * (y == -1)
    >>> display = BinnedMetricDisplay.from_predictions(y, score, energy, bins=2)
    >>> bool(display.metric_[1] > display.metric_[0])
    True
    """

    def __init__(
        self,
        y_true: Any,
        anomaly_score: Any,
        values: Any,
        *,
        metric: Callable[..., float] | None = None,
        bins: Any = 8,
        sample_weight: Any = None,
        n_resamples: int = 200,
        random_state: Any = None,
    ):
        is_anomaly, score, weight = checked(y_true, anomaly_score, sample_weight)
        self._label = getattr(values, "name", None) or "bins"
        values = column_or_1d(values).astype(np.float64)
        check_consistent_length(score, values)
        self.edges_, bin_of = binned(values, bins)
        n_bins = len(self.edges_) - 1
        inside = bin_of >= 0
        self._range = values[inside].min(initial=np.inf), values[inside].max(initial=-np.inf)
        if weight is not None:
            inside &= weight > 0
        self.n_anomalies_ = np.bincount(bin_of[inside & is_anomaly], minlength=n_bins)
        self.n_bulk_ = np.bincount(bin_of[inside & ~is_anomaly], minlength=n_bins)
        self.metric_, self.low_, self.high_ = np.full((3, n_bins), np.nan)
        both = np.flatnonzero((self.n_anomalies_ > 0) & (self.n_bulk_ > 0))
        if not len(both):
            raise ValueError("at least one bin must hold rows of both classes; got none")
        self._metric = roc_auc_score if metric is None else metric
        for k in both:
            own = bin_of == k
            self.metric_[k], self.low_[k], self.high_[k] = bootstrap_interval(
                self._metric,
                np.where(is_anomaly[own], -1, 1),
                score[own],
                sample_weight=None if weight is None else weight[own],
                n_resamples=n_resamples,
                random_state=random_state,
            )

    @classmethod
    def from_predictions(
        cls, y_true: Any, anomaly_score: Any, values: Any, *, ax: Any = None, **options: Any
    ) -> "BinnedMetricDisplay":
        """Draw the metric of scores; parameters as for the class."""
        return cls(y_true, anomaly_score, values, **options).plot(ax=ax)

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any, values: Any, *, ax: Any = None, **options: Any
    ) -> "BinnedMetricDisplay":
        """Draw the metric of a fitted detector.

        Parameters
        ----------
        estimator : detector
            Any outlier detector of scikit-learn's kind.
        X : array-like of shape (n_samples, n_features)
            Rows that it has not seen.
        y : array-like of shape (n_samples,)
            -1 for anomalies, +1 for the bulk.
        values : array-like of shape (n_samples,)
            The other quantity.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **options : dict
            As for the class.

        Returns
        -------
        display : BinnedMetricDisplay
        """
        return cls.from_predictions(y, scores_of(estimator, X), values, ax=ax, **options)

    def plot(self, ax: Any = None, **options: Any) -> "BinnedMetricDisplay":
        """Draw the metric of every bin.

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
        edges = np.clip(self.edges_, *self._range)  # infinite ones, too
        centres, half = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
        # The value on all rows may lie outside of the percentiles of the draws.
        below = np.maximum(self.metric_ - self.low_, 0)
        above = np.maximum(self.high_ - self.metric_, 0)
        self.ax_.errorbar(
            centres,
            self.metric_,
            [below, above],
            half,
            **{"fmt": "o", "color": BULK, "capsize": 2} | options,
        )
        name = getattr(self._metric, "__name__", "metric").removesuffix("_score")
        self.ax_.set(xlabel=self._label, ylabel=name.replace("_", " "))
        return self
