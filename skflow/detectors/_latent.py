"""Distances in the latent space of detectors that have one."""

from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from ._base import BaseDetector
from ._mahalanobis import MahalanobisDetector


def latent(estimator: Any, X: Any) -> np.ndarray:
    """Latent coordinates of rows, standard normal for a bulk as the detector sees it.

    Parameters
    ----------
    estimator : detector
        A fitted flow trained by likelihood alone, or a pipeline that ends with one.
    X : array-like of shape (n_samples, n_features)
        Rows.

    Returns
    -------
    Z : ndarray of shape (n_samples, n_latent)

    Raises
    ------
    ValueError
        If the detector has no such latent space.
    """
    flow, X = last_step(estimator, X)
    if not (isinstance(flow, BaseDetector) and flow._is_log_density and hasattr(flow, "transform")):
        raise _no_latent_space(flow)
    return np.asarray(flow.transform(X))


def squared_distance(estimator: Any, X: Any) -> tuple[np.ndarray, int]:
    """Squared distance (n,) from the centre of the latent space, and its dimension."""
    detector, inner = last_step(estimator, X)
    if isinstance(detector, MahalanobisDetector):
        return detector.mahalanobis(inner) ** 2, detector.n_features_in_
    Z = latent(estimator, X)
    return np.square(Z).sum(axis=1), Z.shape[1]


def last_step(estimator: Any, X: Any) -> tuple[Any, Any]:
    """The detector in pipelines, searches and detectors around it, and rows as it gets them."""
    while (inner := inside(estimator)) is not None:
        if isinstance(estimator, Pipeline) and len(estimator) > 1:
            X = estimator[:-1].transform(X)
        estimator = inner
    return estimator, X


def inside(estimator: Any) -> Any:
    """The last step of a pipeline, what a fitted search or detector is around, or None."""
    if isinstance(estimator, BaseDetector):
        return None
    if isinstance(estimator, Pipeline):
        return estimator[-1]
    if isinstance(estimator, FrozenEstimator):
        return estimator.estimator
    if hasattr(estimator, "best_estimator_"):
        return estimator.best_estimator_
    inner = getattr(estimator, "estimator_", None)
    return inner if hasattr(inner, "score_samples") else None


def _no_latent_space(detector: Any) -> ValueError:
    return ValueError(
        "the detector must be a flow trained by likelihood alone, such as RealNVPOutlierDetector, "
        f"or a MahalanobisDetector: others have no normal latent space; got {detector!r}"
    )
