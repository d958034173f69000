"""Detectors of the contrastive study that are put together from others."""

from skflow import DensityRatioDetector, MahalanobisDetector


def mse_ratio() -> DensityRatioDetector:
    """Squared distances to two means, each in its own variance: "MSE-ratio" of arXiv:2208.14024."""
    spherical = MahalanobisDetector(covariance="spherical")
    return DensityRatioDetector(spherical, spherical)
