"""Cameras from .npz files."""

import pickle

import numpy as np
import pytest

from skflow.hillas import CameraGeometry


def camera_file(**changes) -> dict[str, np.ndarray]:
    """Arrays of a camera file; those that are changed to None are left out."""
    camera = CameraGeometry.hexagonal(2)
    arrays = {
        "pix_x": camera.pix_x,
        "pix_y": camera.pix_y,
        "pix_area": camera.pix_area,
        "pix_type": "hexagon",
        "neighbor_indptr": camera.neighbor_indptr,
        "neighbor_indices": camera.neighbor_indices,
        "images": np.ones((4, camera.n_pixels)),
        "focal_length_m": 28.0,
        "effective_focal_length_m": 29.3,
        "pix_rotation_deg": 100.9,
        "camera": "LSTCam",
    } | changes
    return {name: np.asarray(array) for name, array in arrays.items() if array is not None}


def test_from_npz(tmp_path):
    path = tmp_path / "camera.npz"
    np.savez_compressed(path, **camera_file())
    camera = CameraGeometry.from_npz(path)
    assert camera.focal_length == 29.3
    assert camera.pix_rotation == 100.9
    assert camera.name == "LSTCam"
    nominal = CameraGeometry.from_npz(str(path), focal_length="nominal")
    assert nominal.focal_length == 28.0
    ours = CameraGeometry.hexagonal(2)
    np.testing.assert_array_equal(camera.pix_x, ours.pix_x)
    np.testing.assert_array_equal(camera.neighbor_indptr, ours.neighbor_indptr)
    np.testing.assert_array_equal(camera.neighbor_indices, ours.neighbor_indices)
    # The two differ by what they make of a metre.
    angle, smaller = (each.in_telescope_frame().pix_x for each in (nominal, camera))
    np.testing.assert_allclose(angle * 28 / 29.3, smaller)


def test_from_npz_without_what_it_can_do_without(tmp_path):
    path = tmp_path / "camera.npz"
    optional = ("effective_focal_length_m", "pix_rotation_deg", "camera", "images")
    np.savez(path, **camera_file(**dict.fromkeys(optional)))
    camera = CameraGeometry.from_npz(path)
    # The nominal focal length is not taken in place of the effective one.
    assert not camera.has_focal_length
    assert (camera.name, camera.pix_rotation) == ("camera", 0.0)
    with pytest.raises(
        ValueError, match=r"'camera', 19 pixels.*read it with focal_length='nominal'"
    ):
        camera.in_telescope_frame()
    assert CameraGeometry.from_npz(path, focal_length="nominal").focal_length == 28.0


def test_from_npz_names_missing_keys(tmp_path):
    path = tmp_path / "camera.npz"
    np.savez(path, **camera_file(pix_area=None, neighbor_indptr=None))
    with pytest.raises(ValueError, match=r"camera\.npz.*it has no pix_area, neighbor_indptr$"):
        CameraGeometry.from_npz(path)
    with pytest.raises(ValueError, match="must be 'effective' or 'nominal'; got 'equivalent'"):
        CameraGeometry.from_npz(path, focal_length="equivalent")


def test_from_npz_of_broken_files(tmp_path):
    path = tmp_path / "camera.npz"
    refused = pytest.raises(
        ValueError, match=r"camera\.npz must be an \.npz of a camera; it cannot"
    )
    np.savez_compressed(path, **camera_file())
    whole = path.read_bytes()
    middle = len(whole) // 4
    spoilt = whole[:middle] + bytes(byte ^ 255 for byte in whole[middle : middle + 40])
    for content in (
        whole[: len(whole) // 2],
        whole[:-30],
        spoilt + whole[middle + 40 :],
        b"",
        b"pix_x,pix_y\n0,0\n",
        pickle.dumps({"pix_x": [0, 1]}),
    ):
        path.write_bytes(content)
        with refused:
            CameraGeometry.from_npz(path)
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with refused:
        CameraGeometry.from_npz(path)
    np.savez(path, **camera_file(camera=np.array([{}], dtype=object)))
    with refused:
        CameraGeometry.from_npz(path)
    path.unlink()
    path.mkdir()
    with refused:
        CameraGeometry.from_npz(path)
    with pytest.raises(FileNotFoundError):
        CameraGeometry.from_npz(tmp_path / "nowhere.npz")
