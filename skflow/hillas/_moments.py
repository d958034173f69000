"""Parameter kernels: what is measured of the pixels that an image keeps.

Every function takes the charges ``q`` of the kept pixels and their rows of ``pixels``, whose
columns are x, y, area and squared width, and writes into the event's row ``out``, whose order is
that of `_features.NAMES`. ``kept`` holds the pixels' indices. Lengths are in the unit of x and y.
"""

from typing import Any

import numpy as np

from ._compile import compiled

#: Where each group begins in a row, and the length of a row.
HILLAS, CONCENTRATION, LEAKAGE, MORPHOLOGY, INTENSITY, TIMING, SOURCE = 0, 14, 18, 22, 27, 33, 42
N_FEATURES = 49
#: Variances below this (squares of metres or degrees) are rounding errors of zero, as in ctapipe.
ZERO = float(np.finfo(np.float64).eps)
#: Below these shares of it, a difference from its own scale is a rounding error.
ROUND, THIN, CENTRAL, CONSTANT, TIE = 1e-13, 1e-15, 1e-9, 1e-12, 1e-9
#: An axis nearer than this to -90 degrees (in radians) is one at +90.
UPRIGHT = 1e-12
#: An island of up to SMALL pixels is small, of more than LARGE is large.
SMALL, LARGE = 2, 50


@compiled
def ellipse(q: Any, pixels: Any, along: Any, across: Any, out: Any) -> bool:
    """Centre, axes, moments and their uncertainties; False where charges have no positive sum.

    Coordinates are centred before they are squared. The axis has a closed form; the width is taken
    from the coordinates across it, which loses no digits where the image is thin.
    """
    n = len(q)
    size, x, y = 0.0, 0.0, 0.0
    for k in range(n):
        size += q[k]
        x += q[k] * pixels[k, 0]
        y += q[k] * pixels[k, 1]
    if not 0 < size < np.inf:
        return False
    x, y = x / size, y / size
    xx, yy, xy = 0.0, 0.0, 0.0
    for k in range(n):
        dx, dy = pixels[k, 0] - x, pixels[k, 1] - y
        xx += q[k] * dx * dx
        yy += q[k] * dy * dy
        xy += q[k] * dx * dy
    mean, half, xy = (xx + yy) / (2 * size), (xx - yy) / (2 * size), xy / size
    split = np.hypot(half, xy)
    no_axis = split <= ROUND * mean
    psi = 0.0 if no_axis else 0.5 * np.arctan2(xy, half)
    # Upright axes must not point down because xy was rounded to below zero.
    psi += np.pi if psi < UPRIGHT - np.pi / 2 else 0.0
    c, s = np.cos(psi), np.sin(psi)

    l2, l3, l4, t2 = 0.0, 0.0, 0.0, 0.0
    w0, wl, wll, wt, wlt = 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(n):
        dx, dy = pixels[k, 0] - x, pixels[k, 1] - y
        u, v = c * dx + s * dy, c * dy - s * dx
        along[k], across[k] = u, v
        l2 += q[k] * u * u
        l3 += q[k] * u * u * u
        l4 += q[k] * u * u * u * u
        t2 += q[k] * v * v
        w = q[k] / pixels[k, 2]
        w0 += w
        wl += w * u
        wll += w * u * u
        wt += w * v
        wlt += w * u * v
    l2, t2 = l2 / size, t2 / size
    l2 = 0.0 if l2 < ZERO else l2
    t2 = 0.0 if t2 < max(ZERO, THIN * l2) else t2
    length, width = np.sqrt(l2), np.sqrt(t2)
    e_length, e_width = 0.0, 0.0
    for k in range(n):
        e_length += q[k] * (along[k] ** 2 - l2) ** 2
        e_width += q[k] * (across[k] ** 2 - t2) ** 2

    out[0] = size
    out[3], out[4] = x, y
    out[5] = np.hypot(x, y)
    out[6] = np.degrees(np.arctan2(y, x))
    out[7], out[9] = length, width
    if width > 0:
        out[10] = np.sqrt(e_width) / (2 * size * width)
    if length > 0:
        out[1] = l3 / (size * length**3)
        out[2] = l4 / (size * length**4)
        out[8] = np.sqrt(e_length) / (2 * size * length)
        out[11] = np.degrees(psi)
        # The axis as a straight line fitted to the pixels: covariance and slope that is left over.
        det = w0 * wll - wl * wl
        slope = (w0 * wlt - wl * wt) / det
        if not no_axis:
            elongation = 1 + np.tan(width / length * np.pi / 2) ** 2
            out[12] = np.degrees(np.sqrt(w0 / det + slope**2) * elongation)
        out[13] = np.sqrt(wll / det * (1 + np.sin(slope) ** 2))
    return True


