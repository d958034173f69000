"""Whether a detector could tell simulated from observed rows instead of rare from ordinary."""

import itertools
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted

from ..detectors._latent import last_step
from ..metrics import bootstrap_interval, roc_auc_score
from ._frames import feature_names, pandas, same_columns
from ._top import hillas_of

N_RESAMPLES = 200
#: Lower halves of the interval above chance that are worth a warning: rows that train each other's
#: classifiers vary more than the bootstrap, which takes their scores as given, says.
MARGIN = 1.5


def domain_check(
    X_simulated: Any,
    X_observed: Any,
    *,
    estimator: Any = None,
    charge_scale: Sequence[float] = (1.0,),
    night_sky: Sequence[float] = (0.0,),
    classifier: Any = None,
    cv: int = 5,
    tolerance: float = 0.05,
    n_jobs: int | None = None,
    random_state: Any = None,
) -> Any:
    """Test whether simulated and observed bulk rows can be told apart.

    Where the bulk is observed and rare events are simulated, a detector may learn "simulated"
    instead of "rare", and look splendid on a test set of the same making. So a classifier is
    trained to tell simulated bulk rows from observed ones: held out, it must do no better than
    chance. The test is repeated for simulations whose charges are scaled and whose pixels have
    more noise, which tells what is wrong with them and how much it matters.

    Parameters
    ----------
    X_simulated, X_observed : array-like of shape (n_samples, n_features)
        Bulk rows of both kinds, neither of which `estimator` was fitted to. With
        `charge_scale` or `night_sky`, images.
    estimator : detector or transformer, default=None
        Fitted. Rows are compared as its last step sees them (a `ConformalDetector` with several
        folds is its own last step); a detector also says how many of both kinds it flags.
    charge_scale : sequence of float, default=(1.0,)
        Factors of the simulated charges.
    night_sky : sequence of float, default=(0.0,)
        Standard deviations of the normal noise that is added to every simulated pixel, in the
        unit of the images.
    classifier : classifier, default=None
        With ``predict_proba``; None is a random forest, which takes NaN.
    cv : int, default=5
        Number of folds; rows that are equal stay together.
    tolerance : float, default=0.05
        By how much AUROC may exceed 0.5 without a warning.
    n_jobs : int or None, default=None
        Folds done at once, through joblib.
    random_state : int, RandomState instance or None, default=None
        Seed of folds, forest, noise and intervals.

    Returns
    -------
    domains : pandas.DataFrame
        A row for each pair of `charge_scale` and `night_sky`: ``auroc`` of the classifier with
        its 95 % bootstrap interval ``low`` and ``high``; the ``feature`` that alone tells most,
        and its ``feature_auroc`` (0.5 or more, either way round); with a detector
        ``flagged_simulated`` and ``flagged_observed``, shares of the rows with a score.

    Warns
    -----
    UserWarning
        If, in the first row, AUROC exceeds 0.5 by more than `tolerance`, and by more than one
        and a half times ``auroc - low``.

    Raises
    ------
    ImportError
        If pandas is not installed.
    ValueError
        If the two kinds have different columns, or fewer than `cv` rows.

    See Also
    --------
    health_check : Drift, feature by feature.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.inspection import domain_check
    >>> rng = np.random.RandomState(0)
    >>> simulated, observed = rng.normal(size=(2, 1000, 3))
    >>> bool(domain_check(simulated, observed, random_state=0)["auroc"][0] < 0.55)
    True
    """
    pd = pandas("domain_check")
    rng = check_random_state(random_state)
    same_columns(X_simulated, X_observed)
    hillas = None
    if estimator is not None:
        check_is_fitted(estimator)
        hillas, _ = hillas_of(estimator)
    observed, names = _seen(estimator, X_observed)
    model = classifier
    if model is None:
        model = RandomForestClassifier(200, min_samples_leaf=5, class_weight="balanced")
    seed = rng.randint(2**31 - 1)
    if "random_state" in model.get_params():
        model = clone(model).set_params(random_state=seed)
    detects = hasattr(estimator, "predict")
    flagged_observed = _flagged(estimator, X_observed) if detects else np.nan
    rows = []
    for scale, noise in itertools.product(charge_scale, night_sky):
        shifted = X_simulated
        if (scale, noise) != (1.0, 0.0):
            shifted = _shifted(X_simulated, scale, noise, hillas, rng)
        simulated, _ = _seen(estimator, shifted)
        if min(len(simulated), len(observed)) < cv:
            raise ValueError(
                f"there must be at least cv={cv} simulated and observed rows; got "
                f"{len(simulated)} and {len(observed)}"
            )
        X = np.concatenate([simulated, observed])
        y = np.repeat([-1, 1], [len(simulated), len(observed)])
        # Equal rows in two folds would be known by heart: simulations are often resampled.
        known = np.unique(np.nan_to_num(X, nan=np.inf), axis=0, return_inverse=True)[1].ravel()
        folds = StratifiedGroupKFold(cv, shuffle=True, random_state=seed).split(X, y, known)
        probability = cross_val_predict(
            model, X, y == -1, cv=list(folds), method="predict_proba", n_jobs=n_jobs
        )[:, 1]
        interval = bootstrap_interval(
            roc_auc_score, y, probability, n_resamples=N_RESAMPLES, random_state=seed
        )
        alone = [_alone(column, y) for column in X.T]
        row: dict[str, Any] = {"charge_scale": scale, "night_sky": noise, "auroc": interval.value}
        row |= {"low": interval.low, "high": interval.high}
        row |= {"feature": names[int(np.argmax(alone))], "feature_auroc": max(alone)}
        if detects:
            row |= {"flagged_simulated": _flagged(estimator, shifted)}
            row |= {"flagged_observed": flagged_observed}
        rows.append(row)
    domains = pd.DataFrame(rows)
    first, best = domains.iloc[0], domains.loc[domains["auroc"].idxmin()]
    if first["auroc"] - 0.5 > max(tolerance, MARGIN * (first["auroc"] - first["low"])):
        nearest = (
            f"; nearest with charge_scale={best['charge_scale']:g} and "
            f"night_sky={best['night_sky']:g} (AUROC {best['auroc']:.2f})"
            if best["auroc"] < first["auroc"]
            else ""
        )
        warnings.warn(
            f"simulated bulk can be told from observed bulk (AUROC {first['auroc']:.2f}, most by "
            f"{first['feature']}): a detector of simulated rare events among observed bulk may "
            f"learn what is simulated{nearest}",
            UserWarning,
            stacklevel=2,
        )
    return domains


