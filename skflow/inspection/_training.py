"""How a network's training went."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ._axes import ANOMALY, BULK, detector_of


class TrainingHistoryDisplay:
    """Losses of training and held-out rows against the step, a panel for each phase.

    The losses of two phases, such as warm-up and contrast, are different functions: each has its
    own axis. `from_estimator` makes and plots in one call.

    Parameters
    ----------
    history : mapping of str to sequence
        ``step``, ``loss``, ``validation_loss`` (NaN where no row was held out) and ``phase``, as
        ``history_`` of skflow's detectors.

    Attributes
    ----------
    axes_, figure_ : ndarray of matplotlib Axes, and Figure
        Where it is drawn, after `plot`.

    Raises
    ------
    ValueError
        If the history lacks one of these, or has no step.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow import RealNVPOutlierDetector
    >>> from skflow.inspection import TrainingHistoryDisplay
    >>> X = np.random.RandomState(0).normal(size=(500, 2))
    >>> flow = RealNVPOutlierDetector(max_iter=50, random_state=0).fit(X)
    >>> display = TrainingHistoryDisplay.from_estimator(flow)
    >>> [ax.get_title() for ax in display.axes_]
    ['train']
    """

    def __init__(self, history: Mapping[str, Any]):
        needed = ("step", "loss", "validation_loss", "phase")
        missing = [name for name in needed if name not in history]
        if missing:
            raise ValueError(f"history must hold {', '.join(needed)}; it lacks {missing}")
        if not len(history["step"]):
            raise ValueError("history must hold at least one step; got none")
        self.history = history

    @classmethod
    def from_estimator(cls, estimator: Any, *, axes: Any = None) -> "TrainingHistoryDisplay":
        """Draw the training of a fitted detector.

        Parameters
        ----------
        estimator : detector
            A fitted detector of skflow with a network inside, or a pipeline that ends with one.
        axes : sequence of matplotlib Axes, default=None
            Where to draw, one for each phase; None makes a figure.

        Returns
        -------
        display : TrainingHistoryDisplay

        Raises
        ------
        ValueError
            If the detector has no ``history_``.
        """
        detector = detector_of(estimator)
        if not hasattr(detector, "history_"):
            raise ValueError(
                "the detector must be fitted and have a single network, as "
                f"RealNVPOutlierDetector has; got {detector!r}"
            )
        return cls(detector.history_).plot(axes=axes)

    def plot(self, axes: Any = None) -> "TrainingHistoryDisplay":
        """Draw all phases.

        Parameters
        ----------
        axes : sequence of matplotlib Axes, default=None
            Where to draw, one for each phase; None makes a figure.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If there are not as many axes as phases.
        """
        import matplotlib.pyplot as plt

        phases = list(dict.fromkeys(self.history["phase"]))
        if axes is None:
            width = 5 * len(phases)
            _, axes = plt.subplots(1, len(phases), figsize=(width, 3.6), layout="constrained")
        self.axes_ = np.atleast_1d(axes)
        if len(self.axes_) != len(phases):
            raise ValueError(f"axes must be {len(phases)}, one a phase; got {len(self.axes_)}")
        self.figure_ = self.axes_[0].figure
        phase = np.asarray(self.history["phase"])
        step = np.asarray(self.history["step"])
        losses = [("loss", "training rows", BULK), ("validation_loss", "held-out rows", ANOMALY)]
        for name, ax in zip(phases, self.axes_, strict=True):
            for key, label, color in losses:
                values = np.asarray(self.history[key], dtype=np.float64)[phase == name]
                if np.isfinite(values).any():
                    ax.plot(step[phase == name], values, color=color, label=label)
            ax.set(title=name, xlabel="step", ylabel="loss")
            ax.legend()
        return self
