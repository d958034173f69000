"""Cameras: made, read, compared, and refused with a reason."""

import copy
import pickle

import numpy as np
import pytest

from skflow.hillas import CameraGeometry, HillasTransformer


def as_sets(camera: CameraGeometry) -> list[set[int]]:
    return [set(camera.neighbors(pixel).tolist()) for pixel in range(camera.n_pixels)]


def test_square_is_numbered_like_an_image():
    camera = CameraGeometry.square(3, 4, pixel_width=0.1, focal_length=2.0)
    assert camera.n_pixels == 12
    np.testing.assert_allclose(camera.pix_x.reshape(3, 4)[0], [-0.15, -0.05, 0.05, 0.15])
    np.testing.assert_allclose(camera.pix_y.reshape(3, 4)[:, 0], [-0.1, 0, 0.1], atol=1e-15)
    assert as_sets(camera)[0] == {1, 4}
    assert as_sets(camera)[5] == {1, 4, 6, 9}
    np.testing.assert_allclose(camera.pix_area, 0.01)
    np.testing.assert_allclose(camera.pixel_width, 0.1)
    assert CameraGeometry.square(3) == CameraGeometry.square(3, 3)


def test_hexagonal_grows_in_rings():
    camera = CameraGeometry.hexagonal(2, pixel_width=0.1)
    assert camera.n_pixels == 19
    radius = np.hypot(camera.pix_x, camera.pix_y)
    np.testing.assert_allclose(radius[:7], [0] + [0.1] * 6, atol=1e-15)
    assert radius[7:].min() > 0.17
    assert as_sets(camera)[0] == {1, 2, 3, 4, 5, 6}
    assert sorted(map(len, as_sets(camera))) == [3] * 6 + [4] * 6 + [6] * 7
    np.testing.assert_allclose(camera.pixel_width, 0.1)
    np.testing.assert_allclose(camera.pix_area, 0.01 * np.sqrt(3) / 2)


@pytest.mark.parametrize(
    ("shape", "area"), [("hexagon", np.sqrt(0.75)), ("square", 1.0), ("circle", np.pi / 4)]
)
def test_from_arrays_fills_in_area_and_neighbours(shape, area):
    camera = CameraGeometry.from_arrays([0, 2, 4], [0, 0, 0], shape=shape)
    np.testing.assert_allclose(camera.pix_area, 4 * area)
    np.testing.assert_allclose(camera.pixel_width, 2)
    assert as_sets(camera) == [{1}, {0, 2}, {1}]
    assert not camera.has_focal_length
    given = CameraGeometry.from_arrays([0, 2], [0, 0], [1, 4], shape="square")
    np.testing.assert_array_equal(given.pixel_width, [1, 2])


def test_given_neighbours_are_sorted():
    csr = [0, 2, 3, 4], [2, 1, 0, 0]
    camera = CameraGeometry.from_arrays([0, 1, 5], [0, 0, 0], neighbors=csr)
    assert camera.neighbors(0).tolist() == [1, 2]
    none = CameraGeometry.from_arrays([0, 1], [0, 0], neighbors=([0, 0, 0], []))
    assert as_sets(none) == [set(), set()]
    assert not none.border_mask().any()
    images = np.full((1, 2), 20.0)
    hillas = HillasTransformer(none, min_picture_neighbors=0)
    assert not hillas.clean(images).any()
    assert hillas.set_params(keep_isolated_pixels=True).clean(images).all()