@compiled
def concentration(q: Any, pixels: Any, along: Any, across: Any, out: Any) -> None:
    """Shares of the charge near the centre, inside the ellipse and in the brightest pixels."""
    near, inside, first, second = 0.0, 0.0, -np.inf, -np.inf
    l2, t2 = out[HILLAS + 7] ** 2, out[HILLAS + 9] ** 2
    for k in range(len(q)):
        if along[k] ** 2 + across[k] ** 2 < pixels[k, 3] * (1 - TIE):
            near += q[k]
        if t2 > 0 and along[k] ** 2 / l2 + across[k] ** 2 / t2 <= 1 + TIE:
            inside += q[k]
        if q[k] > first:
            first, second = q[k], first
        elif q[k] > second:
            second = q[k]
    size = out[HILLAS]
    out[CONCENTRATION] = near / size
    out[CONCENTRATION + 1] = inside / size
    out[CONCENTRATION + 2] = first / size
    out[CONCENTRATION + 3] = (first + second) / size if len(q) > 1 else first / size


@compiled
def leakage(q: Any, kept: Any, border: Any, out: Any) -> None:
    """Shares of pixels and charge in the outermost ring (bit 1 of border) and two (bit 2)."""
    n1, n2, q1, q2 = 0, 0, 0.0, 0.0
    for k in range(len(q)):
        ring = border[kept[k]]
        if ring & 1:
            n1 += 1
            q1 += q[k]
        if ring & 2:
            n2 += 1
            q2 += q[k]
    out[LEAKAGE], out[LEAKAGE + 1] = n1 / len(q), n2 / len(q)
    out[LEAKAGE + 2], out[LEAKAGE + 3] = q1 / out[HILLAS], q2 / out[HILLAS]


@compiled
def morphology(label: Any, n: int, n_islands: int, count: Any, out: Any) -> None:
    """Number of pixels and of islands, by size."""
    count[1 : n_islands + 1] = 0
    for k in range(n):
        count[label[k]] += 1
    small, large = 0, 0
    for island in range(1, n_islands + 1):
        small += count[island] <= SMALL
        large += count[island] > LARGE
    out[MORPHOLOGY], out[MORPHOLOGY + 1] = n, n_islands
    out[MORPHOLOGY + 2] = small
    out[MORPHOLOGY + 3] = n_islands - small - large
    out[MORPHOLOGY + 4] = large


@compiled
def statistics(values: Any, out: Any) -> None:
    """Write maximum, minimum, mean, standard deviation, skewness and excess kurtosis."""
    n = len(values)
    if n == 0:
        return
    highest, lowest, mean = -np.inf, np.inf, 0.0
    for k in range(n):
        highest, lowest = max(highest, values[k]), min(lowest, values[k])
        mean += values[k]
    mean /= n
    m2, m3, m4 = 0.0, 0.0, 0.0
    for k in range(n):
        d = values[k] - mean
        m2 += d * d
        m3 += d * d * d
        m4 += d * d * d * d
    m2, m3, m4 = m2 / n, m3 / n, m4 / n
    std = np.sqrt(m2) if highest > lowest else 0.0
    out[0], out[1], out[2], out[3] = highest, lowest, mean, std
    if std > CONSTANT * abs(mean):
        out[4] = m3 / std**3
        out[5] = m4 / m2**2 - 3


@compiled
def source(q: Any, pixels: Any, along: Any, across: Any, x: float, y: float, out: Any) -> None:
    """Parameters relative to a source at (x, y), as far as there is a direction to it."""
    dx, dy = out[HILLAS + 3] - x, out[HILLAS + 4] - y
    length = out[HILLAS + 7]
    distance = np.hypot(dx, dy)
    if distance <= CENTRAL * np.sqrt(pixels[0, 3]):
        out[SOURCE + 1], out[SOURCE + 2] = 0.0, 0.0
        return
    out[SOURCE + 1] = distance
    if length == 0:
        return
    psi = np.radians(out[HILLAS + 11])
    c, s = np.cos(psi), np.sin(psi)
    miss, head = abs(c * dy - s * dx), c * dx + s * dy
    out[SOURCE] = np.degrees(np.arctan2(miss, abs(head)))
    out[SOURCE + 2] = miss
    # Towards the source is negative along the axis, whichever way the axis happens to point.
    sign = -1.0 if head < 0 else 1.0
    brightest, a2, l3, t3 = 0, 0.0, 0.0, 0.0
    for k in range(len(q)):
        if q[k] > q[brightest]:
            brightest = k
        px, py = c * along[k] - s * across[k], s * along[k] + c * across[k]
        a2 += q[k] * ((dx * py - dy * px) / distance) ** 2
        l3 += q[k] * along[k] ** 3
        t3 += q[k] * across[k] ** 3
    size = out[HILLAS]
    out[SOURCE + 3] = np.sqrt(max(a2 / size, 0.0))
    out[SOURCE + 4] = -sign * along[brightest]
    out[SOURCE + 5] = sign * np.cbrt(l3 / size)
    out[SOURCE + 6] = sign * np.cbrt(t3 / size)
