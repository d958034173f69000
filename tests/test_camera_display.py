"""Camera images are drawn where the pixels are, with the ellipse of their Hillas parameters."""

import importlib
import sys

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import LogNorm, to_rgba

import skflow.inspection
from skflow.hillas import CameraGeometry
from skflow.hillas._polygons import pixel_corners
from skflow.inspection import CameraImageDisplay, plot_camera_images

matplotlib.use("Agg")
import matplotlib.pyplot as plt

CAMERA = CameraGeometry.hexagonal(4, focal_length=5.0)
IMAGE = np.arange(61.0)
MASK = np.arange(61) < 7
HILLAS = {
    "camera_frame_hillas_x": 0.05,
    "camera_frame_hillas_y": -0.02,
    "camera_frame_hillas_length": 0.06,
    "camera_frame_hillas_width": 0.03,
    "camera_frame_hillas_psi": 30.0,
    "camera_frame_hillas_r": 0.5,
}


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize("frame", ["camera", "telescope"])
@pytest.mark.parametrize("name", ["fact", "cta_LSTCam_gamma"])
def test_reference_ellipses_lie_on_the_drawn_showers(data_folder, name, frame):
    """Centre, angle and size are the moments of the drawn pixels that survive cleaning."""
    path = data_folder / "iact" / f"{name}_images.npz"
    camera = CameraGeometry.from_npz(path, focal_length="nominal")
    with np.load(path) as file, np.load(path.parent / "golden" / f"{name}_golden.npz") as golden:
        images, hillas = file["images"], dict(zip(golden["names"], golden["X"].T, strict=True))
        masks = np.unpackbits(golden["mask"], axis=1, count=camera.n_pixels).astype(bool)
    event = int(np.nanargmax(hillas["hillas_intensity"]))
    row = {name: values[event] for name, values in hillas.items()}
    display = CameraImageDisplay.from_image(
        camera, images[event], mask=masks[event], hillas=row, frame=frame
    )
    paths = display.pixels_.get_paths()
    centres = np.array([path.vertices[:6].mean(axis=0) for path in paths])[masks[event]]
    weights = images[event][masks[event]]
    ellipse = display.ellipse_
    np.testing.assert_allclose(ellipse.center, np.average(centres, axis=0, weights=weights))
    variance, axes = np.linalg.eigh(np.cov(centres.T, aweights=weights, ddof=0))
    spread = np.sqrt(variance[::-1])
    np.testing.assert_allclose((ellipse.width / 2, ellipse.height / 2), spread, rtol=1e-2)
    angle = np.radians(ellipse.angle)
    np.testing.assert_allclose(abs(axes[:, 1] @ [np.cos(angle), np.sin(angle)]), 1.0, rtol=1e-6)


def test_artists():
    display = CameraImageDisplay.from_image(
        CAMERA, IMAGE, mask=MASK, hillas=HILLAS, source=(0.1, 0.2), title="score 3.1"
    )
    np.testing.assert_array_equal(display.pixels_.get_array(), IMAGE)
    vertices = np.array([path.vertices[:6] for path in display.pixels_.get_paths()])
    np.testing.assert_allclose(vertices, pixel_corners(CAMERA))
    assert len(display.outline_.get_segments()) == 18
    ellipse = display.ellipse_
    assert ellipse.center == (0.05, -0.02)
    assert (ellipse.width, ellipse.height, ellipse.angle) == (0.12, 0.06, 30.0)
    assert display.axis_.get_xy1() == (0.05, -0.02)
    direction = np.subtract(display.axis_.get_xy2(), display.axis_.get_xy1())
    np.testing.assert_allclose(direction, [np.sqrt(0.75), 0.5])
    np.testing.assert_array_equal(display.source_.get_xydata(), [[0.1, 0.2]])
    assert display.colorbar_.ax.get_ylabel() == "charge (p.e.)"
    ax = display.ax_
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("x (m)", "y (m)", "score 3.1")
    assert ax.get_aspect() == 1
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    assert left < vertices[..., 0].min() < vertices[..., 0].max() < right
    assert bottom < vertices[..., 1].min() < vertices[..., 1].max() < top
    display.figure_.canvas.draw()


