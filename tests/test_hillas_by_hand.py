"""Hillas parameters against values worked out by hand, on images of whole coordinates."""

from math import cbrt, degrees, pi, sin, sqrt, tan

import numpy as np
import pytest
from small_images import CAMERA, check, features_of, measure

from skflow.hillas import CameraGeometry, HillasTransformer

# Charges 10, 20, 10 at x = 1, 2, 3 and y = 2: S = 40, centre (2, 2), l = -1, 0, 1, t = 0.
ROW = {(1, 2): 10, (2, 2): 20, (3, 2): 10}
# Equal charges in the shape of an L, S = 40. Centre: x = (0 + 1 + 2 + 0) / 4 = 3/4, y = 1/4.
# C_xx = (0 + 1 + 4 + 0) / 4 - 9/16 = 11/16, C_yy = 1/4 - 1/16 = 3/16, C_xy = 0 - 3/16.
# C_xx - C_yy and 2 C_xy are as 4 : -3, so cos(2 psi) = 4/5, cos(psi) = 3 / sqrt(10) and
# sin(psi) = -1 / sqrt(10). Eigenvalues 7/16 +- 5/16: length^2 = 3/4, width^2 = 1/8.
# 4 (x - 3/4, y - 1/4)  = (-3, -1), (1, -1), (5, -1), (-3, 3)
# 4 sqrt(10) l = 3 x - y = -8, 4, 16, -12 and 4 sqrt(10) t = x + 3 y = -6, -2, 2, 6.
ELL = {(0, 0): 10, (1, 0): 10, (2, 0): 10, (0, 1): 10}


def test_three_pixels_in_a_row():
    got = measure(ROW)
    check(
        got,
        intensity=40,
        x=2,
        y=2,
        r=sqrt(8),
        phi=45,
        length=sqrt(20 / 40),
        width=0,
        psi=0,
        skewness=0,
        kurtosis=2,  # (20 / 40) / (1/2)^2
        # sum q (l^2 - 1/2)^2 = 40 / 4 = 10
        length_uncertainty=sqrt(10) / (2 * 40 * sqrt(0.5)),
        width_uncertainty=np.nan,
        # Weights are the charges, as areas are 1: slope variance 1 / sum(q l^2) = 1 / 20.
        psi_uncertainty=degrees(sqrt(1 / 20)),
        transverse_cog_uncertainty=sqrt(1 / 40),
    )
    check(
        got,
        concentration_cog=0.5,  # the outer pixels are 1 m away, no nearer than a pixel's width
        concentration_core=0,
        concentration_pixel=0.5,
        concentration_conc2=0.75,
        leakage_pixels_width_1=1 / 3,  # x = 3 is the outermost column
        leakage_pixels_width_2=1,  # y = 2 is the second row from the edge
        leakage_intensity_width_1=10 / 40,
        leakage_intensity_width_2=1,
        intensity_max=20,
        intensity_min=10,
        intensity_mean=40 / 3,
        # Deviations -10/3, 20/3, -10/3: m2 = 200/9, m3 = 2000/27, m4 = 20000/27.
        intensity_std=sqrt(200 / 9),
        intensity_skewness=sqrt(0.5),
        intensity_kurtosis=1.5 - 3,
    )
    # Seen from the camera's centre: the axis y = 2 passes it at 2 m, at 45 degrees.
    check(
        got,
        source_dist=sqrt(8),
        source_alpha=45,
        source_miss=2,
        source_azwidth=sqrt(0.5) * sqrt(0.5),
        source_asym=0,
        source_m3_long=0,
        source_m3_trans=0,
    )


