"""Units of the features: standard deviations, without overflow and without loss of digits."""

import numpy as np
import torch

from ..flows import Standardize

#: Distances are cut here, in standard deviations of a feature, so that squares stay finite.
MAX_DEVIATION = 1e100
#: Where trees, which see float32, stop to tell rows apart.
MAX_TREE_DEVIATION = 1e6


def scaling(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of every feature; 1 where it is constant."""
    layer = Standardize(X.shape[1])
    layer.initialize(torch.from_numpy(X))
    return layer.mean.numpy(), layer.scale.numpy()


def standardized(X: np.ndarray, location: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Rows less their location, in units of the scale; what could overflow later is clipped."""
    with np.errstate(over="ignore"):
        # Halves, so that the difference of two huge numbers does not overflow.
        z = (0.5 * X - 0.5 * location) / (0.5 * scale)
    return np.clip(z, -MAX_DEVIATION, MAX_DEVIATION)


def for_trees(X: np.ndarray, location: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Standardised rows that float32 can hold: no time stamp loses its seconds, nothing is inf."""
    return np.clip(standardized(X, location, scale), -MAX_TREE_DEVIATION, MAX_TREE_DEVIATION)
