"""ROC and precision-recall curves of detectors, which scikit-learn's displays refuse."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import precision_recall_curve
from sklearn.utils import column_or_1d

from .._sklearn import safe_indexing
from ..metrics import average_precision_score, roc_auc_score, roc_curve
from ..metrics._checks import at_prevalence, checked, lost_last
from ._axes import LINE, axes_of, name_of, scores_of


class _CurveDisplay(ABC):
    """Curves of a class: made from scores, an estimator, or the results of a cross-validation."""

    @abstractmethod
    def __init__(self, curves: Any, **options: Any): ...

    @abstractmethod
    def plot(self, ax: Any = None, **options: Any) -> Any:
        """Draw the curves."""

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        anomaly_score: Any,
        *,
        name: str = "detector",
        ax: Any = None,
        **options: Any,
    ) -> Any:
        """Draw the curve of scores.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            -1 for anomalies, +1 for the bulk.
        anomaly_score : array-like of shape (n_samples,)
            Higher means more anomalous; NaN counts as lost.
        name : str, default="detector"
            What the legend calls it.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **options : dict
            As for the class, and matplotlib's for the line.

        Returns
        -------
        display : object
        """
        return cls([(name, y_true, anomaly_score)], **cls._own(options)).plot(ax=ax, **options)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        name: str | None = None,
        ax: Any = None,
        **options: Any,
    ) -> Any:
        """Draw the curve of a fitted detector.

        Parameters
        ----------
        estimator : detector
            Any outlier detector of scikit-learn's kind with ``score_samples``.
        X : array-like of shape (n_samples, n_features)
            Rows that it has not seen.
        y : array-like of shape (n_samples,)
            -1 for anomalies, +1 for the bulk.
        name : str, default=None
            What the legend calls it; None is the name of its class.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **options : dict
            As for the class, and matplotlib's for the line.

        Returns
        -------
        display : object
        """
        return cls.from_predictions(
            y, scores_of(estimator, X), name=name or name_of(estimator), ax=ax, **options
        )

    @classmethod
    def from_cv_results(
        cls, cv_results: Any, X: Any, y: Any, *, ax: Any = None, **options: Any
    ) -> Any:
        """Draw a curve for each fold of a cross-validation.

        Parameters
        ----------
        cv_results : dict
            Of ``cross_validate(..., return_estimator=True, return_indices=True)``.
        X : array-like of shape (n_samples, n_features)
            Its rows.
        y : array-like of shape (n_samples,)
            Their labels.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **options : dict
            As for the class, and matplotlib's for the lines.

        Returns
        -------
        display : object

        Raises
        ------
        ValueError
            If the results have no estimators or indices.
        """
        for key in ("estimator", "indices"):
            if key not in cv_results:
                raise ValueError(
                    "cv_results must be those of cross_validate(return_estimator=True, "
                    f"return_indices=True); got no {key!r}"
                )
        y = column_or_1d(y)
        folds = zip(cv_results["estimator"], cv_results["indices"]["test"], strict=True)
        curves = [
            (f"fold {k}", y[test], scores_of(model, safe_indexing(X, test)))
            for k, (model, test) in enumerate(folds)
        ]
        return cls(curves, **cls._own(options)).plot(ax=ax, **options)

    @classmethod
    def _own(cls, options: dict[str, Any]) -> dict[str, Any]:
        """Take the options of the class out of those of the line."""
        return {name: options.pop(name) for name in cls._options if name in options}

    _options: tuple[str, ...] = ()


class RocCurveDisplay(_CurveDisplay):
    """True-positive rate against false-positive rate of detectors.

    `from_estimator`, `from_predictions` and `from_cv_results` make and plot in one call.

    Parameters
    ----------
    curves : sequence of (str, array-like, array-like)
        Name, labels (-1 for anomalies, +1 for the bulk) and anomaly scores of each curve.
    log_fpr : bool, default=False
        Logarithmic false-positive rate, from that of a single row: where rare events are looked
        for, all that matters happens below 1 %.

    Attributes
    ----------
    curves_ : list of RocCurve
        What is drawn, see `skflow.metrics.roc_curve`.
    roc_auc_ : list of float
        Areas of the whole curves.
    ax_, figure_ : matplotlib Axes and Figure
        Where it is drawn, after `plot`.
    lines_ : list of matplotlib Line2D

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.inspection import RocCurveDisplay
    >>> rng = np.random.RandomState(0)
    >>> y = np.repeat([1, -1], [1000, 100])
    >>> score = rng.normal(size=1100) + 2 * (y == -1)
    >>> display = RocCurveDisplay.from_predictions(y, score, log_fpr=True)
    >>> display.ax_.get_xscale()
    'log'
    """

    _options = ("log_fpr",)

    def __init__(self, curves: Sequence[tuple[str, Any, Any]], *, log_fpr: bool = False):
        self.names = [name for name, _, _ in curves]
        self.log_fpr = log_fpr
        self.curves_ = [roc_curve(y, score) for _, y, score in curves]
        self.roc_auc_ = [roc_auc_score(y, score) for _, y, score in curves]
        self._least = min(1 / np.sum(column_or_1d(y) == 1) for _, y, _ in curves)

    def plot(self, ax: Any = None, **options: Any) -> "RocCurveDisplay":
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **options : dict
            Of matplotlib for the lines.

        Returns
        -------
        self : object
        """
        self.ax_, self.figure_ = axes_of(ax)
        chance = np.geomspace(self._least, 1, 50) if self.log_fpr else [0, 1]
        self.ax_.plot(chance, chance, ":", color=LINE, linewidth=1)
        self.lines_ = []
        for name, curve, auc in zip(self.names, self.curves_, self.roc_auc_, strict=True):
            label = f"{name} (AUROC {auc:.3f})"
            # A curve that ends early, because of lost rows, is not drawn on.
            fpr = np.maximum(curve.fpr, self._least / 2) if self.log_fpr else curve.fpr
            self.lines_ += self.ax_.plot(
                fpr, curve.tpr, **{"label": label, "drawstyle": "steps-post"} | options
            )
        if self.log_fpr:
            self.ax_.set_xscale("log")
            self.ax_.set_xlim(self._least, 1)
        self.ax_.set(xlabel="false-positive rate (share of the bulk)", ylim=(0, 1.02))
        self.ax_.set(ylabel="true-positive rate (share of the anomalies)")
        self.ax_.legend(loc="upper left" if self.log_fpr else "lower right")
        return self


