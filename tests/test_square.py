"""HexToSquare keeps charge and place."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from skflow import MahalanobisDetector
from skflow.datasets import make_shower_images
from skflow.hillas import CameraGeometry, HillasTransformer
from skflow.images import HexToSquare


class OneRow(HexToSquare):
    """For any number of columns, as scikit-learn's checks make them: a camera of one row."""

    def _default_geometry(self, n_pixels):
        return CameraGeometry.from_arrays(np.arange(n_pixels), np.zeros(n_pixels))


@parametrize_with_checks([OneRow()])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


CAMERAS = [
    CameraGeometry.hexagonal(8),
    CameraGeometry.square(12),
    CameraGeometry.from_arrays(*np.random.RandomState(0).normal(size=(2, 30)), shape="circle"),
]


@pytest.mark.parametrize("camera", CAMERAS, ids=lambda camera: camera.shape)
@pytest.mark.parametrize("size", [None, 5, 40])
def test_charge_and_place(camera, size):
    images = np.random.RandomState(1).exponential(size=(20, camera.n_pixels))
    square = HexToSquare(camera, size=size).fit(images)
    out = square.transform(images).reshape(20, *square.image_shape_)
    np.testing.assert_allclose(out.sum(axis=(1, 2)), images.sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(np.asarray(square.weights_.sum(axis=1)), 1)
    centres = [(e[1:] + e[:-1]) / 2 for e in (square.edges_x_, square.edges_y_)]
    width = np.diff(square.edges_x_)[0]
    for axis, (pixels, squares) in enumerate(
        zip((camera.pix_x, camera.pix_y), centres, strict=True)
    ):
        expected = images @ pixels / images.sum(axis=1)
        found = out.sum(axis=1 + axis) @ squares / images.sum(axis=1)
        assert np.abs(found - expected).max() < 0.5 * width


def test_a_square_camera_is_itself():
    camera = CameraGeometry.square(10)
    images = np.random.RandomState(0).normal(size=(5, 100))
    square = HexToSquare().fit(images)
    assert square.image_shape_ == (10, 10)
    order = np.lexsort((camera.pix_x, camera.pix_y))
    np.testing.assert_allclose(square.transform(images), images[:, order], atol=1e-12)
    assert list(square.get_feature_names_out()[[0, 10]]) == ["square_0_0", "square_1_0"]


def test_one_pixel_falls_where_it_is():
    camera = CameraGeometry.hexagonal(5)
    for pixel in (0, 17, 60):
        image = np.zeros((1, camera.n_pixels))
        image[0, pixel] = 1
        square = HexToSquare(camera, size=31).fit(image)
        out = square.transform(image).reshape(square.image_shape_)
        rows, columns = np.nonzero(out)
        x, y = square.edges_x_, square.edges_y_
        half = 0.75 * camera.pixel_width[pixel]
        assert x[columns].min() > camera.pix_x[pixel] - half - np.diff(x)[0]
        assert x[columns + 1].max() < camera.pix_x[pixel] + half + np.diff(x)[0]
        assert y[rows].min() > camera.pix_y[pixel] - half - np.diff(y)[0]
        assert y[rows + 1].max() < camera.pix_y[pixel] + half + np.diff(y)[0]
        # A hexagon covers three quarters of its bounding box or a little more.
        area = np.count_nonzero(out) * np.diff(x)[0] * np.diff(y)[0]
        assert area > camera.pixel_width[pixel] ** 2 * np.sqrt(3) / 2 * 0.95


def test_hillas_parameters_survive():
    """Length, width and angle of the squares are those of the pixels."""
    camera = CameraGeometry.hexagonal(14)
    images = make_shower_images(60, camera, size=(2000.0, 10_000.0), night_sky=0.0, random_state=0)
    square = HexToSquare(camera, size=60).fit(images)
    centres = (square.edges_x_[1:] + square.edges_x_[:-1]) / 2
    x, y = np.meshgrid(centres, (square.edges_y_[1:] + square.edges_y_[:-1]) / 2)
    area = np.diff(square.edges_x_)[0] ** 2
    grid = CameraGeometry.from_arrays(x.ravel(), y.ravel(), area, shape="square")
    names = ["camera_frame_hillas_x", "camera_frame_hillas_y", "camera_frame_hillas_length"]
    arguments = {"cleaning": None, "features": names}
    expected = HillasTransformer(camera, **arguments).transform(images)
    found = HillasTransformer(grid, **arguments).transform(square.transform(images))
    whole = np.isfinite(expected).all(axis=1)
    assert whole.sum() > 50
    np.testing.assert_allclose(found[whole, :2], expected[whole, :2], atol=0.002)
    # Spread over its area a pixel adds its own second moment to the image's.
    assert (found[whole, 2] >= expected[whole, 2] * 0.999).all()
    np.testing.assert_allclose(found[whole, 2], expected[whole, 2], rtol=0.05)


def test_nan_dtype_and_pipeline():
    camera = CameraGeometry.hexagonal(4)
    images = np.random.RandomState(0).exponential(size=(200, camera.n_pixels))
    images[0, 3] = np.nan
    square = HexToSquare(camera, size=4).fit(images)
    assert square.transform(images.astype(np.float32)).dtype == np.float32
    assert square.transform(images)[0].sum() == pytest.approx(np.nansum(images[0]))
    pipeline = make_pipeline(square, MahalanobisDetector()).fit(images)
    assert np.isfinite(pipeline.score_samples(images)).all()
    with pytest.raises(ValueError, match="a column for each of 61 pixels; got 60"):
        HexToSquare(camera).fit(images[:, :-1])
    with pytest.raises(ValueError, match="geometry must be given"):
        HexToSquare().fit(np.ones((2, 12)))
    images[1, 1] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        square.transform(images)
