"""Whether the latent space of a flow is what thresholds in standard deviations take it for."""

from typing import Any

import numpy as np
from scipy.stats import chi2, norm

from ..detectors._latent import latent
from ._axes import BULK, LINE


class LatentQQDisplay:
    """Whether the bulk is really normal in a flow's latent space.

    Quantiles of each latent coordinate against those of a normal distribution, and of the distance
    from the centre against those of its chi distribution: on the diagonal thresholds in standard
    deviations mean what they say. `from_estimator` makes and plots in one call.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_latent)
        Latent coordinates of bulk rows that the flow has not seen.

    Attributes
    ----------
    axes_, figure_ : ndarray of two matplotlib Axes, and Figure
        Where it is drawn, after `plot`.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow import RealNVPOutlierDetector
    >>> from skflow.inspection import LatentQQDisplay
    >>> X = np.random.RandomState(0).normal(size=(1000, 2))
    >>> flow = RealNVPOutlierDetector(random_state=0).fit(X[:500])
    >>> display = LatentQQDisplay.from_estimator(flow, X[500:])
    >>> len(display.axes_)
    2
    """

    def __init__(self, Z: Any):
        Z = np.asarray(Z, dtype=np.float64)
        self.Z = Z[~np.isnan(Z).any(axis=1)]
        if len(self.Z) < 2:
            raise ValueError(f"Z must have at least 2 rows without NaN; got {len(self.Z)}")

    @classmethod
    def from_estimator(cls, estimator: Any, X: Any, *, axes: Any = None) -> "LatentQQDisplay":
        """Draw the latent coordinates of rows.

        Parameters
        ----------
        estimator : detector
            A fitted flow trained by likelihood alone, or a pipeline that ends with one.
        X : array-like of shape (n_samples, n_features)
            Bulk rows that it has not seen.
        axes : sequence of two matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : LatentQQDisplay

        Raises
        ------
        ValueError
            If the detector has no such latent space.
        """
        return cls(latent(estimator, X)).plot(axes=axes)

    def plot(self, axes: Any = None) -> "LatentQQDisplay":
        """Draw both panels.

        Parameters
        ----------
        axes : sequence of two matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        self : object
        """
        import matplotlib.pyplot as plt

        if axes is None:
            _, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
        self.axes_, self.figure_ = np.asarray(axes), axes[0].figure
        n, d = self.Z.shape
        share = (np.arange(n) + 0.5) / n
        expected = norm.ppf(share)
        for j in range(d):
            axes[0].plot(expected, np.sort(self.Z[:, j]), linewidth=1, label=f"z{j}")
        axes[0].set(xlabel="quantile of a normal distribution", ylabel="latent coordinate")
        if d <= 6:
            axes[0].legend()
        radius = np.sqrt(chi2.ppf(share, d))
        axes[1].plot(radius, np.sort(np.linalg.norm(self.Z, axis=1)), color=BULK)
        axes[1].set(xlabel=f"quantile of a chi distribution, {d} degrees of freedom")
        axes[1].set(ylabel="distance from the centre")
        for panel, ends in zip(axes, (expected[[0, -1]], radius[[0, -1]]), strict=True):
            panel.plot(ends, ends, ":", color=LINE, linewidth=1)
        return self
