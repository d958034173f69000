"""What all displays share: axes to draw on, and scores to draw."""

from typing import Any

import numpy as np

from ..detectors._latent import inside

#: Bulk, anomalies, and what is set apart.
BULK, ANOMALY, LINE = "#4477aa", "#cc3311", "0.35"


def axes_of(ax: Any) -> tuple[Any, Any]:
    """The axes, and their figure: new ones if there are none."""
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots()
    return ax, ax.figure


def scores_of(estimator: Any, X: Any) -> np.ndarray:
    """Anomaly scores of any outlier detector, higher for the more anomalous."""
    return -np.asarray(estimator.score_samples(X), dtype=np.float64)


def end_of(estimator: Any) -> Any:
    """The estimator at the end of a pipeline."""
    while hasattr(estimator, "steps"):
        estimator = estimator.steps[-1][1]
    return estimator


def detector_of(estimator: Any) -> Any:
    """The detector in fitted pipelines, searches and detectors around it."""
    while (inner := inside(estimator)) is not None:
        estimator = inner
    return estimator


def name_of(estimator: Any) -> str:
    """What a legend calls an estimator: its class, in a pipeline that of the last step."""
    return type(end_of(estimator)).__name__