def test_arrays_are_copied_and_fixed():
    x = np.array([0.0, 1.0])
    camera = CameraGeometry.from_arrays(x, [0, 0])
    x[0] = 5
    assert camera.pix_x[0] == 0
    for part in ("pix_x", "pix_y", "pix_area", "neighbor_indptr", "neighbor_indices"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(camera, part)[0] = 1
    with pytest.raises(AttributeError):
        camera.focal_length = 3.0


def test_repr():
    assert repr(CameraGeometry.square(2)) == (
        "CameraGeometry('square', 4 pixels of shape 'square', focal length unknown)"
    )
    camera = CameraGeometry.from_arrays(
        [0, 1], [0, 0], shape="circle", focal_length=4.889, name="FACT"
    )
    assert "'FACT', 2 pixels of shape 'circle', focal length 4.889 m" in repr(camera)


DIFFERENCES = {
    "pix_area": 2.0,
    "shape": "circle",
    "neighbors": ([0, 1, 2, 2], [1, 0]),
    "focal_length": 4.0,
    "pix_rotation": 10.0,
    "name": "other",
}


def line(**options) -> CameraGeometry:
    """Three pixels in a row."""
    return CameraGeometry.from_arrays([0, 1, 2], [0, 0, 0], **{"pix_area": 1.0} | options)


@pytest.mark.parametrize("part", DIFFERENCES)
def test_equality_sees_every_part(part):
    assert line() != line(**{part: DIFFERENCES[part]})


def test_equality_and_hash():
    camera = line()
    assert camera == line()
    assert hash(camera) == hash(line())
    assert camera != CameraGeometry.from_arrays([0, 1, 2.5], [0, 0, 0], 1.0)
    assert camera != CameraGeometry.from_arrays([0, 1], [0, 0], 1.0)
    assert camera != "camera"
    assert {camera: 1}[line()] == 1


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))]
)
def test_copies_are_equal(copied):
    camera = CameraGeometry.hexagonal(2, focal_length=3.0)
    twin = copied(camera)
    assert twin == camera
    assert hash(twin) == hash(camera)
    images = np.random.RandomState(0).gamma(2, 6, size=(5, camera.n_pixels))
    expected = HillasTransformer(camera).transform(images)
    np.testing.assert_array_equal(HillasTransformer(twin).transform(images), expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shape": "star"}, "shape must be one of hexagon, square, circle; got 'star'"),
        ({"pix_y": [0, 0]}, r"of one length; got shapes \(3,\) and \(2,\)"),
        ({"pix_x": [[0, 1, 2]], "pix_y": [[0, 0, 0]]}, "one-dimensional"),
        ({"pix_x": [0, np.nan, 2]}, "pix_x contains NaN"),
        ({"pix_y": [0, np.inf, 2]}, "pix_y contains infinity"),
        ({"pix_x": [0, 1, 1]}, "every pixel must have its own place; got two at the same"),
        ({"pix_x": [], "pix_y": []}, "0 sample"),
        (
            {"focal_length": 0},
            "focal_length must be positive, in metres, or nan where it is not known; got 0",
        ),
        (
            {"focal_length": -1.0},
            "focal_length must be positive, in metres, or nan where it is not known; got -1",
        ),
        (
            {"focal_length": np.inf},
            "focal_length must be positive, in metres, or nan where it is not known; got inf",
        ),
        ({"pix_area": 0}, "pix_area must be positive and finite"),
        ({"pix_area": [1, 1, np.nan]}, "pix_area must be positive and finite"),
        ({"neighbors": ([0, 1, 1], [1])}, r"got arrays of shapes \(3,\) and \(1,\)"),
        ({"neighbors": ([0, 1, 1, 1], [1])}, "neighbors must be .* symmetric CSR matrix"),
        ({"neighbors": ([0, 1, 1, 1], [0])}, "no pixel its own neighbour"),
        ({"neighbors": ([0, 1, 2, 2], [1, 3])}, "neighbors must be"),
        ({"neighbors": ([0, 2, 1, 2], [1, 0])}, "neighbors must be"),
        ({"neighbors": ([0, 1, 2, 2], [1, 0, 2])}, "neighbors must be"),
    ],
)
def test_from_arrays_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        CameraGeometry.from_arrays(**{"pix_x": [0, 1, 2], "pix_y": [0, 0, 0]} | arguments)


def test_grids_refuse():
    with pytest.raises(ValueError, match="n_rings must not be negative; got -1"):
        CameraGeometry.hexagonal(-1)
    for shape in ((0,), (0, 5), (5, 0), (-1, 5)):
        with pytest.raises(ValueError, match="a camera needs pixels; got"):
            CameraGeometry.square(*shape)