def test_nothing_but_the_image():
    figure, ax = plt.subplots()
    display = CameraImageDisplay(CAMERA, IMAGE)
    assert display.plot(ax, colorbar_label=None) is display
    assert display.ax_ is ax
    assert display.figure_ is figure
    optional = (display.outline_, display.ellipse_, display.axis_, display.source_)
    assert optional == (None,) * 4
    assert display.colorbar_ is None
    assert figure.axes == [ax]
    assert not ax.child_axes


def test_plot_options():
    display = CameraImageDisplay(CAMERA, IMAGE, hillas=pd.Series(HILLAS))
    display.plot(cmap="magma", norm=LogNorm(1, 50), ellipse_scale=2.0, colorbar_label="photons")
    assert display.pixels_.get_cmap().name == "magma"
    assert display.pixels_.get_clim() == (1, 50)
    assert (display.ellipse_.width, display.ellipse_.height) == (0.24, 0.12)
    assert display.colorbar_.ax.get_ylabel() == "photons"


def test_telescope_frame():
    hillas = {"fov_lon": 0.1, "fov_lat": 0.2, "length": 0.3, "width": 0.15, "psi": 60.0}
    hillas = {f"hillas_{name}": value for name, value in hillas.items()}
    display = CameraImageDisplay.from_image(CAMERA, IMAGE, hillas=hillas, frame="telescope")
    centre = display.pixels_.get_paths()[5].vertices[:6].mean(axis=0)
    degrees = np.degrees([CAMERA.pix_y[5] / 5.0, CAMERA.pix_x[5] / 5.0])
    np.testing.assert_allclose(centre, degrees)
    assert display.ellipse_.center == (0.1, 0.2)
    assert display.ax_.get_xlabel() == "fov_lon (deg)"
    assert display.ax_.get_ylabel() == "fov_lat (deg)"


def test_source_outside_the_camera_is_in_view():
    display = CameraImageDisplay.from_image(CAMERA, IMAGE, source=(1.0, -2.0))
    assert display.ax_.get_xlim()[1] > 1.0
    assert display.ax_.get_ylim()[0] < -2.0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_pixels_are_grey(bad):
    image = IMAGE.copy()
    image[3] = bad
    display = CameraImageDisplay.from_image(CAMERA, image)
    display.figure_.canvas.draw()
    assert display.pixels_.get_clim() == (0.0, 60.0)
    np.testing.assert_allclose(display.pixels_.get_facecolor()[3], to_rgba("0.75"))
    CameraImageDisplay.from_image(CAMERA, np.full(61, bad)).figure_.canvas.draw()


def test_lost_event_has_no_ellipse():
    hillas = HILLAS | {"camera_frame_hillas_psi": np.nan}
    display = CameraImageDisplay.from_image(CAMERA, IMAGE, mask=np.zeros(61, bool), hillas=hillas)
    assert (display.ellipse_, display.axis_) == (None, None)
    assert len(display.outline_.get_segments()) == 0


@pytest.mark.parametrize("shape", ["square", "circle"])
def test_other_shapes(shape):
    camera = CameraGeometry.square(28)
    camera = CameraGeometry.from_arrays(camera.pix_x, camera.pix_y, shape=shape)
    image = np.arange(784).reshape(28, 28)
    display = CameraImageDisplay.from_image(camera, image, mask=image > 700)
    np.testing.assert_array_equal(display.pixels_.get_array(), image.ravel())
    display.figure_.canvas.draw()


