"""CameraImageDisplay: one camera image on its pixels, with its Hillas ellipse."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..hillas import CameraGeometry
from ..hillas._polygons import outer_sides, pixel_corners

#: By frame: the parameters that place an ellipse, and the labels of the axes.
FRAMES: dict[str, tuple[tuple[str, ...], tuple[str, str]]] = {
    "camera": (
        tuple(f"camera_frame_hillas_{name}" for name in ("x", "y", "length", "width", "psi")),
        ("x (m)", "y (m)"),
    ),
    "telescope": (
        tuple(f"hillas_{name}" for name in ("fov_lon", "fov_lat", "length", "width", "psi")),
        ("fov_lon (deg)", "fov_lat (deg)"),
    ),
}
BAD_PIXEL = "0.75"
ELLIPSE = "#ff3b30"


class CameraImageDisplay:
    """Image of one event on the camera's pixels.

    The pixels stand at their positions, turned by ``geometry.pix_rotation``, and all are drawn
    larger or smaller by one factor until they touch: some cameras' areas leave gaps between
    them. `from_image` makes and plots in one call.

    Parameters
    ----------
    geometry : CameraGeometry
        The camera, positions in metres.
    image : array-like of shape (n_pixels,) or (n_rows, n_columns)
        Charges. Pixels that are NaN or infinite are drawn grey.
    mask : array-like of bool, of the same shape, default=None
        Pixels that survive cleaning, as `HillasTransformer.clean` gives them; the
        region is outlined.
    hillas : mapping of str to float, default=None
        Parameters of the event by name: a dictionary, or a row of a DataFrame. It needs
        ``camera_frame_hillas_x``, ``_y``, ``_length``, ``_width`` (m) and ``_psi`` (deg), or, in
        the telescope frame, ``hillas_fov_lon``, ``_fov_lat``, ``_length``, ``_width`` and
        ``_psi`` (deg). Others are ignored; where one of these is NaN no ellipse is drawn.
    source : (float, float), default=None
        Position of a source to mark, in the units of the frame.
    title : str, default=None
        Title, such as the event's score.
    frame : {"camera", "telescope"}, default="camera"
        Frame to draw in: metres, or degrees on the sky, with the focal length of `geometry`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the image is drawn.
    figure_ : matplotlib Figure
        The figure of `ax_`.
    pixels_ : matplotlib PolyCollection
        All pixels, coloured by charge.
    outline_ : matplotlib LineCollection or None
        Outline of the pixels of `mask`.
    ellipse_ : matplotlib Ellipse or None
        The Hillas ellipse.
    axis_ : matplotlib Line2D or None
        The main axis of the shower.
    source_ : matplotlib Line2D or None
        Marker of the source.
    colorbar_ : matplotlib Colorbar or None
        The colour bar.

    Raises
    ------
    ValueError
        If an array has not one value per pixel, `mask` is not boolean, `frame` is unknown, a
        parameter of the ellipse is missing, `source` is not two finite numbers, or the telescope
        frame is asked for without a focal length.

    See Also
    --------
    plot_camera_images : Several images in one figure.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.hillas import CameraGeometry
    >>> from skflow.inspection import CameraImageDisplay
    >>> camera = CameraGeometry.hexagonal(5)
    >>> image = 50 * np.exp(-((camera.pix_x / 0.1) ** 2) - (camera.pix_y / 0.05) ** 2)
    >>> hillas = {"x": 0.0, "y": 0.0, "length": 0.07, "width": 0.035, "psi": 0.0}
    >>> hillas = {f"camera_frame_hillas_{name}": value for name, value in hillas.items()}
    >>> display = CameraImageDisplay.from_image(camera, image, mask=image > 5, hillas=hillas)
    >>> display.ellipse_.width  # twice the length
    0.14
    """

    def __init__(
        self,
        geometry: CameraGeometry,
        image: Any,
        *,
        mask: Any = None,
        hillas: Mapping[str, Any] | None = None,
        source: tuple[float, float] | None = None,
        title: str | None = None,
        frame: str = "camera",
    ) -> None:
        if frame not in FRAMES:
            raise ValueError(f"frame must be 'camera' or 'telescope'; got {frame!r}")
        self.geometry = geometry
        self.image = one_per_pixel(geometry, image, "image").astype(np.float64)
        self.mask = None if mask is None else one_per_pixel(geometry, mask, "mask")
        if self.mask is not None and self.mask.dtype != bool:
            raise ValueError(f"mask must be boolean; got dtype {self.mask.dtype}")
        if hillas is not None:
            missing = [name for name in FRAMES[frame][0] if name not in hillas]
            if missing:
                raise ValueError(
                    f"hillas must have what an ellipse in the {frame} frame needs; it has no "
                    f"{', '.join(missing)}"
                )
        self.hillas = hillas
        if source is not None and not (np.shape(source) == (2,) and np.isfinite(source).all()):
            raise ValueError(f"source must be two finite numbers; got {source!r}")
        self.source = source
        self.title = title
        self.frame = frame
        self._drawn = geometry if frame == "camera" else geometry.in_telescope_frame()

    @classmethod
    def from_image(
        cls,
        geometry: CameraGeometry,
        image: Any,
        *,
        mask: Any = None,
        hillas: Mapping[str, Any] | None = None,
        source: tuple[float, float] | None = None,
        title: str | None = None,
        frame: str = "camera",
        ax: Any = None,
        **plot_options: Any,
    ) -> "CameraImageDisplay":
        """Make a display and plot it.

        Parameters
        ----------
        geometry, image, mask, hillas, source, title, frame
            As for the class.
        ax, **plot_options
            As for `plot`.

        Returns
        -------
        display : CameraImageDisplay

        Raises
        ------
        ImportError, ValueError
            As the class and `plot`.
        """
        display = cls(
            geometry, image, mask=mask, hillas=hillas, source=source, title=title, frame=frame
        )
        return display.plot(ax, **plot_options)

    def plot(
        self,
        ax: Any = None,
        *,
        cmap: Any = "viridis",
        norm: Any = None,
        colorbar_label: str | None = "charge (p.e.)",
        ellipse_scale: float = 1.0,
    ) -> "CameraImageDisplay":
        """Draw the image.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; by default in a new figure.
        cmap : str or matplotlib Colormap, default="viridis"
            Colours of the charges.
        norm : matplotlib Normalize, default=None
            Scale of the colours, by default linear from the least to the largest finite charge.
            One that has no place for a charge, as a LogNorm for 0 and less, draws it grey.
        colorbar_label : str or None, default="charge (p.e.)"
            Label of the colour bar; None for no colour bar.
        ellipse_scale : float, default=1.0
            Semi-axes of the ellipse in units of length and width, which are standard deviations.

        Returns
        -------
        display : CameraImageDisplay
            Itself, with the artists as attributes.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        pyplot = import_pyplot()
        from matplotlib import colormaps
        from matplotlib.collections import LineCollection, PolyCollection

        if ax is None:
            _, ax = pyplot.subplots(layout="compressed")
        self.ax_, self.figure_ = ax, ax.figure
        corners: Any = pixel_corners(self._drawn)
        self.pixels_ = PolyCollection(
            corners,
            array=np.ma.masked_invalid(self.image),
            cmap=colormaps.get_cmap(cmap).with_extremes(bad=BAD_PIXEL),
            norm=norm,
            # A hair of the pixel's own colour hides seams where pixels touch.
            edgecolors="face",
            linewidths=0.1,
        )
        ax.add_collection(self.pixels_, autolim=False)
        self.outline_ = None
        if self.mask is not None:
            sides: Any = outer_sides(corners[self.mask])
            self.outline_ = LineCollection(sides, colors="white", linewidths=0.8)
            ax.add_collection(self.outline_, autolim=False)
        self._plot_ellipse(ellipse_scale)
        self.source_ = None
        if self.source is not None:
            (self.source_,) = ax.plot(
                *self.source, "*", color="white", markeredgecolor="black", markersize=11, zorder=4
            )
        points = corners.reshape(-1, 2)
        if self.source is not None:
            points = np.vstack([points, self.source])
        margin = 0.02 * np.ptp(points, axis=0).max()
        (left, bottom), (right, top) = points.min(axis=0) - margin, points.max(axis=0) + margin
        x_label, y_label = FRAMES[self.frame][1]
        ax.set(xlim=(left, right), ylim=(bottom, top), xlabel=x_label, ylabel=y_label)
        ax.set_aspect("equal")
        if self.title is not None:
            ax.set_title(self.title)
        self.colorbar_ = None
        if colorbar_label is not None:
            # As a part of ax, the bar is as high as the image whatever the layout does.
            bar = ax.inset_axes([1.03, 0.0, 0.05, 1.0])
            self.colorbar_ = self.figure_.colorbar(self.pixels_, cax=bar, label=colorbar_label)
        return self

    def _plot_ellipse(self, scale: float) -> None:
        """Draw the Hillas ellipse and the main axis of the shower, if there is one."""
        from matplotlib.patches import Ellipse

        self.ellipse_ = self.axis_ = None
        if self.hillas is None:
            return
        x, y, length, width, psi = (float(self.hillas[name]) for name in FRAMES[self.frame][0])
        if not np.isfinite([x, y, length, width, psi]).all():
            return
        self.ellipse_ = Ellipse(
            (x, y),
            2 * scale * length,
            2 * scale * width,
            angle=psi,
            fill=False,
            edgecolor=ELLIPSE,
            linewidth=1.8,
            zorder=3,
        )
        self.ax_.add_patch(self.ellipse_)
        direction = np.array([np.cos(np.radians(psi)), np.sin(np.radians(psi))])
        self.axis_ = self.ax_.axline(
            (x, y), (x, y) + direction, color=ELLIPSE, linewidth=0.9, linestyle="--", zorder=2
        )


def one_per_pixel(geometry: CameraGeometry, values: Any, label: str) -> np.ndarray:
    """Flat array that has a value for each pixel."""
    values = np.asarray(values)
    if values.ndim not in (1, 2) or values.size != geometry.n_pixels:
        raise ValueError(
            f"{label} must have one value for each of the {geometry.n_pixels} pixels; got shape "
            f"{values.shape}"
        )
    return values.ravel()


def import_pyplot() -> Any:
    """Matplotlib's pyplot, or an error that says how to install it."""
    try:
        import matplotlib.pyplot
    except ImportError as error:
        raise ImportError(
            "a camera image needs matplotlib: pip install skflow-detect[plot]"
        ) from error
    return matplotlib.pyplot
