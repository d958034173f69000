"""The loop over events: clean, measure, and touch nothing but the pixels that are kept."""

from typing import Any

import numpy as np

from ._cleaning import INFINITE, islands, tailcuts, time_constrained
from ._compile import compiled
from ._moments import (
    HILLAS,
    INTENSITY,
    LEAKAGE,
    N_FEATURES,
    concentration,
    ellipse,
    leakage,
    morphology,
    source,
    statistics,
)
from ._timing import timing

#: Ways of cleaning.
MASK, TAILCUTS, TIME_CONSTRAINED = 0, 1, 2


@compiled
def select(
    way: int,
    row: Any,
    mask: Any,
    thresholds: Any,
    limits: Any,
    least: int,
    isolated: bool,
    neighbors: Any,
    work: Any,
    state: Any,
) -> int:
    """List the pixels kept of one image in work[0]; return their number, or INFINITE."""
    n_pixels = thresholds.shape[1]
    charges = row[:n_pixels]
    if way == TAILCUTS:
        return tailcuts(
            charges,
            thresholds[0],
            thresholds[1],
            least,
            isolated,
            neighbors,
            state,
            work[1],
            work[0],
        )
    if way == TIME_CONSTRAINED:
        return time_constrained(
            charges,
            row[n_pixels:],
            thresholds[0],
            thresholds[1],
            least,
            limits[0],
            limits[1],
            neighbors,
            state,
            work[1],
            work[0],
            work[2],
            work[3],
            work[4],
        )
    n = 0
    for i in range(n_pixels):
        work[0, n] = i
        n += mask[i] and not np.isnan(charges[i])
    return n


@compiled
def keep(
    way: int,
    images: Any,
    masks: Any,
    thresholds: Any,
    limits: Any,
    least: int,
    isolated: bool,
    neighbors: Any,
    out: Any,
) -> None:
    """Write the masks of kept pixels."""
    n_pixels = thresholds.shape[1]
    work, state = np.zeros((5, n_pixels + 1), np.int32), np.zeros(n_pixels + 1, np.int8)
    for event in range(len(images)):
        mask = masks[event if len(masks) > 1 else 0]
        n = select(
            way, images[event], mask, thresholds, limits, least, isolated, neighbors, work, state
        )
        for k in range(n):
            out[event, work[0, k]] = True


@compiled
def measure(
    way: int,
    images: Any,
    masks: Any,
    thresholds: Any,
    limits: Any,
    least: int,
    isolated: bool,
    neighbors: Any,
    pixels: Any,
    border: Any,
    center: Any,
    cuts: Any,
    groups: Any,
    columns: Any,
    out: Any,
) -> None:
    """Write the parameters named by their columns; a row stays NaN where there are none.

    An event is lost when fewer than cuts[0] pixels are kept, their charge is below cuts[1], or the
    share of charge in the two outermost rings is above cuts[2].
    """
    n_pixels = thresholds.shape[1]
    work, state = np.zeros((5, n_pixels + 1), np.int32), np.zeros(n_pixels + 1, np.int8)
    q, along, across = np.empty((3, n_pixels))
    held, row = np.empty((n_pixels, pixels.shape[1])), np.empty(N_FEATURES)
    for event in range(len(images)):
        image = images[event]
        out[event] = np.nan
        mask = masks[event if len(masks) > 1 else 0]
        n = select(way, image, mask, thresholds, limits, least, isolated, neighbors, work, state)
        if n == INFINITE or n < cuts[0]:
            continue
        kept = work[0, :n]
        for k in range(n):
            q[k] = image[kept[k]]
            held[k] = pixels[kept[k]]
        row[:] = np.nan
        if not ellipse(q[:n], held[:n], along, across, row) or row[HILLAS] < cuts[1]:
            continue
        leakage(q[:n], kept, border, row)
        if row[LEAKAGE + 3] > cuts[2]:
            continue
        if groups[0]:
            concentration(q[:n], held[:n], along, across, row)
        if groups[1]:
            n_islands = islands(kept, n, neighbors, work[2], work[3], work[4])
            morphology(work[4], n, n_islands, work[3], row)
        if groups[2]:
            statistics(q[:n], row[INTENSITY:])
        if groups[3]:
            source(q[:n], held[:n], along, across, center[0], center[1], row)
        if groups[4]:
            for k in range(n):
                q[k] = image[n_pixels + kept[k]]
            timing(q[:n], along[:n], row)
        for j in range(len(columns)):
            out[event, j] = row[columns[j]]
