"""Timing kernel: a straight line of arrival times along the axis that outliers do not tilt."""

from typing import Any

import numpy as np

from ._compile import compiled
from ._moments import TIMING, statistics

#: The line is fitted to this share of the pixels, those that lie nearest to it.
SHARE = 0.85
#: Lines through so many pairs of pixels are tried (all pairs of few), each improved so often.
N_STARTS, N_STEPS = 20, 20
#: Multiples of it, without their whole part, spread evenly over [0, 1).
GOLDEN = (5**0.5 - 1) / 2


@compiled
def timing(times: Any, along: Any, out: Any) -> None:
    """Least-trimmed-squares line through (along, times), and the statistics of the times.

    Rousseeuw and van Driessen (2006), "Computing LTS regression for large data sets": from a line
    through two points, fit again to the points nearest to it until the sum of squares stays.
    The pairs are the same for every event of as many pixels.
    """
    n = 0
    t, x = np.empty(len(times)), np.empty(len(times))
    for k in range(len(times)):
        if np.isfinite(times[k]):
            t[n], x[n] = times[k], along[k]
            n += 1
    t, x = t[:n], x[:n]
    statistics(t, out[TIMING + 3 :])
    n_used = int(SHARE * n)
    if n_used < 2:
        return
    best, best_slope, best_intercept = np.inf, np.nan, np.nan
    all_pairs = n * (n - 1) // 2
    n_starts = min(all_pairs, N_STARTS)
    for start in range(n_starts):
        first, second = _pair(
            start if n_starts == all_pairs else int(start * GOLDEN % 1 * all_pairs), n
        )
        slope = (t[second] - t[first]) / (x[second] - x[first])
        if not np.isfinite(slope):
            continue
        intercept = t[first] - slope * x[first]
        error = np.inf
        for _ in range(N_STEPS):
            nearest = np.argsort(np.abs(t - slope * x - intercept))[:n_used]
            mean_t, mean_l = t[nearest].mean(), x[nearest].mean()
            dl = x[nearest] - mean_l
            dt = t[nearest] - mean_t
            slope = (dl * dt).sum() / (dl * dl).sum()
            intercept = mean_t - slope * mean_l
            last, error = error, ((dt - slope * dl) ** 2).sum()
            if not error < last - 1e-12:
                break
        if error < best:
            best, best_slope, best_intercept = error, slope, intercept
    out[TIMING] = best_intercept
    out[TIMING + 1] = np.sqrt(np.mean((t - best_slope * x - best_intercept) ** 2))
    out[TIMING + 2] = best_slope


@compiled
def _pair(number: int, n: int) -> tuple[int, int]:
    """The numbered of all pairs of n points, spread so that the first ones are far apart."""
    gap = n - 1
    while number >= n - gap:
        number -= n - gap
        gap -= 1
    return number, number + gap
