"""Camera images of the events that a detector finds most anomalous."""

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from .._sklearn import safe_indexing
from ..detectors._latent import inside
from ..hillas import CameraGeometry, HillasTransformer
from ._axes import scores_of
from ._camera import FRAMES
from ._gallery import plot_camera_images


def plot_top_events(
    estimator: Any,
    X: Any,
    *,
    n_events: int = 8,
    geometry: CameraGeometry | None = None,
    frame: str = "camera",
    **options: Any,
) -> Any:
    """Plot the images of the most anomalous events, with their scores.

    Where a `HillasTransformer` is among the steps, with the pixels that its cleaning keeps and
    their Hillas ellipses.

    Parameters
    ----------
    estimator : detector
        A fitted pipeline, or a detector around one, that takes images.
    X : array-like of shape (n_samples, n_pixels) or (n_samples, n_rows, n_columns)
        Images; with arrival times behind the charges where the transformer has ``timing=True``.
    n_events : int, default=8
        Number of images. Events without a score (NaN) are not among them.
    geometry : CameraGeometry, default=None
        The camera; None is that of the transformer.
    frame : {"camera", "telescope"}, default="camera"
        Frame to draw in: metres, or degrees on the sky.
    **options
        As for `plot_camera_images`.

    Returns
    -------
    figure : matplotlib Figure
        Its ``axes`` are the images, the most anomalous first.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If there is neither a geometry nor a `HillasTransformer`, no event has a score, or
        `n_events` is below 1.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from skflow import MahalanobisDetector
    >>> from skflow.datasets import make_shower_images
    >>> from skflow.hillas import CameraGeometry, HillasTransformer
    >>> from skflow.inspection import plot_top_events
    >>> camera = CameraGeometry.hexagonal(12)
    >>> images = make_shower_images(100, camera, random_state=0)
    >>> pipeline = make_pipeline(HillasTransformer(camera), MahalanobisDetector(nan_policy="omit"))
    >>> figure = plot_top_events(pipeline.fit(images), images, n_events=2)
    >>> len(figure.axes)
    2
    """
    check_is_fitted(estimator)
    if n_events < 1:
        raise ValueError(f"n_events must be at least 1; got {n_events}")
    if frame not in FRAMES:
        raise ValueError(f"frame must be 'camera' or 'telescope'; got {frame!r}")
    hillas, before = hillas_of(estimator)
    if hillas is None and geometry is None:
        raise ValueError(
            f"geometry must be given: no HillasTransformer is among the steps of {estimator!r}"
        )
    score = scores_of(estimator, X)
    order = np.argsort(-np.where(np.isnan(score), -np.inf, score), kind="stable")
    top = order[: min(n_events, int(np.sum(~np.isnan(score))))]
    if not len(top):
        raise ValueError("some events must have a score; got NaN for all of them")
    images = safe_indexing(X, top)
    for step in before:
        images = step.transform(images)
    images = np.asarray(images).reshape(len(top), -1)
    titles = [f"event {row}, anomaly score {score[row]:.3g}" for row in top]
    pictures: dict[str, Any] = {"titles": titles, "frame": frame} | options
    camera: Any = geometry
    if hillas is not None:
        n_pixels = images.shape[1] // (2 if hillas.timing else 1)
        camera = geometry or hillas.geometry or hillas._default_geometry(n_pixels)
        measure = clone(hillas).set_output(transform="default")
        measure.set_params(geometry=camera, features=list(FRAMES[frame][0]), frame=frame)
        measure.set_params(on_invalid="nan")
        parameters = measure.fit_transform(images)
        names = measure.get_feature_names_out()
        pictures = {
            "masks": measure.clean(images),
            "hillas": dict(zip(names, parameters.T, strict=True)),
        } | pictures
        images = images[:, :n_pixels]
    return plot_camera_images(camera, images, **pictures)


def hillas_of(estimator: Any) -> tuple[HillasTransformer | None, list[Any]]:
    """The HillasTransformer in a pipeline, or in one inside another detector; steps before it."""
    if isinstance(estimator, HillasTransformer):
        return estimator, []
    if isinstance(estimator, Pipeline):
        steps = [step for _, step in estimator.steps if step not in (None, "passthrough")]
        for k, step in enumerate(steps):
            found, before = hillas_of(step)
            if found is not None:
                return found, steps[:k] + before
        return None, []
    inner = inside(estimator)
    for_folds = getattr(estimator, "estimators_", None)
    if inner is None and isinstance(for_folds, list) and for_folds:
        inner = for_folds[0]  # all clean alike
    return (None, []) if inner is None else hillas_of(inner)