def test_cameras_of_one_pixel():
    for camera in (
        CameraGeometry.square(1, pixel_width=0.2),
        CameraGeometry.hexagonal(0, pixel_width=0.2),
        CameraGeometry.from_arrays([3.0], [4.0], 0.04, shape="square"),
    ):
        assert as_sets(camera) == [set()]
        np.testing.assert_allclose(camera.pixel_width, 0.2)
        assert not camera.border_mask(2).any()
        hillas = HillasTransformer(camera, cleaning=None, min_n_pixels=1, features="hillas")
        row = hillas.transform([[5.0]])[0]
        assert row[0] == 5
        np.testing.assert_array_equal(row[3:5], [camera.pix_x[0], camera.pix_y[0]])


def test_neighbours_of_real_cameras_follow_from_positions(data_folder):
    paths = sorted((data_folder / "iact").glob("*_images.npz"))
    assert len(paths) == 6
    for path in paths:
        read = CameraGeometry.from_npz(path)
        found = CameraGeometry.from_arrays(read.pix_x, read.pix_y, read.pix_area, shape=read.shape)
        np.testing.assert_array_equal(found.neighbor_indptr, read.neighbor_indptr)
        np.testing.assert_array_equal(found.neighbor_indices, read.neighbor_indices)


def test_irregular_neighbours_are_mutual():
    rng = np.random.RandomState(0)
    x, y = rng.uniform(size=(2, 60))
    for shape in ("hexagon", "square", "circle"):
        sets = as_sets(CameraGeometry.from_arrays(x, y, shape=shape))
        assert all(pixel in sets[other] for pixel in range(60) for other in sets[pixel])
        assert all(sets)


def test_border_masks():
    square = CameraGeometry.square(7)
    rows, columns = np.indices((7, 7)).reshape(2, -1)
    depth = np.minimum(np.minimum(rows, 6 - rows), np.minimum(columns, 6 - columns))
    hexagonal = CameraGeometry.hexagonal(4)
    rings = np.repeat([4, 3, 2, 1, 0], [1, 6, 12, 18, 24])
    for width in (1, 2, 3):
        np.testing.assert_array_equal(square.border_mask(width), depth < width)
        np.testing.assert_array_equal(hexagonal.border_mask(width), rings < width)


def test_telescope_frame():
    camera = CameraGeometry.square(2, 3, pixel_width=0.1, focal_length=10.0)
    angles = camera.in_telescope_frame()
    scale = np.degrees(1 / 10.0)
    np.testing.assert_allclose(angles.pix_x, camera.pix_y * scale)
    np.testing.assert_allclose(angles.pix_y, camera.pix_x * scale)
    np.testing.assert_allclose(angles.pix_area, camera.pix_area * scale**2)
    np.testing.assert_allclose(angles.pixel_width, 0.1 * scale)
    assert as_sets(angles) == as_sets(camera)
    assert angles != camera
    with pytest.raises(ValueError, match="needs a focal length, and CameraGeometry"):
        CameraGeometry.square(2).in_telescope_frame()


@pytest.mark.parametrize("n_pixels", [64, 37])
def test_inferred(n_pixels):
    camera = {64: CameraGeometry.square(8), 37: CameraGeometry.hexagonal(3)}[n_pixels]
    images = np.random.RandomState(1).gamma(2, 6, size=(20, n_pixels))
    inferred = HillasTransformer(features="all").transform(images)
    np.testing.assert_array_equal(
        inferred, HillasTransformer(camera, features="all").transform(images)
    )
    assert np.isfinite(inferred).any()


@pytest.mark.parametrize(
    ("n_pixels", "message"),
    [
        (169, "a square and a hexagonal camera have 169 pixels"),
        (1, "a square and a hexagonal camera have 1 pixels"),
        (1440, "no square or hexagonal camera has 1440 pixels"),
        (2, "no square or hexagonal camera has 2 pixels"),
    ],
)
def test_not_inferred(n_pixels, message):
    with pytest.raises(ValueError, match=rf"geometry must be given: {message}.*\.from_npz\(path\)"):
        HillasTransformer().transform(np.ones((2, n_pixels)))


def test_copies_cannot_be_written_to():
    """Tables are cached for a camera: it must not change."""
    camera = CameraGeometry.hexagonal(2, focal_length=2.0)
    copies = (
        pickle.loads(pickle.dumps(camera)),
        copy.deepcopy(camera),
        camera.in_telescope_frame(),
    )
    for same in (camera, *copies):
        for array in (value for value in vars(same).values() if isinstance(value, np.ndarray)):
            assert not array.flags.writeable
