"""Where the light of each kind of shower falls: photo-electrons, drawn one by one.

Numbers of photo-electrons are Poisson and places are drawn on their own, so that every pixel's
count is Poisson about its expectation.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from ..hillas import CameraGeometry

#: Finest raster by which positions find their pixels: cells per pixel, and cells per side.
CELLS_PER_PIXEL, CELLS_PER_SIDE = 6, 1000
#: Shape of the gamma distribution of light along an axis: skewness 2 / sqrt(shape).
LONGITUDINAL_SHAPE = 6.0
#: Delay along the axis of an image that is one camera radius from the source, in ns a radius.
TIME_GRADIENT = 25.0


class Photons(NamedTuple):
    """Photo-electrons of many events: event, place in the camera and delay (ns)."""

    event: np.ndarray
    x: np.ndarray
    y: np.ndarray
    delay: np.ndarray


class Screen:
    """A camera as light sees it: its middle, radius and the pixel at each place."""

    def __init__(self, geometry: CameraGeometry, source: tuple[float, float]) -> None:
        self.source = source
        self.x, self.y = float(geometry.pix_x.mean()), float(geometry.pix_y.mean())
        self.radius = float(np.sqrt(geometry.pix_area.sum() / np.pi))
        self.pixel = float(np.median(geometry.pixel_width))
        places = np.column_stack([geometry.pix_x, geometry.pix_y])
        span = np.ptp(places, axis=0).max() + 2 * self.pixel
        self.cell = max(geometry.pixel_width.min() / CELLS_PER_PIXEL, span / CELLS_PER_SIDE)
        self.corner = places.min(axis=0) - self.pixel
        side = np.ceil((np.ptp(places, axis=0) + 2 * self.pixel) / self.cell).astype(int) + 1
        cells = np.indices(side).reshape(2, -1).T
        distance, nearest = cKDTree(places).query(self.corner + (cells + 0.5) * self.cell)
        # A pixel reaches to its corners: 0.71 of a square's width, 0.58 of a hexagon's.
        reach = {"square": 0.71, "hexagon": 0.58, "circle": 0.5}[geometry.shape]
        nearest[distance > reach * geometry.pixel_width[nearest]] = -1
        self.raster = nearest.reshape(side)
        # The outermost cells stand for everything beyond them.
        self.raster[[0, -1]] = -1
        self.raster[:, [0, -1]] = -1

    def at_least(self, radii: float, pixels: float) -> float:
        """Length of so many camera radii, or so many pixels where this is more."""
        return max(radii * self.radius, pixels * self.pixel)

    def pixel_at(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Pixels that hold these places; -1 for none."""
        cell = []
        for place, corner, n_cells in zip((x, y), self.corner, self.raster.shape, strict=True):
            # Clipped first: a whole number holds no place that is far enough away.
            inside = np.clip((place - corner) / self.cell, 0, n_cells - 1)
            cell.append(inside.astype(np.intp))
        return self.raster[tuple(cell)]


def gamma_light(rng: Any, event: np.ndarray, size: np.ndarray, screen: Screen) -> Photons:
    """Slim images that point at the source, bright on its side, with a tail away from it."""
    n = len(event)
    x, y = _inside(rng, n, screen, 0.8)
    across, along = y - screen.source[1], x - screen.source[0]
    distance = np.hypot(across, along)
    miss = screen.at_least(0.05, 0.4) * (size / 100) ** -0.25
    angle = np.arctan2(across, along) + rng.standard_normal(n) * np.arctan2(miss, distance)
    growth = (size / 100) ** 0.12
    length = growth * screen.at_least(0.11, 1.0) * (0.7 + 0.8 * distance / screen.radius)
    width = growth * screen.at_least(0.035, 0.4)
    gradient = TIME_GRADIENT * (distance / screen.radius - 0.2)
    return _blobs(
        rng,
        event,
        size,
        (x, y),
        angle,
        length * np.exp(0.15 * rng.standard_normal(n)),
        width * np.exp(0.1 * rng.standard_normal(n)),
        (gradient + 2 * rng.standard_normal(n)) / screen.radius,
        np.zeros(n),
    )