class PrecisionRecallDisplay(_CurveDisplay):
    """Precision against recall of the anomaly class, at any prevalence.

    `from_estimator`, `from_predictions` and `from_cv_results` make and plot in one call.

    Parameters
    ----------
    curves : sequence of (str, array-like, array-like)
        Name, labels (-1 for anomalies, +1 for the bulk) and anomaly scores of each curve.
    prevalence : float in (0, 1) or None, default=None
        Share of anomalies for which to restate precision; None is their share in the labels.

    Attributes
    ----------
    precision_, recall_ : list of ndarray
        What is drawn.
    average_precision_ : list of float
    ax_, figure_ : matplotlib Axes and Figure
        Where it is drawn, after `plot`.
    lines_ : list of matplotlib Line2D

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.inspection import PrecisionRecallDisplay
    >>> rng = np.random.RandomState(0)
    >>> y = np.repeat([1, -1], [1000, 100])
    >>> score = rng.normal(size=1100) + 2 * (y == -1)
    >>> display = PrecisionRecallDisplay.from_predictions(y, score, prevalence=0.01)
    >>> round(display.average_precision_[0], 2)
    0.33
    """

    _options = ("prevalence",)

    def __init__(self, curves: Sequence[tuple[str, Any, Any]], *, prevalence: float | None = None):
        self.names = [name for name, _, _ in curves]
        self.prevalence = prevalence
        self.precision_, self.recall_, self.average_precision_ = [], [], []
        for _, y, score in curves:
            is_anomaly, values, _ = checked(y, score)
            weight = np.ones(len(values))
            if prevalence is not None:
                weight = at_prevalence(is_anomaly, weight, prevalence)
            precision, recall, _ = precision_recall_curve(
                is_anomaly, lost_last(values), sample_weight=weight
            )
            self.precision_.append(precision)
            self.recall_.append(recall)
            self.average_precision_.append(average_precision_score(y, score, prevalence=prevalence))

    def plot(self, ax: Any = None, **options: Any) -> "PrecisionRecallDisplay":
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **options : dict
            Of matplotlib for the lines.

        Returns
        -------
        self : object
        """
        self.ax_, self.figure_ = axes_of(ax)
        self.lines_ = []
        for name, precision, recall, average in zip(
            self.names, self.precision_, self.recall_, self.average_precision_, strict=True
        ):
            label = f"{name} (AP {average:.3f})"
            self.lines_ += self.ax_.plot(
                recall, precision, **{"label": label, "drawstyle": "steps-post"} | options
            )
        at = "" if self.prevalence is None else f" at a prevalence of {self.prevalence:g}"
        self.ax_.set(xlabel="recall (share of the anomalies)", xlim=(0, 1.01), ylim=(0, 1.02))
        self.ax_.set(ylabel=f"precision{at}")
        self.ax_.legend(loc="best")
        return self
