"""Cleaning kernels: which pixels of one image belong to a shower.

Thresholds have a type that compares fast with the charges', and bad pixels one that no charge
reaches. Neighbours come as a table (n_pixels, max_neighbors), filled up with the index n_pixels,
and every work array has one element more than there are pixels for that index to fall on.
"""

from typing import Any

import numpy as np

from ._compile import compiled

#: States of a pixel above a threshold, and the bits that are set of those in the core or kept.
BOUNDARY, PICTURE, CORE, KEEP = 1, 2, 4, 8
#: An image with an infinite charge has no total and no moments.
INFINITE = -1


@compiled
def _candidates(charges: Any, thresholds: Any, index: Any) -> int:
    """List the pixels that reach their threshold; NaN, as charge or threshold, never does."""
    n = 0
    for i in range(len(thresholds)):
        index[n] = i
        n += charges[i] >= thresholds[i]
    return n


@compiled
def _find_core(
    charges: Any,
    picture: Any,
    index: Any,
    n: int,
    neighbors: Any,
    least: int,
    state: Any,
    core: Any,
) -> int:
    """Mark the candidates, list the core pixels among them and return their number.

    Only picture pixels, which are few, are looked at one by one.
    """
    n_picture = 0
    for k in range(n):
        i = index[k]
        above = charges[i] >= picture[i]
        state[i] = BOUNDARY + (PICTURE - BOUNDARY) * above
        core[n_picture] = i
        n_picture += above
    n_core = 0
    for k in range(n_picture):
        i = core[k]
        if charges[i] == np.inf:
            return INFINITE
        count = 0
        for j in neighbors[i]:
            count += state[j] == PICTURE
        core[n_core] = i
        n_core += count >= least
    return n_core


@compiled
def tailcuts(
    charges: Any,
    picture: Any,
    boundary: Any,
    least: int,
    isolated: bool,
    neighbors: Any,
    state: Any,
    index: Any,
    kept: Any,
) -> int:
    """Two-threshold tail cuts; list the pixels kept in `kept` and return their number."""
    n = _candidates(charges, boundary, index)
    n_core = _find_core(
        charges, picture, index, n, neighbors, 0 if isolated else least, state, kept
    )
    # From the core outwards: most candidates are noise, far from any.
    for k in range(n_core):
        i = kept[k]
        around = 0
        for j in neighbors[i]:
            around |= state[j]
            # Only candidates can be kept. No branch: it would be guessed wrong.
            state[j] |= KEEP * (state[j] != 0)
        state[i] |= KEEP * (isolated or around != 0)
    n_kept = 0 if n_core >= 0 else INFINITE
    if n_core > 0:
        for k in range(n):
            kept[n_kept] = index[k]
            n_kept += (state[index[k]] & KEEP) != 0
    for k in range(n):
        state[index[k]] = 0
    return n_kept


@compiled
def islands(kept: Any, n: int, neighbors: Any, mark: Any, stack: Any, label: Any) -> int:
    """Number the groups of touching pixels: label[k] is that of kept[k], from 1 on."""
    for k in range(n):
        mark[kept[k]] = k + 1
        label[k] = 0
    n_islands = 0
    for k in range(n):
        if label[k]:
            continue
        n_islands += 1
        label[k] = n_islands
        stack[0] = k
        depth = 1
        while depth:
            depth -= 1
            for j in neighbors[kept[stack[depth]]]:
                other = mark[j] - 1
                if other >= 0 and label[other] == 0:
                    label[other] = n_islands
                    stack[depth] = other
                    depth += 1
    for k in range(n):
        mark[kept[k]] = 0
    return n_islands


@compiled
def time_constrained(
    charges: Any,
    times: Any,
    picture: Any,
    boundary: Any,
    least: int,
    core_limit: float,
    boundary_limit: float,
    neighbors: Any,
    state: Any,
    index: Any,
    kept: Any,
    mark: Any,
    stack: Any,
    label: Any,
) -> int:
    """Tail cuts whose core arrives together and whose boundary arrives with its core (MAGIC)."""
    n = _candidates(charges, boundary, index)
    n_core = _find_core(charges, picture, index, n, neighbors, least, state, kept)
    mean = _mean_time(charges, times, kept, n_core, neighbors, mark, stack, label)
    for k in range(n_core):
        i = kept[k]
        # Bright pixels of distant showers arrive over a longer time.
        limit = core_limit if charges[i] < 2 * picture[i] else 2 * core_limit
        state[i] |= CORE * (abs(times[i] - mean) < limit)
    n_kept = 0 if n_core >= 0 else INFINITE
    for k in range(n if n_core > 0 else 0):
        i = index[k]
        keep = state[i] & CORE != 0
        if not keep:
            count, near = 0, False
            for j in neighbors[i]:
                if state[j] & CORE:
                    near = True
                    count += abs(times[i] - times[j]) < boundary_limit
            keep = near and count >= least
        kept[n_kept] = i
        n_kept += keep
    for k in range(n):
        state[index[k]] = 0
    return n_kept


@compiled
def _mean_time(
    charges: Any, times: Any, core: Any, n: int, neighbors: Any, mark: Any, stack: Any, label: Any
) -> float:
    """Mean time of the brightest group of core pixels, weighted by their squared charges."""
    n_islands = islands(core, n, neighbors, mark, stack, label)
    brightest, most = 0, -np.inf
    for island in range(1, n_islands + 1):
        total = 0.0
        for k in range(n):
            if label[k] == island:
                total += charges[core[k]]
        if total > most:
            brightest, most = island, total
    weighted, weights = 0.0, 0.0
    for k in range(n):
        i = core[k]
        if label[k] == brightest and not np.isnan(times[i]):
            weight = np.float64(charges[i]) ** 2
            weighted += weight * times[i]
            weights += weight
    return weighted / weights if weights > 0 else np.nan
