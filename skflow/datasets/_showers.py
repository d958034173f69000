"""A simulator of camera images: gammas, hadrons, muons and pedestals on any camera."""

from typing import Any

import numpy as np
from sklearn.utils import check_array, check_random_state

from ..hillas import CameraGeometry
from ._shower_light import Photons, Screen, gamma_light, hadron_light, muon_light

KINDS = ("gamma", "hadron", "muon", "pedestal")
#: Events simulated at a time: bounds the memory.
CHUNK = 500
#: Variance of a charge per photo-electron, and of the electronics, in p.e. squared.
SINGLE_PE_VARIANCE, ELECTRONIC_VARIANCE = 0.12, 0.2
#: Readout window, and mean and standard deviation of the time at which a shower comes, in ns.
WINDOW, ARRIVAL, ARRIVAL_SPREAD = 50.0, 22.0, 2.0


def make_shower_images(
    n_events: int = 1000,
    geometry: CameraGeometry | None = None,
    *,
    kind: Any = "gamma",
    times: bool = False,
    source: tuple[float, float] = (0.0, 0.0),
    size: tuple[float, float] = (100.0, 10_000.0),
    night_sky: Any = 1.0,
    random_state: Any = None,
) -> np.ndarray:
    """Simulate images of a Cherenkov telescope's camera.

    A toy: shapes, light and times are rough likenesses, scaled to the camera. No physics result
    may rest on it. Good for trying things out, for speed, and to see where an image's light is.

    - A gamma is a slim ellipse whose axis meets the source, but for a small miss. It is bright
      on the source's side, and has a tail away from it. Far from the source, later light lies
      farther out.
    - A hadron is broader, comes from anywhere, breaks up into parts, and one in ten has a muon.
    - A muon is a thin ring, or an arc where it passes the mirror by [1]_.
    - A pedestal is the night sky alone.

    Parameters
    ----------
    n_events : int, default=1000
        Number of images.
    geometry : CameraGeometry, default=None
        The camera; by default ``CameraGeometry.hexagonal(18)``, of 1027 pixels.
    kind : {"gamma", "hadron", "muon", "pedestal"} or array-like of shape (n_events,), \
default="gamma"
        What each image shows.
    times : bool, default=False
        Whether arrival times follow the charges. Charges are the same with and without.
    source : (float, float), default=(0.0, 0.0)
        Where in the camera the source of the gammas is, in metres.
    size : (float, float), default=(100.0, 10000.0)
        Smallest and largest expected number of photo-electrons of gammas and hadrons, between
        which it falls as 1 / size**2. Some light misses the camera.
    night_sky : float or array-like of shape (n_pixels,), default=1.0
        Expected number of photo-electrons per pixel from the night sky.
    random_state : int, RandomState instance or None, default=None
        Seed.

    Returns
    -------
    X : ndarray of shape (n_events, n_pixels) or (n_events, 2 * n_pixels), float32
        Charges in photo-electrons: Poisson counts, with the spread of single photo-electrons
        and of the electronics, less the night sky's expectation. With `times`, arrival times
        between 0 and 50 ns behind them, as ``HillasTransformer(timing=True)`` takes them; those
        of pixels without light of the shower are random.

    Raises
    ------
    ValueError
        If `n_events` is negative, `kind` is unknown or not one per event, `source` is not a place,
        `size` not two increasing positive numbers, or `night_sky` negative or of another length.

    References
    ----------
    .. [1] Vacanti et al., "Muon ring images with an atmospheric Cherenkov telescope",
       Astroparticle Physics 2, 1994.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.datasets import make_shower_images
    >>> from skflow.hillas import CameraGeometry
    >>> kind = np.repeat(["hadron", "gamma"], [95, 5])
    >>> X = make_shower_images(100, kind=kind, random_state=0)
    >>> X.shape
    (100, 1027)
    >>> camera = CameraGeometry.square(28)
    >>> make_shower_images(10, camera, times=True, random_state=0).shape
    (10, 1568)
    """
    if n_events < 0:
        raise ValueError(f"n_events must not be negative; got {n_events}")
    geometry = CameraGeometry.hexagonal(18) if geometry is None else geometry
    kinds = _check_kind(kind, n_events)
    if np.shape(source) != (2,) or not np.isfinite(source).all():
        raise ValueError(f"source must be (x, y) in metres; got {source}")
    if np.shape(size) != (2,) or not 0 < size[0] <= size[1] < np.inf:
        raise ValueError(f"size must be (smallest, largest), both positive; got {size}")
    night_sky = check_array(
        night_sky, ensure_2d=False, ensure_min_samples=0, dtype=np.float64, input_name="night_sky"
    )
    if night_sky.shape not in ((), (geometry.n_pixels,)) or (night_sky < 0).any():
        raise ValueError(
            f"night_sky must be a number or one for each of the {geometry.n_pixels} pixels, "
            f"none negative; got shape {night_sky.shape}, least {night_sky.min(initial=0):g}"
        )
    seed = check_random_state(random_state).randint(2**31, size=4)
    # Two streams, so that asking for times does not change the charges.
    rng, clock = np.random.default_rng([*seed, 0]), np.random.default_rng([*seed, 1])
    screen = Screen(geometry, source)
    X = np.empty((n_events, geometry.n_pixels * (1 + times)), dtype=np.float32)
    for start in range(0, n_events, CHUNK):
        rows = slice(start, start + CHUNK)
        light = _draw_light(rng, kinds[rows], size, screen)
        _read_out(X[rows], light, screen, night_sky, rng, clock if times else None)
    return X


