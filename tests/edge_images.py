"""Images on 9 x 9 pixels that cleaning is hard on, and every way to clean them."""

import numpy as np

from skflow.hillas import CameraGeometry, HillasTransformer

CAMERA = CameraGeometry.square(9, pixel_width=0.1, focal_length=5.0)
CENTER = 40
WAYS = ("tailcuts", "time_constrained", "none", "mask", "callable")


def image(charges, *, rest=0.0) -> np.ndarray:
    """One row of charges, given by pixel."""
    row = np.full((1, CAMERA.n_pixels), rest)
    for pixel, charge in charges.items():
        row[0, pixel] = charge
    return row


def with_times(images, times=20.0) -> np.ndarray:
    return np.hstack([images, np.broadcast_to(times, images.shape)])


def features(X, mask=None, names="all", **parameters) -> dict[str, float]:
    """Features of one event by name, every pixel above zero kept unless told otherwise."""
    defaults = {"cleaning": lambda charges, *_: charges > 0, "geometry": CAMERA, "features": names}
    hillas = HillasTransformer(**defaults | parameters)
    row = hillas.transform(X, mask=mask)[0]
    names = [name.removeprefix("camera_frame_") for name in hillas.get_feature_names_out()]
    return dict(zip(names, row, strict=True))


def nan_names(row) -> set[str]:
    return {name for name, value in row.items() if np.isnan(value)}


def blob(seed=0) -> np.ndarray:
    """An ordinary image, well above the default thresholds."""
    x, y = CAMERA.pix_x, CAMERA.pix_y
    shape = 200 * np.exp(-(((x - 0.05) / 0.2) ** 2) - ((y - 0.3 * x) / 0.12) ** 2)
    return (shape + np.random.RandomState(seed).uniform(0, 1, CAMERA.n_pixels))[None]


def cleaned(way, X, **parameters) -> tuple[np.ndarray, HillasTransformer, np.ndarray | None]:
    """X, a transformer and a mask for one way of cleaning that keeps what tail cuts keep."""
    mask = HillasTransformer(CAMERA).clean(blob())
    if way == "time_constrained":
        X = with_times(X)
    cleaning = {
        "none": None,
        "mask": "tailcuts",
        "callable": lambda charges, camera: np.repeat(mask, len(charges), axis=0),
    }.get(way, way)
    hillas = HillasTransformer(
        CAMERA, cleaning=cleaning, timing=way == "time_constrained", **parameters
    )
    return X, hillas, mask if way == "mask" else None
