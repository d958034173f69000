"""RareEventDetector: rare events with no label, a few, or thousands, by one default."""

from numbers import Integral
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from .._sklearn import Interval, fit_context
from ..training import resolve_seed
from ._base import BaseDetector, check_log_density
from ._contrast import ContrastRows
from ._cross_fitting import Rows, by_weight, make_folds, weighted_rows
from ._mlp import BalancedMLPClassifier
from ._realnvp import RealNVPOutlierDetector
from ._scaling import for_trees, scaling
from ._stack import fit_stack, log_odds
from ._validation import check_rows, unchanged_on_error

#: Share of the bulk below the log-density from which a row counts as unlike all training rows; and
#: where that may lie below the median at most, in distances from there to the 5 % quantile, so
#: that a few strange rows in the bulk do not make others ordinary.
OUTSIDE_QUANTILE, MAX_OUTSIDE = 1e-3, 10
#: Trees of each forest, and rows of their leaves: a few labels want smooth votes.
N_TREES, MIN_LEAF = 200, 3
#: What a score is the sum of; without rare rows the first alone.
PARTS = [
    "log-density",
    "trees",
    "trees with log-density",
    "perceptron",
    "linear",
    "unlike all training rows",
    "intercept",
]


class RareEventDetector(BaseDetector):
    r"""Detect rare events with whatever is known about them.

    The one detector for rare events: with no label it is a one-class flow; with labels it weighs
    what the flow says against what classifiers say, so that nobody has to choose between them.
    Rare rows are those with y = -1, those of `X_contrast`, or both, which then count alike.

    Its parts are the flow's negative log-density, extra-trees on the features, extra-trees and a
    multi-layer perceptron on the features and the log-density, and a logistic regression on the
    features, for which ten labels are often enough. The score is minus the log-odds of another
    logistic regression, on these parts, with classes balanced and weights that are not negative.
    What it and the classifiers learn from is cross-fitted, as in stacking [1]_: a flow knows its
    own training rows, and its log-density of them would betray these. So there is one flow for
    every part of the rows that is held out, and new rows get the mean of their log-densities. Rows
    less likely than nearly all of the bulk lose, on top of it, every nat that they lack: what is
    unlike all training rows is flagged whatever the classifiers say.

    Parameters
    ----------
    estimator : detector or None, default=None
        Skflow detector whose `score_samples` is a log-density. None is a
        `RealNVPOutlierDetector`.
    cv : int, default=5
        Number of parts that are held out in turn.
    n_jobs : int or None, default=None
        Parts done at once, through joblib.
    contamination : "auto" or float in (0, 0.5], default="auto"
        Share of the bulk below the threshold: of the training rows for a float; for "auto", 5 %
        of their cross-fitted scores.
    random_state : int, RandomState instance or None, default=None
        Seed of all parts' seeds; that of `estimator` is not used.
    nan_policy : {"raise", "omit"}, default="raise"
        "omit" leaves rows with NaN out of training, scores them NaN and predicts 0.

    Attributes
    ----------
    estimators_ : list of detectors
        The flows, without thresholds of their own.
    classifiers_ : list of classifiers
        Extra-trees on the features, extra-trees and perceptron on features and log-density,
        logistic regression on the features; empty if there were no rare rows.
    part_names_ : list of str
        What `contributions` has a column for.
    coefficients_ : ndarray of shape (5,)
        Weights of the flow and the classifiers; empty if there were no rare rows.
    intercept_ : float
        Log-odds where all parts are zero.
    mean_, scale_ : ndarray of shape (n_features,)
        Mean and standard deviation of every feature.
    least_log_density_ : float
        Log-density below which a row is unlike all training rows.
    cross_fitted_log_density_, cross_fitted_scores_ : ndarray of shape (n_bulk,)
        Of the bulk rows of training, by parts that did not train on them.
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
    ContrastiveFlowDetector : A single flow that learns from rare rows.
    RealNVPOutlierDetector : The flow alone.

    References
    ----------
    .. [1] Wolpert, "Stacked generalization", Neural Networks 5, 1992; with weights that are not
       negative: Breiman, "Stacked regressions", Machine Learning 24, 1996.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow import RareEventDetector
    >>> rng = np.random.RandomState(0)
    >>> bulk, rare = rng.normal(size=(500, 2)), 1.5 + 0.3 * rng.normal(size=(20, 2))
    >>> X, y = np.vstack([bulk, rare]), np.repeat([1, -1], [500, 20])
    >>> detector = RareEventDetector(random_state=0).fit(X, y)
    >>> detector.predict([[1.5, 1.5], [-1.0, -1.0], [50.0, -50.0]])
    array([-1,  1, -1])
    """

    _parameter_constraints: dict[str, list[Any]] = {
        **BaseDetector._parameter_constraints,
        "estimator": [None, BaseDetector],
        "cv": [Interval(Integral, 2, None, closed="left")],
        "n_jobs": [None, Integral],
        "random_state": ["random_state"],
    }
    # Asked for by default, so that Pipeline(transform_input=["X_contrast"]) just works.
    __metadata_request__fit = {"X_contrast": True}
    _uses_contrast = True

    def __init__(
        self,
        estimator: Any = None,
        *,
        cv: int = 5,
        n_jobs: int | None = None,
        contamination: float | str = "auto",
        random_state: Any = None,
        nan_policy: str = "raise",
    ):
        self.estimator = estimator
        self.cv = cv
        self.n_jobs = n_jobs
        self.contamination = contamination
        self.random_state = random_state
        self.nan_policy = nan_policy

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any = None, X_contrast: Any = None, sample_weight: Any = None
    ) -> "RareEventDetector":
        """Learn the bulk and what is known about rare events.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, at least two of them bulk.
        y : array-like of shape (n_samples,), default=None
            -1 marks known rare events, +1 the bulk; without any -1 all rows are bulk.
        X_contrast : array-like of shape (n_contrast, n_features), default=None
            Auxiliary rows, told from the bulk like those with y = -1.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows of X within their class: how much they count for the classifiers
            and the automatic threshold, and how often, rounded up or down, the flows see them.
            Rows of weight 0 are left out.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        ValueError
            If X or X_contrast holds infinity, or NaN with ``nan_policy="raise"``; if X has
            fewer than two bulk rows; if X_contrast is empty or has other columns than X; if y
            mixes -1 with labels other than +1; if a weight is negative; if the scores of
            `estimator` are no log-density.
        """
        with unchanged_on_error(self):
            self._fit_checked(X, y, X_contrast, sample_weight)
        return self

    def _fit(self, X: np.ndarray, contrast: ContrastRows) -> None:
        kind = RealNVPOutlierDetector() if self.estimator is None else self.estimator
        check_log_density(kind, "estimator")
        rng = np.random.RandomState(resolve_seed(self.random_state) % 2**32)
        rows = weighted_rows(X, contrast)
        folds = make_folds(rows.is_rare, self.cv, rng)
        n_folds = folds.max() + 1
        # With too few rows to hold any out, all are trained on and judged.
        parts = [((folds != k) | (n_folds == 1), folds == k) for k in range(n_folds)]
        seed, *seeds = rng.randint(2**31 - 1, size=n_folds + 1).tolist()
        run = Parallel(n_jobs=self.n_jobs)
        self.estimators_ = run(
            delayed(self._fit_density)(kind, rows.chosen(is_in), fold_seed)
            for (is_in, _), fold_seed in zip(parts, seeds, strict=True)
        )
        log_density = np.empty(len(folds))
        for density, (_, is_out) in zip(self.estimators_, parts, strict=True):
            log_density[is_out] = density._score_samples(rows.X[is_out])
        alone = folds < 0  # a single rare row is never held out
        if alone.any():
            log_density[alone] = self._log_density(rows.X[alone])
        bulk = ~rows.is_rare
        self.mean_, self.scale_ = scaling(rows.X[bulk])
        of_bulk = log_density[bulk][by_weight(rows.weight[bulk])]
        least, low, median = np.quantile(of_bulk, [OUTSIDE_QUANTILE, 0.05, 0.5], method="lower")
        self.least_log_density_ = float(max(least, median - MAX_OUTSIDE * (median - low)))
        self.classifiers_, self.coefficients_, self.intercept_ = [], np.empty(0), 0.0
        self.cross_fitted_log_density_ = self.cross_fitted_scores_ = log_density[bulk]
        self.part_names_ = PARTS[:1]
        if bulk.all():
            return
        features = self._features(rows.X, log_density)
        classifiers = _classifiers(seed)
        odds = np.zeros((len(folds), len(classifiers)))
        out = run(delayed(_odds_of_others)(classifiers, features, rows, *part) for part in parts)
        for (_, is_out), of_fold in zip(parts, out, strict=True):
            odds[is_out] = of_fold
        everywhere = np.ones(len(folds), dtype=bool)
        self.classifiers_ = _fitted(classifiers, features, rows, everywhere)
        if alone.any():
            odds[alone] = _odds(self.classifiers_, [F[alone] for F in features])
        terms = self._terms(log_density, odds)
        # The log-density alone may point the wrong way: rare need not be improbable.
        droppable = np.arange(terms.shape[1]) == 0
        self.coefficients_, self.intercept_ = fit_stack(terms, rows.is_rare, rows.weight, droppable)
        self.part_names_ = list(PARTS)
        scores = self._contributions_of(log_density, terms).sum(axis=1)
        self.cross_fitted_scores_ = scores[bulk]

    def _fit_density(self, kind: BaseDetector, rows: Rows, seed: int) -> Any:
        """Fit the density detector to the bulk, each row as often as its weight says."""
        bulk = rows.X[~rows.is_rare][by_weight(rows.weight[~rows.is_rare])]
        density, _ = self._fitted_copy(kind, bulk, ContrastRows(bulk[:0], bulk[:0]), seed)
        return density

    def _log_density(self, X: np.ndarray) -> np.ndarray:
        """Mean log-density of rows that no flow trained on."""
        return np.mean([density._score_samples(X) for density in self.estimators_], axis=0)

    def _features(self, X: np.ndarray, log_density: np.ndarray) -> list[np.ndarray]:
        """What each classifier sees; outliers of the log-density are dealt with apart."""
        Z = for_trees(X, self.mean_, self.scale_)
        both = np.column_stack([Z, np.maximum(log_density, self.least_log_density_)])
        return [Z, both, both, Z]

    def _terms(self, log_density: np.ndarray, odds: np.ndarray) -> np.ndarray:
        """What the regression weighs."""
        return np.column_stack([-np.maximum(log_density, self.least_log_density_), odds])

    def _contributions_of(self, log_density: np.ndarray, terms: np.ndarray) -> np.ndarray:
        missing = np.minimum(log_density - self.least_log_density_, 0)
        intercept = np.full(len(terms), -self.intercept_)
        return np.column_stack([-terms * self.coefficients_, missing, intercept])

    def _contributions(self, X: np.ndarray) -> np.ndarray:
        log_density = self._log_density(X)
        if not self.classifiers_:
            return log_density[:, None]
        odds = _odds(self.classifiers_, self._features(X, log_density))
        return self._contributions_of(log_density, self._terms(log_density, odds))

    def _score_samples(self, X: np.ndarray) -> np.ndarray:
        return self._contributions(X).sum(axis=1)

    def _cross_fitted_scores(self, bulk: np.ndarray, contrast: ContrastRows) -> np.ndarray:
        if contrast.weights is None:
            return self.cross_fitted_scores_
        return self.cross_fitted_scores_[by_weight(contrast.weights[0])]

    def contributions(self, X: Any) -> np.ndarray:
        """What each part adds to the score of every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to explain.

        Returns
        -------
        contributions : ndarray of shape (n_samples, n_parts), float64
            Columns are those of `part_names_`; they sum to `score_samples`.
        """
        check_is_fitted(self)
        X = check_rows(self, X, reset=False)
        return self._on_finite_rows(X, self._contributions, width=len(self.part_names_))