def _check_kind(kind: Any, n_events: int) -> np.ndarray:
    """One kind for each event."""
    given = np.asarray(kind)
    if given.shape not in ((), (n_events,)):
        raise ValueError(
            f"kind must be a string or one for each of the {n_events} events; "
            f"got shape {given.shape}"
        )
    unknown = sorted({str(name) for name in given.ravel().tolist()} - set(KINDS))
    if unknown:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {', '.join(unknown)}")
    return np.broadcast_to(given, n_events)


def _draw_light(rng: Any, kinds: np.ndarray, size: tuple[float, float], screen: Screen) -> Photons:
    """Photo-electrons of the showers of one chunk."""
    low, high = 1 / size[0], 1 / size[1]
    expected = 1 / (low - (low - high) * rng.random(len(kinds)))
    parts = []
    for name, draw in (("gamma", gamma_light), ("hadron", hadron_light)):
        event = np.flatnonzero(kinds == name)
        parts.append(draw(rng, event, expected[event], screen))
    parts.append(muon_light(rng, np.flatnonzero(kinds == "muon"), screen))
    return Photons(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _read_out(
    out: np.ndarray, light: Photons, screen: Screen, night_sky: np.ndarray, rng: Any, clock: Any
) -> None:
    """Write charges, and times where there is a `clock`, of one chunk into `out`."""
    n_events = len(out)
    n_pixels = out.shape[1] // (1 if clock is None else 2)
    pixel = screen.pixel_at(light.x, light.y)
    caught = pixel >= 0
    place = light.event[caught] * n_pixels + pixel[caught]
    shower = np.bincount(place, minlength=n_events * n_pixels).reshape(n_events, n_pixels)
    counts = shower + rng.poisson(night_sky, shower.shape)
    noise = rng.standard_normal(counts.shape, dtype=np.float32)
    noise *= np.sqrt(SINGLE_PE_VARIANCE * counts + ELECTRONIC_VARIANCE, dtype=np.float32)
    out[:, :n_pixels] = counts - night_sky + noise
    if clock is None:
        return
    arrival = clock.normal(ARRIVAL, ARRIVAL_SPREAD, n_events)
    time = arrival[light.event] + light.delay + clock.standard_normal(len(light.event))
    total = np.bincount(place, time[caught], shower.size).reshape(shower.shape)
    random = clock.random((2, *shower.shape), dtype=np.float32)
    # The pulse found is the shower's as often as its light is among all light.
    found = random[0] * (shower + night_sky) < shower
    out[:, n_pixels:] = np.where(
        found, np.clip(total / np.maximum(shower, 1), 0.0, WINDOW), WINDOW * random[1]
    )
