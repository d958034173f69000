"""Conformal p-values and what is selected by them: arithmetic on scores, no estimator.

Scores are higher for the more ordinary; n calibration scores belong to rows of the bulk.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from scipy.special import gammaln


class Counts(NamedTuple):
    """Weight of the calibration rows that score below each new row, at most as high, and in all."""

    below: np.ndarray
    at_most: np.ndarray
    total: np.ndarray


def count_below(scores: np.ndarray, calibration: np.ndarray, weights: np.ndarray) -> Counts:
    """Compare scores (m,) with calibration scores (n,) of the given weights (n,)."""
    order = np.argsort(calibration)
    cumulative = np.append(0.0, np.cumsum(weights[order]))
    below, at_most = (
        cumulative[np.searchsorted(calibration[order], scores, side=side)]
        for side in ("left", "right")
    )
    return Counts(below, at_most, np.full(len(scores), cumulative[-1]))


def break_ties(
    scores: np.ndarray, calibration: np.ndarray, rng: np.random.RandomState, of_new: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Ranks in place of scores, equal ones in random order.

    The calibration rows' order, from `rng`, is to be the same at every call: then the number of
    new rows that are flagged has the law that it has without ties. `of_new` draws that of new rows.
    """
    values, place = np.unique(calibration, return_inverse=True)
    found = np.searchsorted(values, scores)
    tied = np.isin(scores, values)
    # Ranks between those of two values, where uniform draws lie strictly between 0 and 1.
    low, high = np.nextafter(0, 1), np.nextafter(1, 0)
    noise = of_new.uniform(low, high, size=len(scores))
    return found + np.where(tied, noise, 0.0), place + rng.uniform(low, high, size=len(place))


def p_values(counts: Counts, own: np.ndarray) -> np.ndarray:
    r"""P-values of new rows: how few calibration rows look as strange.

    .. math:: p = \frac{\sum_i w_i 1\{s_i \le s\} + w}{\sum_i w_i + w}

    `own` is the weight w of a new row: 1 for rows like the calibration rows, where p times n + 1 is
    a count.
    """
    return (counts.at_most + own) / (counts.total + own)


def conditional_p_values(p: np.ndarray, n: int, delta: float) -> np.ndarray:
    r"""P-values that hold given the calibration rows, with a chance of 1 - delta.

    Bates et al. (2023), section 3.2, by the generalised Simes inequality with k = n / 2: with a
    chance of 1 - delta the i-th lowest of n uniform numbers is at most b_i, for all i at once, and
    p-values of ``ceil((n + 1) p) = i`` become b_i.
    """
    k = max(n // 2, 1)
    i = np.arange(1, n + 1)
    with np.errstate(divide="ignore"):
        log_product = np.where(
            i >= k, gammaln(i + 1) - gammaln(np.maximum(i - k, 0) + 1), -np.inf
        ) - (gammaln(n + 1) - gammaln(n - k + 1))
    bounds = np.append(1 - np.exp((math.log(delta) + log_product) / k)[::-1], 1.0)
    # A count, up to the rounding of the division by n + 1.
    place = np.ceil((n + 1) * p - 1e-9).astype(int)
    return bounds[np.clip(place, 1, n + 1) - 1]


def weighted_selection(
    p: np.ndarray,
    scores: np.ndarray,
    below: np.ndarray,
    total: np.ndarray,
    own: np.ndarray,
    fdr: float,
) -> np.ndarray:
    """Weighted conformal selection with deterministic pruning (Jin and Candes 2023, algorithm 1).

    Weighted p-values depend on each other in ways that Benjamini and Hochberg's procedure does not
    allow for. So every row j that could be selected is judged by the number R_j that the procedure
    would select if j were surely an anomaly and only its own weight entered the p-values of the
    others; then those are kept that are selected in the company of as many.

    Parameters
    ----------
    p, scores, below, total, own : ndarray of shape (m,)
        Weighted p-values, scores, weights of the calibration rows that score lower and of all,
        and weights of the new rows.
    fdr : float
        False-discovery rate to keep.

    Returns
    -------
    selected : ndarray of bool, shape (m,)
    """
    m = len(p)
    order = np.argsort(scores, kind="stable")
    sorted_scores, sorted_below = scores[order], below[order]
    place = np.argsort(order)
    limits = fdr * np.arange(1, m + 1) / m
    company = np.zeros(m, dtype=int)
    candidates = np.flatnonzero(p <= fdr)  # R_j is at most m
    for j in candidates:
        others = (sorted_below + own[j] * (sorted_scores > scores[j])) / (total[j] + own[j])
        others = np.append(0.0, np.delete(others, place[j]))  # rising, as the scores
        company[j] = np.flatnonzero(others <= limits).max() + 1
    first = candidates[p[candidates] <= fdr * company[candidates] / m]
    sizes = np.sort(company[first])
    enough = np.searchsorted(sizes, np.arange(1, len(first) + 1), side="right") >= np.arange(
        1, len(first) + 1
    )
    largest = np.flatnonzero(enough).max() + 1 if enough.any() else 0
    selected = np.zeros(m, dtype=bool)
    selected[first[company[first] <= largest]] = True
    return selected
