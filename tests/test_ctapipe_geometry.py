"""Geometries from ctapipe's own objects, with ctapipe's cleaning and neighbours as the judge."""

from types import SimpleNamespace

import astropy.units as u
import numpy as np
import pytest
from ctapipe.coordinates import TelescopeFrame
from ctapipe.instrument import CameraGeometry as CtapipeGeometry
from ctapipe.instrument import SubarrayDescription

from skflow.hillas import CameraGeometry
from skflow.interop import geometry_from_ctapipe

FILES = ("lst_gamma", "prod6_gamma")


@pytest.fixture(params=FILES)
def subarray(request, data_folder):
    path = data_folder / "iact" / f"{request.param}.dl1.h5"
    return SubarrayDescription.from_hdf(path, focal_length_choice="EQUIVALENT")


def assert_same_pixels(ours: CameraGeometry, theirs: CtapipeGeometry) -> None:
    np.testing.assert_array_equal(ours.pix_x, theirs.pix_x.to_value("m"))
    np.testing.assert_array_equal(ours.pix_y, theirs.pix_y.to_value("m"))
    np.testing.assert_array_equal(ours.pix_area, theirs.pix_area.to_value("m2"))
    assert ours.shape == theirs.pix_type.value
    assert ours.name == theirs.name
    assert ours.pix_rotation == theirs.pix_rotation.to_value("deg")
    for pixel in (0, 1, theirs.n_pixels // 2, theirs.n_pixels - 1):
        np.testing.assert_array_equal(
            ours.neighbors(pixel), np.flatnonzero(theirs.neighbor_matrix[pixel])
        )
    np.testing.assert_array_equal(ours.border_mask(2), theirs.get_border_pixel_mask(2))


def test_telescopes(subarray):
    telescopes = {id(telescope.camera): telescope for telescope in subarray.tel.values()}
    for telescope in list(telescopes.values())[:3]:
        ours = geometry_from_ctapipe(telescope)
        assert_same_pixels(ours, telescope.camera.geometry)
        assert ours.focal_length == telescope.optics.effective_focal_length.to_value("m")
        nominal = geometry_from_ctapipe(telescope, focal_length="nominal")
        assert nominal.focal_length == telescope.optics.equivalent_focal_length.to_value("m")
        assert nominal.focal_length < ours.focal_length


def test_cameras_have_the_focal_length_of_their_frame(subarray):
    camera = subarray.tel[1].camera
    # The file was opened with the nominal one.
    for source in (camera, camera.geometry):
        assert geometry_from_ctapipe(source).focal_length == 28.0
    theirs = CtapipeGeometry.make_rectangular(4, 4)
    ours = geometry_from_ctapipe(theirs)
    assert_same_pixels(ours, theirs)
    assert np.isnan(ours.focal_length)


def test_telescope_frame_agrees(subarray):
    telescope = subarray.tel[1]
    ours = geometry_from_ctapipe(telescope, focal_length="nominal").in_telescope_frame()
    theirs = telescope.camera.geometry.transform_to(TelescopeFrame())
    np.testing.assert_allclose(ours.pix_x, theirs.pix_x.to_value("deg"), atol=1e-12)
    np.testing.assert_allclose(ours.pix_y, theirs.pix_y.to_value("deg"), atol=1e-12)


def turned(cam_rotation, apply_derotation, **options) -> CtapipeGeometry:
    return CtapipeGeometry(
        name="turned",
        pix_id=np.arange(4),
        pix_x=[0, 10, 0, 10] * u.cm,
        pix_y=[0, 0, 10, 10] * u.cm,
        pix_area=[100] * 4 * u.cm**2,
        pix_rotation=5 * u.deg,
        cam_rotation=cam_rotation,
        apply_derotation=apply_derotation,
        **{"pix_type": "square"} | options,
    )


@pytest.mark.parametrize("angle", [0, 30, -100])
def test_rotated_camera_is_turned_back_as_by_ctapipe(angle):
    ours = geometry_from_ctapipe(turned(angle * u.deg, False))
    theirs = geometry_from_ctapipe(turned(angle * u.deg, True))
    for name in ("pix_x", "pix_y", "pix_area", "pix_rotation"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), atol=1e-15)
    assert ours.pix_rotation == pytest.approx(5 - angle)


@pytest.mark.parametrize("shape", ["circle", "hexagon", "square"])
def test_shapes_and_neighbours_are_ctapipes(shape):
    neighbors = [[3], [2], [1], [0]]
    theirs = turned(0 * u.deg, True, pix_type=shape, neighbors=neighbors)
    ours = geometry_from_ctapipe(theirs)
    assert ours.shape == shape
    assert [ours.neighbors(pixel).tolist() for pixel in range(4)] == neighbors
    assert ours.pix_x.max() == pytest.approx(0.1)


def test_errors(subarray):
    telescope = subarray.tel[1]
    with pytest.raises(ValueError, match="must be 'effective' or 'nominal'; got 'equivalent'"):
        geometry_from_ctapipe(telescope, focal_length="equivalent")
    for source in (subarray, telescope.optics, 3):
        with pytest.raises(TypeError, match=r"TelescopeDescription \(subarray.tel\[tel_id\]\)"):
            geometry_from_ctapipe(source)
    angles = telescope.camera.geometry.transform_to(TelescopeFrame())
    with pytest.raises(ValueError, match="in metres, in ctapipe's CameraFrame; got them in deg"):
        geometry_from_ctapipe(angles)
    stars = SimpleNamespace(
        name="odd", pix_x=[0, 1], pix_y=[0, 0], pix_area=[1, 1], pix_type="star"
    )
    with pytest.raises(ValueError, match="pixels of odd must be hexagons, squares or circles; got"):
        geometry_from_ctapipe(stars)
