"""Stacking: how the parts of RareEventDetector are weighed."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

#: Penalty of the weights, and least weight of a standardised feature that must not be dropped, for
#: one rare row; both fall with their number.
PENALTY, FLOOR = 10.0, 0.5


def log_odds(probability: np.ndarray, least: float) -> np.ndarray:
    """Log-odds of probabilities that are cut at `least` and one minus it."""
    p = np.clip(probability, least, 1 - least)
    return np.log(p / (1 - p))


def fit_stack(
    features: np.ndarray, is_rare: np.ndarray, weight: np.ndarray, droppable: np.ndarray
) -> tuple[np.ndarray, float]:
    r"""Ridge logistic regression with weights that are not negative.

    .. math:: \min_{w \ge 0, b} \; \sum_i v_i \log(1 + e^{-s_i (w^T f_i + b)})
        + \frac{\lambda}{2 m} \|w \sigma\|^2, \qquad s_i = \pm 1

    with sample weights v that sum to one, the features' standard deviations sigma, and m rare
    rows. scikit-learn's `LogisticRegression` cannot keep weights from being negative, which a
    noisy feature's would be by chance.

    Parameters
    ----------
    features : ndarray of shape (n, k)
        Features that all grow with the odds of a rare event.
    is_rare : ndarray of bool, shape (n,)
        Which rows are rare.
    weight : ndarray of shape (n,)
        Sample weights.
    droppable : ndarray of bool, shape (k,)
        Which features may get no weight. Ten rare rows, two of them held out at a time, are a
        poor judge: where chance speaks against all classifiers they must not all be dropped.

    Returns
    -------
    coefficients : ndarray of shape (k,)
        In the units of the features.
    intercept : float
    """
    mean, scale = features.mean(axis=0), features.std(axis=0)
    scale = np.where(scale > 1e-12 * np.maximum(np.abs(mean), 1), scale, np.inf)
    Z, sign, v = (features - mean) / scale, np.where(is_rare, 1.0, -1.0), weight / weight.sum()
    penalty, floor = PENALTY / is_rare.sum(), FLOOR / is_rare.sum()

    def loss_and_gradient(beta: np.ndarray) -> tuple[float, np.ndarray]:
        margin = sign * (Z @ beta[1:] + beta[0])
        loss = v @ np.logaddexp(0, -margin) + 0.5 * penalty * np.square(beta[1:]).sum()
        slope = -v * sign * expit(-margin)
        return loss, np.append(slope.sum(), Z.T @ slope + penalty * beta[1:])

    n_features = features.shape[1]
    found = minimize(
        loss_and_gradient,
        np.zeros(n_features + 1),
        jac=True,
        method="L-BFGS-B",
        bounds=[(None, None), *((0 if drop else floor, None) for drop in droppable)],
    )
    coefficients = found.x[1:] / scale
    return coefficients, float(found.x[0] - mean @ coefficients)