def test_an_l_of_four_pixels():
    got = measure(ELL)
    check(
        got,
        x=3 / 4,
        y=1 / 4,
        r=sqrt(10) / 4,
        length=sqrt(3 / 4),
        width=sqrt(1 / 8),
        psi=-18.43494882292201,  # -asin(1 / sqrt(10))
        # <l^3> = (-512 + 64 + 4096 - 1728) / 4 / (640 sqrt(10)) = 3 / (4 sqrt(10))
        skewness=0.75 / sqrt(10) / 0.75**1.5,
        # <l^4> = (4096 + 256 + 65536 + 20736) / 4 / 25600 = 0.885
        kurtosis=0.885 / 0.5625,
        # sum q (l^2 - 3/4)^2 = 40 (0.885 - 0.5625) = 12.9
        length_uncertainty=sqrt(12.9) / (80 * sqrt(0.75)),
        # <t^4> = (1296 + 16 + 16 + 1296) / 4 / 25600 = 0.025625, less 1/64 is 0.01
        width_uncertainty=sqrt(0.4) / (80 * sqrt(0.125)),
        psi_uncertainty=degrees(sqrt(1 / 30) * (1 + tan(pi / 2 / sqrt(6)) ** 2)),
        transverse_cog_uncertainty=sqrt(1 / 40),
    )
    # Squared distances from the centre, times 16: 10, 2, 26, 18; nearer than 1 m are two.
    # l^2 / length^2 + t^2 / width^2 = 7/3, 1/3, 7/3, 3; inside the ellipse is one.
    check(got, concentration_cog=0.5, concentration_core=0.25, concentration_conc2=0.5)
    check(got, intensity_std=0, intensity_skewness=np.nan, intensity_kurtosis=np.nan)
    check(got, leakage_pixels_width_2=1 / 4, leakage_intensity_width_1=0)


def test_an_l_seen_from_a_source():
    # From (3/4, -7/4) the centre is 2 m away along y. u is then x - 3/4: azwidth^2 = C_xx.
    # alpha is the angle from psi to the y axis, 90 - 18.4 degrees: its sine is 3 / sqrt(10).
    got = measure(ELL, source=(3 / 4, -7 / 4))
    check(
        got,
        source_dist=2,
        source_alpha=71.56505117707799,
        source_miss=6 / sqrt(10),
        source_azwidth=sqrt(11 / 16),
        # Away from the source, along +y, is backwards along l: -<l^3>. <t^3> is 0.
        source_m3_long=-cbrt(0.75 / sqrt(10)),
    )
    # A cube root makes 1e-18 of a sum's rounding 1e-6.
    assert got["source_m3_trans"] == pytest.approx(0, abs=1e-5)
    check(measure(ELL, source=(3 / 4, 9 / 4)), source_m3_long=cbrt(0.75 / sqrt(10)))


# Charges 30 and 10, 4 m apart on one line: l = -1 and 3, from the brighter to the fainter.
# <l^2> = (30 + 90) / 40 = 3, <l^3> = (-30 + 270) / 40 = 6, <l^4> = (30 + 810) / 40 = 21.
TAILS = {
    "right": ({(-2, 1): 30, (2, 1): 10}, (-1, 1), (1, 0), 0),
    "left": ({(2, 1): 30, (-2, 1): 10}, (1, 1), (-1, 0), 0),
    "up": ({(1, -2): 30, (1, 2): 10}, (1, -1), (0, 1), 90),
    "down": ({(1, 2): 30, (1, -2): 10}, (1, 1), (0, -1), 90),
}


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("side", [1, -1])
def test_a_tail_away_from_the_source_is_positive(tail, side):
    pixels, (x, y), (dx, dy), psi = TAILS[tail]
    got = measure(pixels, source=(x - 5 * side * dx, y - 5 * side * dy))
    # Skewness knows no source: it is positive towards +x, or +y along the y axis.
    check(got, x=x, y=y, psi=psi, length=sqrt(3), skewness=(dx + dy) * 6 / sqrt(27))
    check(got, kurtosis=21 / 9)
    check(got, source_dist=5, source_alpha=0, source_miss=0, source_azwidth=0)
    # The centre is 1 m farther from the source than the brightest pixel, or nearer to it.
    check(got, source_asym=side, source_m3_long=side * cbrt(6), source_m3_trans=0)


@pytest.mark.parametrize(("source_x", "sign"), [(-10, 1), (10, -1)])
def test_third_moment_across_is_positive_to_the_left_of_the_way_from_the_source(source_x, sign):
    # Five pixels in a row and one above the middle, 10 each: S = 60, y = 1/6, l^2: 100 / 60.
    # t = -1/6 five times and 5/6: <t^2> = 30 / 36 / 6 = 5/36, <t^3> = 120 / 216 / 6 = 5/54.
    pixels = {(x, 0): 10 for x in range(-2, 3)} | {(0, 1): 10}
    got = measure(pixels, source=(source_x, 1 / 6))
    check(got, length=sqrt(5 / 3), width=sqrt(5 / 36), psi=0)
    check(got, source_m3_long=0, source_m3_trans=sign * cbrt(5 / 54), source_dist=10)