def hadron_light(rng: Any, event: np.ndarray, size: np.ndarray, screen: Screen) -> Photons:
    """Broad, ragged images from anywhere: a backbone, a few parts beside it, some muons."""
    n = len(event)
    x, y = _inside(rng, n, screen, 0.85)
    angle = 2 * np.pi * rng.random(n)
    n_parts = rng.poisson(2.5, n)
    share = np.where(n_parts > 0, rng.beta(4.0, 2.0, n), 1.0)
    growth = (size / 100) ** 0.12
    backbone = _blobs(
        rng,
        event,
        size * share,
        (x, y),
        angle,
        growth * screen.at_least(0.13, 1.1) * np.exp(0.35 * rng.standard_normal(n)),
        growth * screen.at_least(0.065, 0.6) * np.exp(0.35 * rng.standard_normal(n)),
        TIME_GRADIENT / screen.radius * rng.normal(0.0, 0.4, n),
        np.zeros(n),
    )
    owner = np.repeat(np.arange(n), n_parts)
    weight = rng.exponential(size=len(owner))
    weight /= np.bincount(owner, weight, n)[owner]
    # Parts lie about the backbone's axis, more along it than across.
    along = screen.at_least(0.25, 1.5) * rng.standard_normal(len(owner))
    across = screen.at_least(0.12, 0.8) * rng.standard_normal(len(owner))
    direction = angle[owner]
    place = (
        x[owner] + along * np.cos(direction) - across * np.sin(direction),
        y[owner] + along * np.sin(direction) + across * np.cos(direction),
    )
    spread = np.exp(0.4 * rng.standard_normal((2, len(owner))))
    parts = _blobs(
        rng,
        event[owner],
        (size * (1 - share))[owner] * weight,
        place,
        direction + 0.6 * rng.standard_normal(len(owner)),
        screen.at_least(0.06, 0.6) * spread[0],
        screen.at_least(0.04, 0.45) * spread[1],
        TIME_GRADIENT / screen.radius * rng.normal(0.0, 0.4, len(owner)),
        3 * rng.standard_normal(len(owner)),
    )
    muons = muon_light(rng, event[rng.random(n) < 0.1], screen)
    return Photons(*(np.concatenate(part) for part in zip(backbone, parts, muons, strict=True)))


def muon_light(rng: Any, event: np.ndarray, screen: Screen) -> Photons:
    """Rings of muons that hit the mirror, arcs of those that pass it by."""
    n = len(event)
    centre = _inside(rng, n, screen, 0.75)
    radius = screen.at_least(1.0, 4.0) * rng.uniform(0.25, 0.5, n)
    # In units of the mirror's radius: up to 1 the muon hits it.
    impact = 1.5 * np.sqrt(rng.random(n))
    brightness = 20.0 * np.exp(0.2 * rng.standard_normal(n))
    n_drawn = rng.poisson(brightness * 2 * np.pi * radius / screen.pixel)
    owner = np.repeat(np.arange(n), n_drawn)
    azimuth = 2 * np.pi * rng.random(len(owner))
    # Light is in proportion to the mirror's chord along the azimuth; thinning by it leaves
    # the numbers Poisson.
    half = 1 - (impact[owner] * np.sin(azimuth)) ** 2
    towards = impact[owner] * np.cos(azimuth)
    chord = np.sqrt(np.maximum(half, 0))
    chord = np.where(impact[owner] < 1, chord + towards, 2 * chord * (towards > 0))
    keep = 2 * rng.random(len(owner)) < chord
    owner, azimuth = owner[keep], azimuth[keep] + (2 * np.pi * rng.random(n))[owner[keep]]
    thickness = screen.at_least(0.015, 0.25) * rng.standard_normal(len(owner))
    away = radius[owner] + thickness
    return Photons(
        event[owner],
        centre[0][owner] + away * np.cos(azimuth),
        centre[1][owner] + away * np.sin(azimuth),
        np.zeros(len(owner)),
    )


def _inside(rng: Any, n: int, screen: Screen, radii: float) -> tuple[np.ndarray, np.ndarray]:
    """Places spread over the inner part of the camera."""
    away = radii * screen.radius * rng.random(n) ** 0.6
    azimuth = 2 * np.pi * rng.random(n)
    return screen.x + away * np.cos(azimuth), screen.y + away * np.sin(azimuth)


def _blobs(
    rng: Any,
    event: np.ndarray,
    expected: np.ndarray,
    place: tuple[np.ndarray, np.ndarray],
    angle: np.ndarray,
    length: np.ndarray,
    width: np.ndarray,
    gradient: np.ndarray,
    delay: np.ndarray,
) -> Photons:
    """Draw the light of ellipses, skewed along their axes; `gradient` in ns per metre."""
    owner = np.repeat(np.arange(len(event)), rng.poisson(expected))
    along = rng.standard_gamma(LONGITUDINAL_SHAPE, len(owner), dtype=np.float32)
    along = length[owner] * (along - LONGITUDINAL_SHAPE) / np.sqrt(LONGITUDINAL_SHAPE)
    across = width[owner] * rng.standard_normal(len(owner), dtype=np.float32)
    cos, sin = np.cos(angle)[owner], np.sin(angle)[owner]
    return Photons(
        event[owner],
        place[0][owner] + along * cos - across * sin,
        place[1][owner] + along * sin + across * cos,
        delay[owner] + gradient[owner] * along,
    )