def _seen(estimator: Any, X: Any) -> tuple[np.ndarray, list[str]]:
    """Rows as the last step sees them, and the names of their columns."""
    last, given = None, X
    if hasattr(estimator, "score_samples"):
        last, given = last_step(estimator, X)
    elif estimator is not None:
        given = estimator.transform(X)
    names = feature_names(estimator, last, given)
    if last is None and hasattr(estimator, "get_feature_names_out"):
        names = [str(name) for name in estimator.get_feature_names_out()]
    return check_array(given, dtype=np.float64, ensure_all_finite="allow-nan"), names


def _shifted(X: Any, scale: float, noise: float, hillas: Any, rng: np.random.RandomState) -> Any:
    """Images with other charges; arrival times behind them stay."""
    columns = getattr(X, "columns", None)
    X = np.array(X, dtype=np.float64, order="C")
    images = X.reshape(len(X), -1)  # a view, of this order
    n_pixels = images.shape[1] // (2 if hillas is not None and hillas.timing else 1)
    charges = images[:, :n_pixels]
    charges *= scale
    charges += rng.normal(scale=noise, size=charges.shape)
    return X if columns is None else pandas("domain_check").DataFrame(X, columns=columns)


def _alone(column: np.ndarray, y: np.ndarray) -> float:
    """How well one feature tells the kinds apart, either way round."""
    known = ~np.isnan(column)
    if len(np.unique(y[known])) < 2:
        return 0.5
    area = roc_auc_score(y[known], column[known])
    return float(max(area, 1 - area))


def _flagged(estimator: Any, X: Any) -> float:
    """Share of the rows with a score that a detector flags."""
    predicted = np.asarray(estimator.predict(X))
    return float(np.sum(predicted == -1) / max(np.sum(predicted != 0), 1))