def test_line_fitted_with_pixels_of_unequal_area():
    # Charges 10 at (+-2, +-1); the first pixel has half the area, so weights 20, 10, 10, 10.
    # sum w = 50, w l = 20, w t = 10, w l^2 = 200, w l t = 20; determinant 50 200 - 20^2 = 9600.
    # Slope (50 20 - 20 10) / 9600 = 1/12, its variance 50 / 9600 = 1/192, c_00 200 / 9600 = 1/48.
    x, y = [2, 2, -2, -2], [1, -1, 1, -1]
    camera = CameraGeometry.from_arrays(x, y, [0.5, 1, 1, 1], shape="square")
    (got,) = features_of(camera, np.full((1, 4), 10.0))
    check(got, length=2, width=1, psi=0, kurtosis=1, length_uncertainty=0, width_uncertainty=0)
    check(
        got,
        # width / length = 1/2: the factor is 1 + tan(45 deg)^2 = 2
        psi_uncertainty=2 * degrees(sqrt(1 / 192 + 1 / 144)),
        transverse_cog_uncertainty=sqrt((1 + sin(1 / 12) ** 2) / 48),
    )


def test_a_row_of_hexagons():
    # Neighbours 0.1 m apart along 60 degrees through the centre; a hexagon's area is
    # sqrt(3) / 2 0.1^2, and sum q l^2 = 20 0.01.
    dx, dy = 0.05, 0.1 * sqrt(0.75)
    camera = CameraGeometry.hexagonal(3, pixel_width=0.1)
    got = measure({(-dx, -dy): 10, (0, 0): 20, (dx, dy): 10}, camera, source=(-0.1, 0))
    check(got, psi=60, length=0.1 * sqrt(0.5), width=0, concentration_cog=0.5)
    check(got, psi_uncertainty=degrees(sqrt(sqrt(0.75) * 0.01 / 0.2)), morphology_n_islands=1)
    check(got, source_dist=0.1, source_alpha=60, source_miss=0.1 * sqrt(0.75))
    check(got, leakage_pixels_width_1=0, leakage_pixels_width_2=0)


@pytest.mark.parametrize(("n_large", "counts"), [(50, (2, 2, 0)), (51, (2, 1, 1))])
def test_islands_by_size(n_large, counts):
    image = np.zeros((12, 12))
    image[0, 11] = 1  # one pixel
    image[2:4, 11] = 1  # two
    image[8:11, 0] = 1  # three
    rows, columns = np.divmod(np.arange(n_large), 9)
    image[rows, columns] = 1
    camera = CameraGeometry.square(12)
    (got,) = features_of(camera, image.reshape(1, -1), image.reshape(1, -1) > 0)
    assert got["morphology_n_pixels"] == 6 + n_large
    assert got["morphology_n_islands"] == 4
    sizes = tuple(got[f"morphology_n_{size}_islands"] for size in ("small", "medium", "large"))
    assert sizes == counts


def test_squares_that_touch_at_a_corner_are_two_islands():
    assert measure({(0, 0): 5, (1, 1): 5})["morphology_n_islands"] == 2
    assert measure({(0, 0): 5, (1, 0): 5})["morphology_n_islands"] == 1


def test_tail_cuts_of_a_small_image():
    # 12 and 15 are core (above 10, next to one above 10), 6 and 5 are above 5 and beside them;
    # 7 is two pixels away, 30 stands alone, 4 is below.
    image = np.zeros((7, 7))
    image[3] = [4, 6, 12, 15, 5, 7, 0]
    image[0, 0] = 30
    hillas = HillasTransformer(CAMERA, min_picture_neighbors=1, features="hillas")
    X = image[np.newaxis]
    assert np.flatnonzero(hillas.clean(X)).tolist() == [22, 23, 24, 25]
    got = dict(zip(hillas.get_feature_names_out(), hillas.transform(X)[0], strict=True))
    # x = (-2 6 - 12 + 5) / 38
    check(got, camera_frame_hillas_intensity=38, camera_frame_hillas_x=-0.5)


