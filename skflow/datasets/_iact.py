"""Loaders of camera images: real FACT events, and simulations of FACT, LST and NectarCam."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.utils import Bunch

from ..hillas import CameraGeometry
from ..hillas._pixels import read_npz


class ImageSet(NamedTuple):
    """A file of images, the columns that name its showers, and what it holds."""

    file: str
    shower: tuple[str, ...]
    text: str


CTA_SHOWER = ("source_file", "event_id")
IMAGE_SETS = {
    "fact": ImageSet(
        "fact_images.npz",
        ("event",),
        "100 events that FACT recorded on 19 January 2017: 86 physics triggers (code 4), 10 "
        "pedestals (1024) and 4 of code 2. Photons of the best 10 ns. "
        "fact-project/photon_stream, MIT.",
    ),
    "fact_gamma": ImageSet(
        "fact_mc_gamma_images.npz",
        (),
        "61 simulated gammas in FACT, with night sky. fact-project/photon_stream, MIT.",
    ),
    "fact_muon": ImageSet(
        "fact_mc_muon_images.npz",
        ("sim_id",),
        "100 simulated muons in FACT, with night sky. fact-project/muons, MIT.",
    ),
    "lst": ImageSet(
        "cta_LSTCam_gamma_images.npz",
        CTA_SHOWER,
        "14 images of simulated gammas in CTA's LSTs, p.e. cta-observatory/pyeventio, MIT.",
    ),
    "lst_prod6": ImageSet(
        "cta_LSTcam_prod6_images.npz",
        CTA_SHOWER,
        "8 images of simulated gammas and a muon in CTA's LSTs (Prod6), p.e. "
        "cta-observatory/pyeventio, MIT.",
    ),
    "nectarcam": ImageSet(
        "cta_NectarCam_images.npz",
        CTA_SHOWER,
        "20 images of simulated gammas in CTA's NectarCam, p.e. cta-observatory/pyeventio, MIT.",
    ),
}
#: Arrays of an image file that describe the camera, one entry a pixel or a neighbour.
CAMERA = ("pix_x", "pix_y", "pix_area", "neighbor_indices", "neighbor_indptr")


def fetch_camera_images(name: str, *, focal_length: str = "effective") -> Bunch:
    """Fetch camera images of air showers, their camera and what is known of each event.

    Read from the folder ``iact`` under the folder named by the environment variable
    ``SKFLOW_DATA``. There is no download.

    Parameters
    ----------
    name : {"fact", "fact_gamma", "fact_muon", "lst", "lst_prod6", "nectarcam"}
        Which images: real FACT events, simulated gammas or muons in FACT, simulated gammas in
        the LST or NectarCam of CTA.
    focal_length : {"effective", "nominal"}, default="effective"
        Which focal length the geometry gets, as in `CameraGeometry.from_npz`. FACT's files only
        have the nominal one.

    Returns
    -------
    images : sklearn.utils.Bunch
        ``images`` (n_events, n_pixels), photons (int16) of FACT, p.e. (float32) of CTA;
        ``peak_time`` (n_events, n_pixels) float32 in ns, NaN where FACT's pixel has no photon;
        ``geometry``, a `CameraGeometry`; ``groups`` (n_events,), the name of each image's shower:
        telescopes that saw one event share it, and so do events that reuse one simulated shower,
        also across names; ``columns``, a dictionary of all else the file has for each event, by
        its names there; ``source``; ``DESCR``.

    Raises
    ------
    OSError
        If the file is not there.
    ValueError
        If `name` or `focal_length` is none of its values, or the file is cut short or is not one
        of camera images.

    Notes
    -----
    CTA's simulations number events as 100 x shower + reuse, so events 100 and 104 of one file are
    the same shower seen from elsewhere. Split with scikit-learn's ``GroupKFold`` by ``groups``, or
    near copies of test images end up in training.

    Examples
    --------
    Two telescopes saw each shower, here simulated. The two images stay on one side of a split:

    >>> import numpy as np
    >>> from sklearn.model_selection import GroupKFold
    >>> from skflow.datasets import make_shower_images
    >>> X = make_shower_images(8, random_state=0)
    >>> groups = np.repeat(["shower 1", "shower 2", "shower 3", "shower 4"], 2)
    >>> for train, test in GroupKFold(n_splits=2).split(X, groups=groups):
    ...     print(sorted(set(groups[train]) & set(groups[test])))
    []
    []

    With the files it is ``groups = fetch_camera_images("lst").groups``.
    """
    if name not in IMAGE_SETS:
        raise ValueError(f"name must be one of {', '.join(IMAGE_SETS)}; got {name!r}")
    chosen = IMAGE_SETS[name]
    path, found = read_data_file(chosen.file, ("images", "peak_time_ns", *chosen.shower))
    geometry = CameraGeometry.from_npz(path, focal_length=focal_length)
    images, peak_time = found.pop("images"), found.pop("peak_time_ns")
    n_events = len(images) if images.ndim else 0
    for label, array in (("images", images), ("peak_time_ns", peak_time)):
        if array.shape != (n_events, geometry.n_pixels):
            raise ValueError(
                f"{path} must have {label} of shape ({n_events or 'n_events'}, "
                f"{geometry.n_pixels}), events and pixels; got {array.shape}"
            )
    columns = {label: array for label, array in found.items() if array.ndim and label not in CAMERA}
    for label, column in columns.items():
        if len(column) != n_events:
            raise ValueError(
                f"{path} must have {label} for each of its {n_events} images; got {len(column)}"
            )
    return Bunch(
        images=images,
        peak_time=peak_time,
        geometry=geometry,
        groups=_shower_names(name, columns, n_events),
        columns=columns,
        source=str(path),
        DESCR=chosen.text,
    )


def _shower_names(name: str, columns: dict[str, np.ndarray], n_events: int) -> np.ndarray:
    """Name of the shower that each image shows."""
    if "source_file" in columns:
        # CTA's files keep their name, which tells them apart wherever they turn up.
        pairs = zip(columns["source_file"], columns["event_id"] // 100, strict=True)
        return np.array([f"{file} {shower}" for file, shower in pairs])
    # A FACT simulation is run, event and reuse; a shower is run and event.
    ids = columns["sim_id"][:, :2] if "sim_id" in columns else columns.get("event")
    ids = np.arange(n_events) if ids is None else ids
    return np.array([" ".join([name, *map(str, row)]) for row in ids.reshape(n_events, -1)])


def read_data_file(file: str, needed: tuple[str, ...]) -> tuple[Path, dict[str, np.ndarray]]:
    """Read a file of the data folder, in full, and check that it has what is needed."""
    folder = os.environ.get("SKFLOW_DATA")
    path = Path(folder or "", "iact", file)
    if not folder or not path.is_file():
        raise FileNotFoundError(
            f"{file} must be at iact/{file} under the folder that SKFLOW_DATA names; got "
            + (f"SKFLOW_DATA={folder}, which has none" if folder else "no SKFLOW_DATA")
        )
    found = read_npz(path, "a whole .npz")
    missing = [name for name in needed if name not in found]
    if missing:
        raise ValueError(f"{path} is not the file it should be: it has no {', '.join(missing)}")
    return path, found