def _classifiers(seed: int) -> list[Any]:
    trees = ExtraTreesClassifier(N_TREES, min_samples_leaf=MIN_LEAF, random_state=seed)
    perceptron = make_pipeline(StandardScaler(), BalancedMLPClassifier(random_state=seed))
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return [trees, clone(trees), perceptron, linear]


def _fitted(
    classifiers: list[Any], features: list[np.ndarray], rows: Rows, chosen: np.ndarray
) -> list[Any]:
    """Fit copies to the chosen rows."""
    fitted = []
    for classifier, F in zip(classifiers, features, strict=True):
        key = "sample_weight"
        if hasattr(classifier, "steps"):
            key = f"{classifier.steps[-1][0]}__sample_weight"
        weight = {key: rows.weight[chosen]}
        fitted.append(clone(classifier).fit(F[chosen], rows.is_rare[chosen], **weight))
    return fitted


def _odds(classifiers: list[Any], features: list[np.ndarray]) -> np.ndarray:
    """Log-odds of a rare event by each classifier, none surer than half a tree's vote."""
    pairs = zip(classifiers, features, strict=True)
    probabilities = [classifier.predict_proba(F)[:, 1] for classifier, F in pairs]
    return np.column_stack([log_odds(p, 0.5 / N_TREES) for p in probabilities])


def _odds_of_others(
    classifiers: list[Any],
    features: list[np.ndarray],
    rows: Rows,
    is_in: np.ndarray,
    is_out: np.ndarray,
) -> np.ndarray:
    """Log-odds of the rows held out, by fits to the others."""
    return _odds(_fitted(classifiers, features, rows, is_in), [F[is_out] for F in features])
