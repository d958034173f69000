"""A small DL1 file in ctapipe's layout: three array events, three telescopes, two cameras."""

from pathlib import Path

import h5py
import numpy as np

from skflow.hillas import CameraGeometry

CAMERAS = (CameraGeometry.hexagonal(2), CameraGeometry.square(3, pixel_width=0.1))
#: Telescope 9 saw nothing.
LAYOUT = {"tel_id": [1, 2, 5, 9], "camera_index": [0, 0, 1, 1], "optics_index": [0, 0, 1, 1]}
#: 100 and 101 are one shower, used twice.
EVENTS = {1: [100, 101, 200], 2: [100, 200], 5: [101]}
SHOWERS = {
    "obs_id": [7, 7, 7],
    "event_id": [200, 101, 100],
    "true_energy": [2.0, 1.0, 1.0],
    "true_alt": [70.0, 70.0, 70.0],
    "true_az": [180.0, 180.0, 180.0],
    "true_core_x": [30.0, 20.0, 10.0],
    "true_h_first_int": [9e3, 8e3, 8e3],
    "true_x_max": [np.nan, 300.0, 300.0],
    "true_shower_primary_id": [101, 0, 0],
}


def table(**columns: object) -> np.ndarray:
    """A structured array of columns."""
    arrays = {name: np.asarray(values) for name, values in columns.items()}
    rows = np.zeros(
        len(next(iter(arrays.values()))),
        [(name, values.dtype, values.shape[1:]) for name, values in arrays.items()],
    )
    for name, values in arrays.items():
        rows[name] = values
    return rows


def image_of(tel_id: int, event_id: int, n_pixels: int) -> np.ndarray:
    """Charges that tell telescope, event and pixel."""
    return tel_id * 1e4 + event_id + np.arange(n_pixels) / 100


def write_dl1(path: Path, *, images: bool = True, parameters: bool = True) -> Path:
    """Write the file."""
    with h5py.File(path, "w") as file:
        names = {"tel_description": np.array([b"BIG", b"BIG", b"SMALL", b"SMALL"])}
        file["configuration/instrument/subarray/layout"] = table(**LAYOUT, **names)
        file["configuration/instrument/telescope/optics"] = table(
            effective_focal_length=[29.0, np.nan], equivalent_focal_length=[28.0, 2.0]
        )
        for number, camera in enumerate(CAMERAS):
            place = f"configuration/instrument/telescope/camera/geometry_{number}"
            pixels = {name: getattr(camera, name) for name in ("pix_x", "pix_y", "pix_area")}
            file[place] = table(**pixels)
            file[place].attrs["PIX_TYPE"] = camera.shape
            file[place].attrs["CAM_ID"] = np.bytes_(camera.name)
        ids = [(7, event, tel) for event in (100, 101, 200) for tel in (1, 2, 5)]
        ids = [each for each in ids if each[1] in EVENTS[each[2]]]
        keys = dict(zip(("obs_id", "event_id", "tel_id"), np.array(ids).T, strict=True))
        file["dl1/event/telescope/trigger"] = table(**keys)
        file["dl1/event/subarray/trigger"] = table(obs_id=[7] * 3, event_id=[100, 101, 200])
        file["simulation/event/subarray/shower"] = table(**SHOWERS)
        for tel_id, events in EVENTS.items():
            mine = {
                "obs_id": [7] * len(events),
                "event_id": events,
                "tel_id": [tel_id] * len(events),
            }
            n_pixels = CAMERAS[tel_id == 5].n_pixels
            image = np.array([image_of(tel_id, event, n_pixels) for event in events])
            if images:
                file[f"dl1/event/telescope/images/tel_{tel_id:03d}"] = table(
                    **mine, image=image, peak_time=image / 1e3, image_mask=image % 2 < 1
                )
            if parameters:
                file[f"dl1/event/telescope/parameters/tel_{tel_id:03d}"] = table(
                    **mine,
                    hillas_intensity=image.sum(axis=1),
                    morphology_n_pixels=[3] * len(events),
                )
    return path
