"""Hillas parameters of showers whose moments and time gradients are known."""

from math import cbrt, degrees, pi, sqrt

import numpy as np
import pytest
from small_images import CAMERA, check, features_of

from skflow.hillas import CameraGeometry

# Analytic showers on 120 x 120 pixels of 0.02 m. Charges are densities sampled at the centres, not
# integrals over pixels: a sum over a grid fine against the shower then has the moments of the
# integral itself (Poisson's summation formula), without Sheppard's correction of pixel^2 / 12.
FINE = CameraGeometry.square(120, pixel_width=0.02)
AREA = 0.02**2


def along_and_across(center, psi):
    """Coordinates of the pixels along an axis and across it."""
    x, y = FINE.pix_x - center[0], FINE.pix_y - center[1]
    c, s = np.cos(np.radians(psi)), np.sin(np.radians(psi))
    return c * x + s * y, c * y - s * x


def gaussian(u, sigma):
    return np.exp(-0.5 * (u / sigma) ** 2)


@pytest.mark.parametrize("psi", [-75, -30, 0, 20, 45, 80])
def test_gaussian_ellipse(psi):
    long, trans, (x, y) = 0.12, 0.06, (0.2, -0.1)
    along, across = along_and_across((x, y), psi)
    image = 50 * gaussian(along, long) * gaussian(across, trans)
    size = 50 * 2 * pi * long * trans / AREA  # the density's integral
    (got,) = features_of(FINE, image[np.newaxis], source=(-0.1, -0.5))
    check(got, 1e-9, intensity=size, x=x, y=y, length=long, width=trans, kurtosis=3)
    assert got["psi"] == pytest.approx(psi, abs=1e-6)
    assert got["skewness"] == pytest.approx(0, abs=1e-8)
    check(
        got,
        1e-8,
        # <l^4> - length^4 = 2 length^4
        length_uncertainty=long / sqrt(2 * size),
        width_uncertainty=trans / sqrt(2 * size),
        # Weights are charge / area; width / length = 1/2 doubles it.
        psi_uncertainty=2 * degrees(sqrt(AREA / size) / long),
        transverse_cog_uncertainty=sqrt(AREA / size),
    )
    # 1 - exp(-1/2) of a Gaussian is within one standard deviation; a pixel is in or out.
    assert got["concentration_core"] == pytest.approx(1 - np.exp(-0.5), abs=0.03)
    # The centre is 0.3 m right of the source and 0.4 m above it: 0.5 m at 53.13 degrees.
    alpha = 53.13010235415598 - psi
    alpha = min(abs(alpha), 180 - abs(alpha))
    s, c = np.sin(np.radians(alpha)), np.cos(np.radians(alpha))
    check(got, 1e-7, source_dist=0.5, source_alpha=alpha, source_miss=0.5 * s)
    check(got, 1e-8, source_azwidth=np.hypot(long * s, trans * c))
    assert abs(got["source_asym"]) < 0.02


def gamma(u, shape, scale):
    """Density of a gamma distribution with its mean at 0."""
    u = np.maximum(u / scale + shape, 0)
    return u ** (shape - 1) * np.exp(-u)


@pytest.mark.parametrize("side", [1, -1])
def test_skewed_profiles(side):
    # Gamma distributions of shape k, scale b: variance k b^2, third moment 2 k b^3, skewness
    # 2 / sqrt(k), kurtosis 3 + 6 / k, mean minus mode b.
    psi, center = 25.0, (-0.2, 0.1)
    along, across = along_and_across(center, psi)
    image = gamma(along, 9, 0.03) * gamma(across, 16, 0.01)
    direction = np.array([np.cos(np.radians(psi)), np.sin(np.radians(psi))])
    source = tuple(center - side * 0.8 * direction)
    (got,) = features_of(FINE, image[np.newaxis], source=source)
    check(got, 1e-6, length=0.09, width=0.04, psi=psi, skewness=2 / 3, kurtosis=3 + 6 / 9)
    check(got, 1e-6, source_dist=0.8, x=center[0], y=center[1], source_azwidth=0.04)
    check(
        got,
        1e-6,
        source_m3_long=side * cbrt(2 * 9 * 0.03**3),
        source_m3_trans=side * cbrt(2 * 16 * 0.01**3),
    )
    assert got["source_alpha"] < 1e-4
    assert got["source_asym"] == pytest.approx(side * 0.03, abs=0.02)


@pytest.mark.parametrize(("vertical", "psi"), [(False, 0), (True, 90)])
def test_time_gradient_with_outliers(vertical, psi):
    # 21 pixels in a row, l = -1 ... 1 in steps of 0.1; 85 % of them are 17, and 3 are outliers.
    camera = CameraGeometry.square(21, pixel_width=0.1)
    charges, times = np.zeros((21, 21)), np.full((21, 21), 50.0)
    charges[10] = 10
    times[10] = 20 + 4 * np.linspace(-1, 1, 21)
    times[10, [0, 7, 20]] += 30, -12, 18
    if vertical:
        charges, times = charges.T, times.T
    X = np.hstack([charges.reshape(1, -1), times.reshape(1, -1)])
    (got,) = features_of(camera, X, charges.reshape(1, -1) > 0, timing=True)
    # Residuals are those of the outliers; slope per metre, and the time at the centre of gravity.
    check(got, 1e-9, psi=psi, timing_slope=4, timing_intercept=20)
    check(got, 1e-9, timing_deviation=sqrt((30**2 + 12**2 + 18**2) / 21))
    # Times: 16 + 30 = 46 is the latest, 18.8 - 12 = 6.8 the earliest.
    check(got, 1e-9, peak_time_max=46, peak_time_min=6.8, peak_time_mean=20 + 36 / 21)


def test_times_of_four_pixels():
    # Times 1, 2, 3, 10: mean 4, deviations -3, -2, -1, 6, m2 = 50/4, m3 = 180/4, m4 = 1394/4.
    X = np.zeros((1, 98))
    X[0, 44:48] = 10
    X[0, 93:97] = 1, 2, 3, 10
    (got,) = features_of(CAMERA, X, X[:, :49] > 0, timing=True)
    check(got, peak_time_max=10, peak_time_min=1, peak_time_mean=4, peak_time_std=sqrt(12.5))
    check(got, peak_time_skewness=45 / 12.5**1.5, peak_time_kurtosis=348.5 / 12.5**2 - 3)
    # Three pixels (0.85 of 4) make the line: the first three. The last is 6 off it.
    check(got, timing_slope=1, timing_intercept=2.5, timing_deviation=3)
    # Per degree in the telescope frame.
    (got,) = features_of(CAMERA, X, X[:, :49] > 0, timing=True, frame="telescope")
    check(got, timing_slope=pi / 18, timing_intercept=2.5, timing_deviation=3)