def test_magic_preset_has_the_columns_of_its_table():
    hillas = HillasTransformer(CAMERA, cleaning=None, features="magic", source=(-6.0, 1.0))
    image = np.zeros((1, 7, 7))
    image[0, 4, [1, 5]] = 75, 25  # "right" above, S = 100
    got = hillas.transform(image, mask=image.reshape(1, -1) > 0)[0]
    expected = {
        "fLength": 1000 * sqrt(3),
        "fWidth": 0,
        "fSize": 2,
        "fConc": 1,
        "fConc1": 0.75,
        "fAsym": 1000,
        "fM3Long": 1000 * cbrt(6),
        "fM3Trans": 0,
        "fAlpha": 0,
        "fDist": 5000,
    }
    assert hillas.get_feature_names_out().tolist() == list(expected)
    assert got == pytest.approx(list(expected.values()), rel=1e-12)
    # On the other side of the source, the columns that have a direction change sign.
    hillas.set_params(source=(4.0, 1.0))
    got = hillas.transform(image, mask=image.reshape(1, -1) > 0)[0]
    assert got[[5, 6, 9]] == pytest.approx([-1000, -1000 * cbrt(6), 5000], rel=1e-12)


def test_magic_preset_off_axis():
    # The row seen from the centre: 45 degrees, sqrt(8) m. Its width is 0, its sum 40.
    got = measure(ROW, features="magic")
    check(got, fSize=1.6020599913279624, fAlpha=45, fDist=1000 * sqrt(8), fConc=0.75)
    check(got, fLength=1000 * sqrt(0.5), fWidth=0, fAsym=0)


def test_taiga_preset():
    got = measure(ELL, features="taiga", source=(3 / 4, -7 / 4))
    expected = {
        "intensity": 40,
        "width": sqrt(1 / 8),
        "length": sqrt(3 / 4),
        "source_dist": 2,
        "source_azwidth": sqrt(11 / 16),
        "source_miss": 6 / sqrt(10),
        "source_alpha": 71.56505117707799,
        "concentration_conc2": 0.5,
    }
    assert list(got) == list(expected)
    check(got, **expected)


def test_telescope_frame_exchanges_axes_and_divides_by_the_focal_length():
    # 10 m: one metre is 0.1 rad = 5.7295... degrees. (fov_lon, fov_lat) = (y, x) / f.
    m = 18 / pi
    got = measure(ELL, frame="telescope", source=(-7 / 4 * m, 3 / 4 * m))
    check(
        got,
        fov_lon=m / 4,
        fov_lat=3 / 4 * m,
        r=sqrt(10) / 4 * m,
        phi=90 - 18.43494882292201,
        length=sqrt(3 / 4) * m,
        width=sqrt(1 / 8) * m,
        # The mirror image: 90 + 18.4 degrees, the axis turned round to be within 90.
        psi=18.43494882292201 - 90,
        # Turned round, l has the other sign.
        skewness=-0.75 / sqrt(10) / 0.75**1.5,
        kurtosis=0.885 / 0.5625,
        transverse_cog_uncertainty=sqrt(1 / 40) * m,
        psi_uncertainty=degrees(sqrt(1 / 30) * (1 + tan(pi / 2 / sqrt(6)) ** 2)),
    )
    check(got, source_dist=2 * m, source_miss=6 / sqrt(10) * m, source_alpha=71.56505117707799)
    check(got, source_azwidth=sqrt(11 / 16) * m, source_m3_long=-cbrt(0.75 / sqrt(10)) * m)
    right = TAILS["right"][0]  # the tail points to +fov_lat
    got = measure(right, frame="telescope")
    check(got, fov_lon=m, fov_lat=-m, psi=90, skewness=6 / sqrt(27), length=sqrt(3) * m)


def test_one_pixel_holds_all_charge():
    got = measure({(1, 0): 10}, min_n_pixels=1)
    check(got, intensity=10, x=1, y=0, length=0, width=0, psi=np.nan, skewness=np.nan)
    check(got, concentration_cog=1, concentration_pixel=1, concentration_core=0, source_dist=1)
    assert got["concentration_conc2"] == 1


def test_a_negative_pixel_inside_makes_the_share_at_the_edge_exceed_one():
    # -5 in the middle, 10 and 10 in the outermost row: 20 of S = 15. No cut was asked for.
    got = measure({(0, 0): -5, (-1, 3): 10, (1, 3): 10})
    check(got, intensity=15, x=0, y=4, leakage_intensity_width_1=4 / 3)
    check(got, leakage_intensity_width_2=4 / 3, leakage_pixels_width_1=2 / 3)
