"""Detectors of the contrastive studies that are put together from others."""

from typing import Any

from skflow import DensityRatioDetector, MahalanobisDetector, RealNVPOutlierDetector


def mse_ratio() -> DensityRatioDetector:
    """Squared distances to two means, each in its own variance: "MSE-ratio" of arXiv:2208.14024."""
    spherical = MahalanobisDetector(covariance="spherical")
    return DensityRatioDetector(spherical, spherical)


def flow_ratio(**params: Any) -> DensityRatioDetector:
    """Two flows with the same parameters: "Flow-ratio" of arXiv:2208.14024."""
    flow = RealNVPOutlierDetector(**params)
    return DensityRatioDetector(flow, flow)
