"""plot_camera_images: images of several events in a grid."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np

from ..hillas import CameraGeometry
from ._camera import FRAMES, CameraImageDisplay, import_pyplot


def plot_camera_images(
    geometry: CameraGeometry,
    images: Any,
    *,
    masks: Any = None,
    hillas: Mapping[str, Any] | None = None,
    titles: Any = None,
    source: tuple[float, float] | None = None,
    frame: str = "camera",
    n_columns: int = 4,
    **plot_options: Any,
) -> Any:
    """Plot images of several events in a grid, each on its own colour scale.

    Parameters
    ----------
    geometry : CameraGeometry
        The camera, positions in metres.
    images : array-like of shape (n_images, n_pixels) or (n_images, n_rows, n_columns)
        Charges.
    masks : array-like of bool, of the same shape, default=None
        Pixels that survive cleaning.
    hillas : mapping of str to array-like of shape (n_images,), default=None
        Columns of parameters by name, as `CameraImageDisplay` needs them: a dictionary, or what
        a `HillasTransformer` with ``set_output(transform="pandas")`` returns.
    titles : sequence of str, default=None
        One title per image.
    source : (float, float), default=None
        Position of a source to mark in all, in the units of the frame.
    frame : {"camera", "telescope"}, default="camera"
        Frame to draw in.
    n_columns : int, default=4
        Images side by side.
    **plot_options
        As for `CameraImageDisplay.plot`, except `ax`.

    Returns
    -------
    figure : matplotlib Figure
        Its ``axes`` are the images, in their order.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If there is no image or no column, `masks`, `titles` or a parameter has not one entry per
        image, or `CameraImageDisplay` refuses one of them.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.hillas import CameraGeometry
    >>> from skflow.inspection import plot_camera_images
    >>> images = np.random.RandomState(0).poisson(2.0, size=(3, 61))
    >>> figure = plot_camera_images(CameraGeometry.hexagonal(4), images, titles=["a", "b", "c"])
    >>> [ax.get_title() for ax in figure.axes]
    ['a', 'b', 'c']
    """
    images = np.asarray(images)
    n_images = len(images) if images.ndim else 0
    if not n_images:
        raise ValueError(f"images must hold at least one image; got shape {images.shape}")
    if n_columns < 1:
        raise ValueError(f"n_columns must be at least 1; got {n_columns}")
    needed = FRAMES.get(frame, ((), ()))[0]
    columns = {}
    if hillas is not None:
        columns = {name: np.asarray(hillas[name]) for name in needed if name in hillas}
    for label, given in {"masks": masks, "titles": titles, **columns}.items():
        if given is not None and len(given) != n_images:
            raise ValueError(f"{label} must have one entry per image, {n_images}; got {len(given)}")
    displays = [
        CameraImageDisplay(
            geometry,
            image,
            mask=None if masks is None else masks[row],
            hillas=None if hillas is None else {name: c[row] for name, c in columns.items()},
            title=None if titles is None else str(titles[row]),
            source=source,
            frame=frame,
        )
        for row, image in enumerate(images)
    ]
    n_columns = min(n_columns, n_images)
    n_rows = -(-n_images // n_columns)
    figure, axes = import_pyplot().subplots(
        n_rows,
        n_columns,
        figsize=(3.4 * n_columns, 2.8 * n_rows),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="compressed",
    )
    for ax in axes.flat[n_images:]:
        ax.remove()
    for cell, (display, ax) in enumerate(zip(displays, axes.flat, strict=False)):
        # A norm takes its limits from the first image it sees: each image needs its own.
        display.plot(ax, **deepcopy(plot_options))
        if cell + n_columns < n_images:
            ax.set_xlabel("")
        ax.tick_params(labelbottom=cell + n_columns >= n_images)
        if cell % n_columns:
            ax.set_ylabel("")
        last = cell % n_columns == n_columns - 1 or cell == n_images - 1
        if display.colorbar_ is not None and not last:
            display.colorbar_.set_label("")
    return figure
