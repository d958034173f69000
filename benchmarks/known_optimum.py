"""What the contrastive loss must converge to, on a grid."""

import numpy as np
from scipy.optimize import brentq


def contrastive_optimum(
    p: np.ndarray, q: np.ndarray, weight: float, clamp: float, cell: float
) -> np.ndarray:
    """max(p - c q, min(p, l exp(-t))) / l on a grid of cells, with l normalising."""

    def shape(log_l: float) -> np.ndarray:
        return np.maximum(p - weight * q, np.minimum(p, np.exp(log_l - clamp)))

    log_l = brentq(lambda log_l: np.log(shape(log_l).sum() * cell) - log_l, -30, 5)
    return shape(log_l) / np.exp(log_l)


def positive_difference(p: np.ndarray, q: np.ndarray, weight: float, cell: float) -> np.ndarray:
    """(p - c q)+ on a grid of cells, normalised: the optimum without a clamp."""
    difference = np.maximum(p - weight * q, 0)
    return difference / (difference.sum() * cell)


def total_variation(f: np.ndarray, g: np.ndarray, cell: float) -> float:
    """Half the integral of |f - g|."""
    return float(0.5 * np.abs(f - g).sum() * cell)
