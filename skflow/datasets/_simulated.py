"""A simulator of Hillas tables: stands in where no real table can be had."""

from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.utils import check_random_state


def make_hillas(
    n_gammas: int = 2000, n_hadrons: int = 2000, *, random_state: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """Simulate Hillas parameters of gamma and hadron showers.

    A toy with the ten columns of the MAGIC table and their rough distributions: gammas are
    slim and point to the source, hadrons are ragged, wider, and come from anywhere. Good for
    trying things out; no result from it says anything about a telescope.

    Parameters
    ----------
    n_gammas, n_hadrons : int, default=2000
        Number of rows of each kind, gammas first.
    random_state : int, RandomState instance or None, default=None
        Seed.

    Returns
    -------
    X : ndarray of shape (n_gammas + n_hadrons, 10)
        Length, width (mm), size (log10 photons), conc, conc1, asym, m3_long, m3_trans (mm),
        alpha (degrees) and dist (mm), as in `fetch_magic`.
    is_gamma : ndarray of bool, shape (n_gammas + n_hadrons,)

    Examples
    --------
    >>> from skflow.datasets import make_hillas
    >>> X, is_gamma = make_hillas(30, 20, random_state=0)
    >>> X.shape, int(is_gamma.sum())
    ((50, 10), 30)
    """
    rng = check_random_state(random_state)
    n = n_gammas + n_hadrons
    is_gamma = np.arange(n) < n_gammas
    normal = rng.standard_normal((8, n))

    brightness = rng.gamma(2.0, 0.4, n)
    size = 2.0 + brightness + 0.1 * normal[0] * ~is_gamma
    dist = 30.0 + 400.0 * rng.beta(2.0, 3.0, n)
    # Hadron showers break up into parts, which blurs both axes.
    blur = np.where(is_gamma, 0.0, rng.exponential(0.35, n))
    length = 18.0 * np.exp(0.7 * brightness + 0.2 * normal[1] + 1.2 * blur) * (0.7 + dist / 600)
    width = 9.0 * np.exp(0.65 * brightness + 0.2 * normal[2] + 1.6 * blur)
    conc = expit(3.6 - 0.75 * np.log(length * width) + 0.25 * normal[3])
    conc1 = conc * np.clip(0.56 + 0.04 * normal[4], 0.4, 0.8)
    spread = np.where(is_gamma, 0.6, 1.0)
    asym = length * (0.15 * is_gamma + spread * normal[5])
    m3_long = length * (0.5 * is_gamma + 0.7 * spread * normal[6])
    m3_trans = 0.7 * width * normal[7]
    # A gamma's axis misses the source by little; a hadron's direction is uniform.
    miss = 14.0 * np.abs(rng.standard_normal(n)) * np.exp(-0.3 * brightness)
    alpha = np.where(is_gamma, np.degrees(np.arctan2(miss, dist)), 90.0 * rng.uniform(size=n))
    columns = (length, width, size, conc, conc1, asym, m3_long, m3_trans, alpha, dist)
    return np.column_stack(columns), is_gamma
