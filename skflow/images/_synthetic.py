"""Synthetic anomalies: images with something planted in them, and where."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.utils import check_array, check_random_state

from ..detectors._images import as_table, resolve_image_shape

#: Height and width of a planted region, in parts of the image's.
EXTENT = (0.1, 0.4)
#: By how much, in standard deviations of all pixels, a changed pixel differs.
VISIBLE = 0.1
#: How often to try where nothing has changed, such as a dead pixel in the dark.
MAX_TRIES = 20


def _box(shape: tuple[int, int], rng: np.random.RandomState) -> tuple[slice, slice]:
    """A random box, of two pixels at least where the image has as many."""
    slices = []
    for size in shape:
        extent = int(np.clip(round(size * rng.uniform(*EXTENT)), min(2, size), size))
        start = rng.randint(size - extent + 1)
        slices.append(slice(start, start + extent))
    return slices[0], slices[1]


def _ellipse(shape: tuple[int, int], rng: np.random.RandomState) -> np.ndarray:
    """Weight (h, w) of a tilted Gaussian blob, 1 at its centre."""
    grid = np.indices(shape).astype(float)
    offset = grid - [[[rng.uniform(0, size)]] for size in shape]
    angle = rng.uniform(0, np.pi)
    along = np.cos(angle) * offset[0] + np.sin(angle) * offset[1]
    across = np.cos(angle) * offset[1] - np.sin(angle) * offset[0]
    width = min(shape) * rng.uniform(0.03, 0.08) + 0.5
    length = width * rng.uniform(1, 3)
    return np.exp(-0.5 * ((along / length) ** 2 + (across / width) ** 2))


def perlin_noise(shape: tuple[int, int], n_cells: int, rng: np.random.RandomState) -> np.ndarray:
    """Gradient noise (h, w), about -1 to 1, with features as large as a cell.

    Perlin, "An image synthesizer", SIGGRAPH 1985: between the corners of a grid with random unit
    gradients, their linear functions are blended smoothly.
    """
    angle = rng.uniform(0, 2 * np.pi, size=(n_cells + 1, n_cells + 1))
    position = np.indices(shape) * (n_cells / np.array(shape))[:, None, None]
    corner = position.astype(int)
    inside = position - corner
    blend = inside**3 * (inside * (inside * 6 - 15) + 10)
    noise = np.zeros(shape)
    for step in np.ndindex(2, 2):
        i, j = corner + np.array(step)[:, None, None]
        distance = inside - np.array(step)[:, None, None]
        slope = np.cos(angle[i, j]) * distance[0] + np.sin(angle[i, j]) * distance[1]
        weight = np.where(np.array(step)[:, None, None], blend, 1 - blend).prod(axis=0)
        noise += weight * slope
    return noise * np.sqrt(2)


def _cut_paste(
    image: np.ndarray, other: np.ndarray, rng: np.random.RandomState, scale: float
) -> np.ndarray:
    """A piece of another image, perhaps turned, at a place where it does not belong."""
    rows, columns = _box(image.shape[:2], rng)
    height, width = rows.stop - rows.start, columns.stop - columns.start
    top = rng.randint(len(other) - height + 1)
    left = rng.randint(other.shape[1] - width + 1)
    piece = other[top : top + height, left : left + width]
    if rng.rand() < 0.5:
        piece = piece[::-1, ::-1]
    out = image.copy()
    out[rows, columns] = piece
    return out


def _texture(
    image: np.ndarray, other: np.ndarray, rng: np.random.RandomState, scale: float
) -> np.ndarray:
    """Another texture, blended in where Perlin noise is high."""
    shape = image.shape[:2]
    region = perlin_noise(shape, rng.randint(2, 5), rng) > 0.35
    texture = np.roll(other, rng.randint(0, shape, size=2), axis=(0, 1))[::-1, :, :]
    texture = texture + scale * perlin_noise(shape, min(min(shape), 8), rng)[..., None]
    opacity = rng.uniform(0.3, 1.0)
    return np.where(region[..., None], (1 - opacity) * image + opacity * texture, image)


def _noise_patch(
    image: np.ndarray, other: np.ndarray, rng: np.random.RandomState, scale: float
) -> np.ndarray:
    """A box with noise of half a standard deviation to two."""
    box = _box(image.shape[:2], rng)
    out = image.copy()
    out[box] += scale * rng.uniform(0.5, 2) * rng.normal(size=out[box].shape)
    return out


def _erased(
    image: np.ndarray, other: np.ndarray, rng: np.random.RandomState, scale: float
) -> np.ndarray:
    """A box of one value."""
    out = image.copy()
    out[_box(image.shape[:2], rng)] = rng.uniform(image.min(), image.max() + 1e-9)
    return out


def _island(
    image: np.ndarray, other: np.ndarray, rng: np.random.RandomState, scale: float
) -> np.ndarray:
    """A small island of light, or a hole."""
    height = scale * rng.uniform(1, 4) * rng.choice([1, 1, 1, -1])
    return image + height * _ellipse(image.shape[:2], rng)[..., None]


def _arc(
    image: np.ndarray, other: np.ndarray, rng: np.random.RandomState, scale: float
) -> np.ndarray:
    """Part of a ring, as muons make."""
    shape = np.array(image.shape[:2])
    radius, width = shape.min() * rng.uniform(0.15, 0.4), 0.5 + 0.02 * shape.min()
    offset = np.indices(image.shape[:2]) - (shape * rng.uniform(0.2, 0.8, size=2))[:, None, None]
    around = np.arctan2(*offset) - rng.uniform(-np.pi, np.pi)
    on_arc = np.cos(around) > np.cos(rng.uniform(0.3, np.pi))
    ring = np.exp(-0.5 * ((np.hypot(*offset) - radius) / width) ** 2) * on_arc
    return image + scale * rng.uniform(1, 4) * ring[..., None]


def _pixels(image: np.ndarray, rng: np.random.RandomState) -> tuple[np.ndarray, ...]:
    n = rng.randint(1, max(2, round(0.01 * image.shape[0] * image.shape[1])) + 1)
    return tuple(rng.randint(0, size, size=n) for size in image.shape[:2])


def _dead(
    image: np.ndarray, other: np.ndarray, rng: np.random.RandomState, scale: float
) -> np.ndarray:
    """Pixels that see nothing."""
    out = image.copy()
    out[_pixels(image, rng)] = min(0.0, float(image.min()))
    return out


def _hot(
    image: np.ndarray, other: np.ndarray, rng: np.random.RandomState, scale: float
) -> np.ndarray:
    """Pixels that see too much."""
    out = image.copy()
    out[_pixels(image, rng)] += scale * rng.uniform(3, 8)
    return out


Plant = Callable[[np.ndarray, np.ndarray, np.random.RandomState, float], np.ndarray]

#: Kinds for photos, and those of telescope cameras.
PHOTO: dict[str, Plant] = {
    "cut_paste": _cut_paste,
    "texture": _texture,
    "noise": _noise_patch,
    "erased": _erased,
}
CAMERA: dict[str, Plant] = {"island": _island, "arc": _arc, "dead": _dead, "hot": _hot}
KINDS = PHOTO | CAMERA


def check_kinds(kinds: Any, name: str) -> None:
    """Refuse what is not a list of kinds."""
    unknown = [kind for kind in kinds if kind not in KINDS]
    if isinstance(kinds, str) or unknown or not len(kinds):
        raise ValueError(f"{name} must be a list of some of {', '.join(KINDS)}; got {kinds!r}")


def make_anomalies(
    X: Any,
    *,
    kinds: Sequence[str] = tuple(PHOTO),
    faintest: float = 1.0,
    image_shape: Any = None,
    random_state: Any = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Plant a synthetic anomaly in every image.

    What a flow can be contrasted with when no anomaly is known, as in the self-supervised flow of
    Chiu and Lai [1]_; also a test of localisation whose answer is known.

    Parameters
    ----------
    X : array-like of shape (n_images, n_pixels), (n, h, w) or (n, h, w, c)
        Ordinary images.
    kinds : sequence of str, default=("cut_paste", "texture", "noise", "erased")
        What to plant, drawn anew for every image. For photos: a piece of another image [2]_,
        another texture where Perlin noise is high [3]_, a box of noise, or a box of one value;
        for telescope cameras: "island", "arc" (of a muon ring), "dead" or "hot" pixels.
    faintest : float in (0, 1], default=1.0
        Below 1, what is planted is blended with the image: its share is drawn between this and 1,
        each power of ten as often as another.
    image_shape : tuple of two or three ints, or None
        (height, width) or (height, width, channels) of rows; None as in `FastFlowDetector`.
    random_state : int, RandomState instance or None, default=None
        Seed.

    Returns
    -------
    anomalous : ndarray of the shape of X, float64
        The images with what was planted.
    masks : ndarray of shape (n, h, w), bool
        Where a pixel differs from its former value by more than a tenth of the standard
        deviation of all pixels; nowhere for the few images in which nothing could be planted.

    Raises
    ------
    ValueError
        If a kind is unknown, or there is none; if `faintest` is not in (0, 1].

    References
    ----------
    .. [1] Chiu and Lai, "Self-Supervised Normalizing Flows for Image Anomaly Detection and
       Localization", CVPR workshops 2023.
    .. [2] Li et al., "CutPaste: Self-Supervised Learning for Anomaly Detection and Localization",
       CVPR 2021, arXiv:2104.04015.
    .. [3] Zavrtanik, Kristan and Skocaj, "DRAEM: a discriminatively trained reconstruction
       embedding for surface anomaly detection", ICCV 2021, arXiv:2108.07610.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.images import make_anomalies
    >>> X = np.random.RandomState(0).normal(size=(5, 12, 12))
    >>> anomalous, masks = make_anomalies(X, kinds=["erased"], random_state=0)
    >>> anomalous.shape, masks.shape
    ((5, 12, 12), (5, 12, 12))
    """
    check_kinds(kinds, "kinds")
    if not 0 < faintest <= 1:
        raise ValueError(f"faintest must be in (0, 1]; got {faintest}")
    rows = check_array(as_table(X, None), dtype=np.float64)
    height, width, channels = resolve_image_shape(image_shape, X, rows.shape[1])
    images = rows.reshape(-1, height, width, channels)
    rng = check_random_state(random_state)
    scale = float(images.std()) or 1.0
    planted = np.empty_like(images)
    chosen = rng.choice(list(kinds), size=len(images))
    masks = np.zeros(images.shape[:3], dtype=bool)
    for i, (image, kind) in enumerate(zip(images, chosen, strict=True)):
        for _ in range(MAX_TRIES):
            other = images[rng.randint(len(images))]
            planted[i] = KINDS[kind](image, other, rng, scale)
            if faintest < 1:
                share = np.exp(rng.uniform(np.log(faintest), 0))
                planted[i] = image + share * (planted[i] - image)
            masks[i] = (np.abs(planted[i] - image) > VISIBLE * scale).any(axis=-1)
            if masks[i].any():
                break
    return planted.reshape(np.shape(X)), masks