def test_gallery():
    images = np.arange(5)[:, None] + np.arange(61.0)
    hillas = pd.DataFrame([HILLAS] * 5)
    hillas.loc[4] = np.nan
    figure = plot_camera_images(
        CAMERA,
        images,
        masks=images > 10,
        hillas=hillas,
        titles=[f"score {score}" for score in range(5)],
        source=(0, 0),
        n_columns=3,
    )
    axes = figure.axes
    assert [ax.get_title() for ax in axes] == [f"score {score}" for score in range(5)]
    assert [len(ax.patches) for ax in axes] == [1, 1, 1, 1, 0]
    assert [ax.collections[0].get_clim()[0] for ax in axes] == [0, 1, 2, 3, 4]
    assert [ax.get_xlabel() for ax in axes] == ["", "", "x (m)", "x (m)", "x (m)"]
    assert [ax.get_ylabel() for ax in axes] == ["y (m)", "", "", "y (m)", ""]
    labels = [ax.child_axes[0].get_ylabel() for ax in axes]
    assert labels == ["", "", "charge (p.e.)", "", "charge (p.e.)"]
    figure.canvas.draw()


def test_gallery_of_square_images_with_a_norm():
    images = 1.0 + np.arange(2 * 16).reshape(2, 4, 4)
    figure = plot_camera_images(
        CameraGeometry.square(4), images, norm=LogNorm(), colorbar_label=None
    )
    figure.canvas.draw()  # before, older matplotlib has no limits
    assert [ax.collections[0].get_clim() for ax in figure.axes] == [(1, 16), (17, 32)]
    assert not any(ax.child_axes for ax in figure.axes)


def without(name):
    return {key: value for key, value in HILLAS.items() if not key.endswith(name)}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image": IMAGE[:60]}, r"image must have one value for each of the 61 pixels.*\(60,\)"),
        ({"image": 3.0}, r"image must have one value.*got shape \(\)"),
        ({"image": IMAGE.reshape(1, 1, 61)}, r"image must have .*got shape \(1, 1, 61\)"),
        ({"mask": MASK[:5]}, r"mask must have one value for each of the 61 pixels.*\(5,\)"),
        ({"mask": IMAGE}, "mask must be boolean; got dtype float64"),
        ({"hillas": without("_psi")}, "in the camera frame.* has no camera_frame_hillas_psi"),
        ({"hillas": HILLAS, "frame": "telescope"}, "telescope frame.* has no hillas_fov_lon, "),
        ({"frame": "sky"}, "frame must be 'camera' or 'telescope'; got 'sky'"),
        ({"source": (1.0,)}, r"source must be two finite numbers; got \(1.0,\)"),
        ({"source": (1.0, np.nan)}, "source must be two finite numbers"),
        (
            {"geometry": CameraGeometry.hexagonal(4), "frame": "telescope"},
            "telescope frame needs a focal length",
        ),
    ],
)
def test_errors(options, message):
    with pytest.raises(ValueError, match=message):
        CameraImageDisplay(**{"geometry": CAMERA, "image": IMAGE, **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"images": []}, r"at least one image; got shape \(0,\)"),
        ({"images": 1.0}, r"at least one image; got shape \(\)"),
        ({"n_columns": 0}, "n_columns must be at least 1; got 0"),
        ({"masks": [MASK]}, "masks must have one entry per image, 2; got 1"),
        ({"titles": ["a"] * 3}, "titles must have one entry per image, 2; got 3"),
        (
            {"hillas": {name: [value] for name, value in HILLAS.items()}},
            "camera_frame_hillas_x must have one entry per image, 2; got 1",
        ),
        ({"hillas": {"size": [1, 2]}}, "it has no camera_frame_hillas_x, "),
        ({"frame": "sky"}, "frame must be 'camera' or 'telescope'"),
    ],
)
def test_gallery_errors(options, message):
    with pytest.raises(ValueError, match=message):
        plot_camera_images(CAMERA, **{"images": [IMAGE, IMAGE], **options})


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    display = CameraImageDisplay(CAMERA, IMAGE)
    with pytest.raises(ImportError, match=r"pip install skflow-detect\[plot\]"):
        display.plot()


def test_matplotlib_is_imported_late(monkeypatch):
    monkeypatch.setattr(skflow, "inspection", skflow.inspection)
    for name in [name for name in sys.modules if name.startswith("skflow.inspection")]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    assert importlib.import_module("skflow.inspection").CameraImageDisplay is not CameraImageDisplay
