"""HillasTransformer: camera images in, parameters of their showers out."""

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import validate_data

from .._sklearn import Interval, StrOptions, fit_context
from ._batch import keep, measure
from ._features import Selection, select_features
from ._geometry import CameraGeometry
from ._run import WAYS, camera_of, checked_masks, cleaning_arguments, pair, run
from ._tables import frame_tables, inferred_geometry

#: Groups that the kernel leaves out unless they are asked for, in its order.
MEASURED = ("concentration", "morphology", "intensity", "source", "timing")


class HillasTransformer(TransformerMixin, BaseEstimator):
    """Hillas parameters of camera images.

    Cleans every image and describes what is left by an ellipse and some more numbers, as ctapipe
    does to the last digits, with the classic parameters that ctapipe lacks. Compiled on first use
    (some seconds, once for all runs) and then a hundred times as fast as a loop over events.

    Parameters
    ----------
    geometry : CameraGeometry, default=None
        The camera. By default one is made for the number of pixels: square where that is a square
        number, hexagonal where it is 3 n (n + 1) + 1, with pixels of 0.05 m.
    cleaning : {"tailcuts", "time_constrained"}, callable or None, default="tailcuts"
        What an image keeps: "tailcuts", see Notes; "time_constrained", tail cuts that also ask
        for like arrival times, as MAGIC does (needs ``timing=True``); a function of
        (charges, geometry), or (charges, geometry, times) with ``timing=True``, that gives a
        mask of the charges' shape (n_events, n_pixels); None, every pixel.
    picture_threshold, boundary_threshold : float or array-like of shape (n_pixels,), \
default=10.0 and 5.0
        Thresholds of the tail cuts, in the unit of the images.
    min_picture_neighbors : int, default=2
        How many neighbours above the picture threshold a picture pixel needs.
    keep_isolated_pixels : bool, default=False
        Keep every pixel above the picture threshold, with neighbours or without.
    time_limits : tuple of two floats, default=(4.5, 1.5)
        For "time_constrained": how far a core pixel may be from the mean time of the brightest
        island, and a boundary pixel from its core neighbours, in the unit of the times.
    bad_pixels : array-like of int, default=None
        Pixels known to be bad. They are never kept and are nobody's neighbours.
    features : str or list of str, default="default"
        A preset ("default", "ctapipe", "magic", "taiga", "all"), or a list of groups ("hillas",
        "concentration", "leakage", "morphology", "intensity", "timing", "source") and names.
        See Notes. Those that need arrival times are left out of presets with ``timing=False``.
    source : tuple of two floats, default=(0.0, 0.0)
        Where the source is in the camera, for the ``source_`` features: (x, y) in metres, or
        (fov_lon, fov_lat) in degrees with ``frame="telescope"``.
    frame : {"camera", "telescope"}, default="camera"
        Lengths in metres in the camera, or in degrees on the sky. The latter divides by the
        geometry's focal length and exchanges the axes, as ctapipe does.
    timing : bool, default=False
        Whether X holds arrival times behind the charges.
    min_n_pixels : int, default=2
        Events that keep fewer pixels are lost.
    min_intensity : float, default=0.0
        Events that keep less charge are lost.
    max_leakage : float, default=1.0
        Events with a larger share of their charge in the two outermost rings of pixels
        (``leakage_intensity_width_2``) are lost.
    on_invalid : {"nan", "raise"}, default="nan"
        What to do with lost events: NaN in all their features, or an error that names them.
        Detectors take NaN with ``nan_policy="omit"``, and count such events as lost.
    n_jobs : int, default=None
        Number of threads; None is 1.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns of X in `fit`. Nothing else is learned: `transform` works without `fit`.

    See Also
    --------
    skflow.hillas.CameraGeometry : Where the pixels are.
    skflow.inspection.CameraImageDisplay : Draws an image and its ellipse.

    Notes
    -----
    **Tail cuts** keep a pixel above the boundary threshold next to a core pixel, and the core
    pixels with a neighbour above the boundary threshold. Core pixels are above the picture
    threshold, with `min_picture_neighbors` of their neighbours.

    **Features.** Pixel i stands at (x_i, y_i), has area a_i, width d_i, kept charge q_i and time
    t_i; sums run over the n kept pixels, S = sum q_i, and <f> = sum q_i f_i / S. In the telescope
    frame ``camera_frame_`` is missing from the names, ``x`` and ``y`` are ``fov_lon`` and
    ``fov_lat``, and m is deg.

    Group ``hillas``, names after ``camera_frame_hillas_``:

    ====================================== ==================================================
    intensity                              S
    x, y (m)                               <x>, <y>
    r (m), phi (deg)                       polar coordinates of (<x>, <y>)
    psi (deg)                              direction of the major axis from x, in (-90, 90]:
                                           half the angle of (C_xx - C_yy, 2 C_xy), where C is
                                           the covariance <(x - <x>)(y - <y>)>
    length, width (m)                      sqrt(<l^2>), sqrt(<t^2>), of the coordinates l along
                                           and t across the axis
    skewness, kurtosis                     <l^3> / length^3, <l^4> / length^4
    length_uncertainty (m)                 sqrt(sum q_i (l_i^2 - length^2)^2) / (2 S length);
                                           width_uncertainty likewise
    psi_uncertainty (deg)                  sqrt(c_ll + p^2) (1 + tan(pi/2 width / length)^2), of
                                           slope p and covariance c of the line t = p l + const
                                           fitted with weights q_i / a_i
    transverse_cog_uncertainty (m)         sqrt(c_00 (1 + sin(p)^2)), c_00 of the constant
    ====================================== ==================================================

    Groups ``concentration``, ``leakage``, ``morphology`` and ``intensity``:

    ====================================== ==================================================
    concentration_cog                      share of S within d_i of the centre
    concentration_core                     share of S with l^2/length^2 + t^2/width^2 <= 1
    concentration_pixel, conc2             share of S in the brightest pixel, in two
    leakage_pixels_width_1, width_2        share of kept pixels in the outermost ring, in two
    leakage_intensity_width_1, width_2     the same shares of S
    morphology_n_pixels, n_islands         n, and how many groups of neighbours
    morphology_n_small_islands, ...        groups of up to 2, of 3 to 50, of more pixels
    intensity_max, min, mean, std,         of the charges of kept pixels, unweighted; kurtosis
    skewness, kurtosis                     is 0 for a normal distribution
    ====================================== ==================================================

    Groups ``timing`` and ``source``:

    ====================================== ==================================================
    camera_frame_timing_slope (1/m),       least-trimmed-squares line of t_i over l_i: fitted
    intercept                              to the 85 % of pixels nearest to it
    camera_frame_timing_deviation          root mean square distance from that line
    peak_time_max, ...                     statistics of t_i, as for intensity
    source_dist (m)                        distance of the centre from the source
    source_alpha (deg)                     angle between axis and direction to the source, 0-90
    source_miss (m)                        distance of the axis from the source: dist sin(alpha)
    source_azwidth (m)                     sqrt(<u^2>), u across the line from source to centre
    source_asym (m)                        centre minus brightest pixel, along the axis
    source_m3_long, m3_trans (m)           cube roots of <l^3>, <t^3>
    ====================================== ==================================================

    The last three are positive away from the source, as in MAGIC's table (m3_trans: to the left
    on the way there). The preset "magic" has the ten columns of that table, in mm, degrees and
    log10 of S [3]_; "taiga" those of the TAIGA telescopes; "default" what separates gammas from
    hadrons wherever they are in the camera.

    A NaN charge leaves its pixel out of that event. An event with an infinite charge is lost, as
    is one whose kept charge is not positive. Which parameters of odd images are NaN is listed in
    the user guide.

    References
    ----------
    .. [1] A. M. Hillas, "Cerenkov light images of EAS produced by primary gamma rays and by
       nuclei", 19th ICRC, 1985.
    .. [2] T. C. Weekes et al., "Observation of TeV gamma rays from the Crab nebula using the
       atmospheric Cerenkov imaging technique", ApJ 342, 1989 (azwidth, miss).
    .. [3] R. K. Bock et al., "Methods for multidimensional event classification: a case study
       using images from a Cherenkov gamma-ray telescope", NIM A 516, 2004.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.hillas import CameraGeometry, HillasTransformer
    >>> camera = CameraGeometry.hexagonal(5)
    >>> x, y = camera.pix_x - 0.05, camera.pix_y
    >>> shower = 100 * np.exp(-((x / 0.08) ** 2) - (y / 0.04) ** 2)
    >>> hillas = HillasTransformer(camera, features=["morphology_n_pixels", "source_alpha"])
    >>> hillas.set_output(transform="pandas").transform([shower, 0 * shower]).round(3)
       morphology_n_pixels  source_alpha
    0                 13.0           0.0
    1                  NaN           NaN
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "geometry": [CameraGeometry, None],
        "cleaning": [StrOptions(set(WAYS)), callable, None],
        "picture_threshold": [Real, "array-like"],
        "boundary_threshold": [Real, "array-like"],
        "min_picture_neighbors": [Interval(Integral, 0, None, closed="left")],
        "keep_isolated_pixels": ["boolean"],
        "time_limits": ["array-like"],
        "bad_pixels": ["array-like", None],
        "features": [str, list, tuple],
        "source": ["array-like"],
        "frame": [StrOptions({"camera", "telescope"})],
        "timing": ["boolean"],
        "min_n_pixels": [Interval(Integral, 1, None, closed="left")],
        "min_intensity": [Interval(Real, 0, None, closed="left")],
        "max_leakage": [Interval(Real, 0, 1, closed="both")],
        "on_invalid": [StrOptions({"nan", "raise"})],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        geometry: CameraGeometry | None = None,
        *,
        cleaning: Any = "tailcuts",
        picture_threshold: Any = 10.0,
        boundary_threshold: Any = 5.0,
        min_picture_neighbors: int = 2,
        keep_isolated_pixels: bool = False,
        time_limits: tuple[float, float] = (4.5, 1.5),
        bad_pixels: Any = None,
        features: Any = "default",
        source: tuple[float, float] = (0.0, 0.0),
        frame: str = "camera",
        timing: bool = False,
        min_n_pixels: int = 2,
        min_intensity: float = 0.0,
        max_leakage: float = 1.0,
        on_invalid: str = "nan",
        n_jobs: int | None = None,
    ) -> None:
        self.geometry = geometry
        self.cleaning = cleaning
        self.picture_threshold = picture_threshold
        self.boundary_threshold = boundary_threshold
        self.min_picture_neighbors = min_picture_neighbors
        self.keep_isolated_pixels = keep_isolated_pixels
        self.time_limits = time_limits
        self.bad_pixels = bad_pixels
        self.features = features
        self.source = source
        self.frame = frame
        self.timing = timing
        self.min_n_pixels = min_n_pixels
        self.min_intensity = min_intensity
        self.max_leakage = max_leakage
        self.on_invalid = on_invalid
        self.n_jobs = n_jobs

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any = None, y: Any = None) -> "HillasTransformer":
        """Check the parameters, and the width of X if it is given; nothing is learned.

        Parameters
        ----------
        X : array-like of shape (n_events, n_pixels), default=None
            Images as for `transform`.
        y : None
            Ignored.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a parameter is not what it must be, or X does not fit the camera.
        """
        n_columns = None
        if X is not None:
            n_columns = self._images(X, reset=True).shape[1]
        elif self.geometry is not None:
            n_columns = self.geometry.n_pixels * (2 if self.timing else 1)
        selection = self._selection()
        if n_columns is not None:
            camera = camera_of(self, n_columns)
            cleaning_arguments(self, camera)
            self._measuring_arguments(selection, camera)
        return self

    def fit_transform(self, X: Any, y: Any = None, mask: Any = None) -> np.ndarray:
        """Check the parameters and measure every event.

        Parameters
        ----------
        X, mask
            As for `transform`.
        y : None
            Ignored.

        Returns
        -------
        features : ndarray of shape (n_events, n_features), float64
        """
        return self.fit(X).transform(X, mask)

    def transform(self, X: Any, mask: Any = None) -> np.ndarray:
        """Measure every event.

        Parameters
        ----------
        X : array-like of shape (n_events, n_pixels) or (n_events, n_rows, n_columns)
            Charges; with ``timing=True`` of shape (n_events, 2 * n_pixels), arrival times behind
            the charges. A memory-mapped array is read chunk by chunk.
        mask : array-like of bool, shape (n_events, n_pixels), default=None
            Pixels to keep, in place of cleaning.

        Returns
        -------
        features : ndarray of shape (n_events, n_features), float64
            NaN where an event does not have the feature.

        Raises
        ------
        ValueError
            If X or `mask` does not fit the camera; or, with ``on_invalid="raise"``, if an event
            has no features.
        """
        out = self._measure(X, mask)
        if self.on_invalid == "raise":
            lost = np.flatnonzero(np.isnan(out).any(axis=1))
            if len(lost):
                rows = ", ".join(map(str, lost[:10])) + (", ..." if len(lost) > 10 else "")
                raise ValueError(
                    f"{len(lost)} of {len(out)} events lack Hillas parameters (rows {rows}); "
                    "on_invalid='nan' gives NaN for them"
                )
        return out

    def valid_mask(self, X: Any, mask: Any = None) -> np.ndarray:
        """Tell which events have all features; the others are lost.

        Parameters
        ----------
        X, mask
            As for `transform`.

        Returns
        -------
        valid : ndarray of bool, shape (n_events,)
        """
        return ~np.isnan(self._measure(X, mask)).any(axis=1)

    def clean(self, X: Any) -> np.ndarray:
        """Tell which pixels cleaning keeps.

        Parameters
        ----------
        X : array-like
            As for `transform`.

        Returns
        -------
        mask : ndarray of bool, shape (n_events, n_pixels)
            All False for events with an infinite charge.
        """
        self._validate_params()
        X = self._images(X, reset=False)
        camera = camera_of(self, X.shape[1])
        out = np.zeros((len(X), camera.n_pixels), dtype=bool)
        run(keep, self, X, None, camera, cleaning_arguments(self, camera), out)
        return out

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the features.

        Parameters
        ----------
        input_features : None
            Ignored: they are pixels.

        Returns
        -------
        names : ndarray of str
        """
        return np.array(self._selection().names, dtype=object)

    def _default_geometry(self, n_pixels: int) -> CameraGeometry:
        """The camera where none is given."""
        return inferred_geometry(n_pixels)

    def _selection(self) -> Selection:
        return select_features(self.features, self.frame, self.timing)

    def _measure(self, X: Any, mask: Any) -> np.ndarray:
        self._validate_params()
        selection = self._selection()
        X = self._images(X, reset=False)
        camera = camera_of(self, X.shape[1])
        arguments = [
            *cleaning_arguments(self, camera),
            *self._measuring_arguments(selection, camera),
        ]
        masks = None if mask is None else checked_masks(mask, len(X), camera, "mask")
        out = np.empty((len(X), len(selection.names)))
        run(measure, self, X, masks, camera, arguments, out)
        return selection.in_units(out)

    def _measuring_arguments(self, selection: Selection, camera: CameraGeometry) -> list[Any]:
        """What the kernel needs to measure, in its order."""
        # Beside negative charges, the share of a positive one can be above 1.
        max_leakage = self.max_leakage if self.max_leakage < 1 else np.inf
        return [
            *frame_tables(camera, self.frame),
            pair(self.source, "source"),
            np.array([self.min_n_pixels, self.min_intensity, max_leakage], dtype=np.float64),
            np.array([selection.uses(group) for group in MEASURED]),
            np.array(selection.columns),
        ]

    def _images(self, X: Any, reset: bool) -> np.ndarray:
        """Images as rows; they may hold NaN and infinity, and are not copied."""
        if isinstance(X, list | tuple):
            X = np.asarray(X)
        if getattr(X, "ndim", 2) == 3:
            X = np.asarray(X).reshape(len(X), -1)
        return validate_data(self, X, reset=reset, dtype="numeric", ensure_all_finite=False)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.allow_nan = True
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64"]
        return tags
