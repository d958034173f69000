"""read_dl1: images, parameters and truth of ctapipe's DL1 HDF5 files."""

import os
from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from .._hdf5 import column_attribute, get_table, read_table, reading
from ..hillas import CameraGeometry
from ._ctapipe import KINDS, POSITIONS, check_focal_length, make_geometry
from ._joins import EVENT, KEYS, joined, match, number_rows, stack

KIND = "a DL1 HDF5 file of ctapipe"
LAYOUT = "configuration/instrument/subarray/layout"
OPTICS = "configuration/instrument/telescope/optics"
CAMERA = "configuration/instrument/telescope/camera/geometry_{}"
SHOWER = "simulation/event/subarray/shower"
IMAGE_COLUMNS = ("image", "peak_time", "image_mask")
#: What tells one simulated shower from another; its place on the ground does not.
SHOWER_COLUMNS = ("true_energy", "true_alt", "true_az", "true_h_first_int", "true_x_max")
METRES = {"m": 1.0, "cm": 1e-2, "mm": 1e-3, "m**2": 1.0, "m2": 1.0, "cm**2": 1e-4, "cm2": 1e-4}


def read_dl1(
    path: str | os.PathLike[str], *, focal_length: str = "effective", images: bool = True
) -> list[Bunch]:
    """Read events of ctapipe's DL1 HDF5 files, one Bunch for each type of telescope.

    Parameters
    ----------
    path : path-like
        A file that ``ctapipe-process`` or ``ctapipe-merge`` wrote, with images, image parameters
        or both.
    focal_length : {"effective", "nominal"}, default="effective"
        Which focal length the geometries get. ctapipe calls the nominal one equivalent.
    images : bool, default=True
        Whether to read images, arrival times, masks and true images, which need the memory.

    Returns
    -------
    types : list of sklearn.utils.Bunch
        One for each pair of camera and optics that has events, in the order of the array's
        layout. Rows go telescope by telescope, each in the order of the file. What a file does
        not have is None; a value that only some rows have is NaN (False in a mask) in the others.

        - ``name``: description of the telescopes; two types may share it.
        - ``tel_ids``: list of the telescopes with events.
        - ``geometry``: `skflow.hillas.CameraGeometry`, its focal length NaN where the file has
          none of the kind asked for.
        - ``images``, ``peak_time``: (n_events, n_pixels) charges (photoelectrons) and arrival
          times (ns), float32 as a rule; side by side, what `HillasTransformer` takes with
          ``timing=True``.
        - ``image_mask``: (n_events, n_pixels) bool, the pixels that ctapipe's cleaning kept.
        - ``obs_id``, ``event_id``, ``tel_id``: (n_events,) integers.
        - ``groups``: (n_events,) integers, one for each shower, the same across types. Events of
          one array event share a group; so do those of one simulated shower that was used
          several times, known by equal energy, direction, height of first interaction and
          maximum. For ``GroupKFold``.
        - ``parameters``: dict of names and (n_events,) arrays, as ctapipe's columns.
        - ``truth``: dict of names and arrays, of the simulated shower (``true_energy``, ...,
          ``true_shower_primary_id``), the impact distance and ``true_image`` (n_events, n_pixels).
        - ``pointing``: dict of ``altitude`` and ``azimuth``, (n_events,), in degrees, where they
          are fixed for the run.
        - ``units``: dict of units of parameters and truth, as ctapipe writes them.

    Raises
    ------
    ImportError
        If h5py is not installed, or hdf5plugin for a file whose compression h5py lacks.
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is another one, cut short or damaged, lacks a table that is needed, has
        images of more than one channel or of another camera, or `focal_length` is neither.

    See Also
    --------
    write_scores : The way back.

    Notes
    -----
    `parameters` in degrees hold the focal length that ctapipe was run with, which the file does
    not tell. Those that `HillasTransformer` computes hold that of `geometry`; where the two differ
    by the same few per cent everywhere, this is why.

    References
    ----------
    .. [1] ctapipe documentation, "Data Models".

    Examples
    --------
    A file of one event, written by hand:

    >>> import h5py, tempfile
    >>> import numpy as np
    >>> from skflow.interop import read_dl1
    >>> telescopes = np.array([(1, 0, 0)], [("tel_id", int), ("camera_index", int),
    ...                                     ("optics_index", int)])
    >>> lengths = [("effective_focal_length", float), ("equivalent_focal_length", float)]
    >>> pixels = np.array([(0.0, 0.0, 0.01), (0.1, 0.0, 0.01)],
    ...                   [("pix_x", float), ("pix_y", float), ("pix_area", float)])
    >>> image = [("obs_id", int), ("event_id", int), ("tel_id", int), ("image", float, (2,))]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with h5py.File(folder + "/gamma.dl1.h5", "w") as file:
    ...         instrument = file.create_group("configuration/instrument")
    ...         instrument["subarray/layout"] = telescopes
    ...         instrument["telescope/optics"] = np.array([(5.1, 5.0)], lengths)
    ...         instrument["telescope/camera/geometry_0"] = pixels
    ...         instrument["telescope/camera/geometry_0"].attrs["PIX_TYPE"] = "square"
    ...         file["dl1/event/telescope/images/tel_001"] = np.array(
    ...             [(7, 100, 1, (30.0, 2.0))], image)
    ...     (telescope,) = read_dl1(folder + "/gamma.dl1.h5")
    >>> telescope.images
    array([[30.,  2.]])
    >>> telescope.geometry
    CameraGeometry('camera', 2 pixels of shape 'square', focal length 5.1 m)
    """
    check_focal_length(focal_length)
    with reading(path, KIND) as file:
        try:
            types = _read_types(file, focal_length, images)
        except ValueError as error:
            raise ValueError(f"{path} must be {KIND}: {error}") from error
    return types


def _read_types(file: Any, focal_length: str, images: bool) -> list[Bunch]:
    """Read all types of telescopes of an open file."""
    layout = _read(file, LAYOUT, ("tel_id", "camera_index", "optics_index"))
    lengths = _read(file, OPTICS, KINDS.values())[KINDS[focal_length]]
    showers = _read(file, SHOWER, EVENT, optional=True)
    pairs = np.c_[layout["camera_index"], layout["optics_index"]]
    if not np.isin(pairs[:, 1], np.arange(len(lengths))).all():
        raise ValueError(f"{LAYOUT} must name optics that are in {OPTICS}; it names others")
    types = []
    for camera, optic in dict.fromkeys(map(tuple, pairs.tolist())):
        rows = np.flatnonzero((pairs == (camera, optic)).all(axis=1))
        geometry = _read_geometry(file, camera, float(lengths[optic]))
        found = {
            int(tel_id): part
            for tel_id in layout["tel_id"][rows]
            if (part := _read_telescope(file, tel_id, images, showers))
        }
        if not found:
            continue
        columns = {
            kind: stack([part[kind] for part in found.values()], list(found.values()))
            for kind in ("ids", "images", "parameters", "truth", "pointing")
        }
        bunch = Bunch(
            name=str(layout["tel_description"][rows[0]])
            if "tel_description" in layout
            else geometry.name,
            tel_ids=list(found),
            geometry=geometry,
            images=columns["images"].get("image"),
            peak_time=columns["images"].get("peak_time"),
            image_mask=columns["images"].get("image_mask"),
            **columns["ids"],
            parameters=columns["parameters"] or None,
            truth=columns["truth"] or None,
            pointing=columns["pointing"] or None,
            units={key: unit for part in found.values() for key, unit in part["units"].items()},
        )
        shape = np.shape(bunch.images if bunch.images is not None else np.empty((0, 0)))
        if len(shape) != 2 or shape[1] not in (0, geometry.n_pixels):
            raise ValueError(
                f"images of telescope {bunch.tel_ids[0]} must have one value for each of the "
                f"{geometry.n_pixels} pixels, as after gain selection; got shape {shape[1:]}"
            )
        types.append(bunch)
    if not types:
        raise ValueError(
            "it must have dl1/event/telescope/images or dl1/event/telescope/parameters of at "
            "least one telescope of its layout; it has neither"
        )
    _add_groups(types, showers)
    return types


def _read_geometry(file: Any, camera: Any, focal_length: float) -> CameraGeometry:
    """Read the geometry of one camera."""
    path = CAMERA.format(camera)
    pixels = _read(file, path, POSITIONS)
    table = file[path]
    units = _units(file, path)
    if not set(units.values()) <= set(METRES):
        raise ValueError(f"{path} must be in metres; got {', '.join(units.values())}")
    x, y, area = (pixels[name] * METRES[units.get(name, "m")] for name in POSITIONS)
    pix_type, name = (
        value.decode() if isinstance(value, bytes) else str(value)
        for value in (table.attrs.get("PIX_TYPE", ""), table.attrs.get("CAM_ID", "camera"))
    )
    return make_geometry(
        x,
        y,
        area,
        pix_type=pix_type,
        pix_rotation=float(table.attrs.get("PIX_ROT", 0.0)),
        cam_rotation=float(table.attrs.get("CAM_ROT", 0.0)),
        focal_length=focal_length,
        name=name,
    )


def _read_telescope(file: Any, tel_id: int, images: bool, showers: Any) -> dict[str, Any]:
    """Read the rows of one telescope; empty where it has none."""
    name = f"tel_{tel_id:03d}"
    path = f"dl1/event/telescope/{{}}/{name}"
    wanted = (*KEYS, *IMAGE_COLUMNS) if images else KEYS
    image = _read(file, path.format("images"), KEYS, wanted, optional=True)
    parameters = _read(file, path.format("parameters"), KEYS, optional=True)
    first = image or parameters
    if not first or not len(first["event_id"]):
        return {}
    ids = {key: first[key] for key in KEYS}
    units = _units(file, path.format("parameters")) | _units(file, SHOWER)
    truth = joined(ids, showers, EVENT, SHOWER)
    for kind in ("impact", "images") if images else ("impact",):
        place = f"simulation/event/telescope/{kind}/{name}"
        truth |= joined(ids, _read(file, place, KEYS, optional=True), KEYS, place)
        units |= _units(file, place)
    place = f"configuration/telescope/pointing/{name}"
    found = _read(file, place, ("obs_id",), optional=True)
    found = joined(ids, found, ("obs_id",), place)
    turn = {"rad": 180 / np.pi}
    pointing = {
        key.removeprefix("telescope_pointing_"): value
        * turn.get(column_attribute(file[place], key, "UNIT"), 1.0)
        for key, value in found.items()
        if key.startswith("telescope_pointing_")
    }
    return {
        "ids": ids,
        "images": {key: value for key, value in image.items() if key in IMAGE_COLUMNS},
        "parameters": joined(ids, parameters, KEYS, path.format("parameters")),
        "truth": truth,
        "pointing": pointing,
        "units": units,
    }


def _read(
    file: Any, path: str, needs: Iterable[str], columns: Any = None, optional: bool = False
) -> dict[str, np.ndarray]:
    """Read columns of a table that must have some; nothing where an optional one is not there."""
    table = get_table(file, path)
    if table is None and optional:
        return {}
    missing = [name for name in needs if table is None or name not in table.dtype.names]
    if missing:
        raise ValueError(f"it must have the table {path} with {', '.join(missing)}; it has not")
    return read_table(table, columns)


def _units(file: Any, path: str) -> dict[str, str]:
    """Units of a table's columns."""
    table = get_table(file, path)
    names = () if table is None else table.dtype.names
    units = {name: column_attribute(table, name, "UNIT") for name in names}
    return {name: unit for name, unit in units.items() if unit}


def _add_groups(types: list[Bunch], showers: dict[str, np.ndarray]) -> None:
    """Number the showers across types."""
    obs_id, event_id = (np.concatenate([each[key] for each in types]) for key in EVENT)
    shower = np.full(len(obs_id), -1)
    if all(name in showers for name in SHOWER_COLUMNS):
        row = match([obs_id, event_id], [showers[key] for key in EVENT], SHOWER)
        known = row >= 0
        number = number_rows([showers[name] for name in ("obs_id", *SHOWER_COLUMNS)])
        shower[known] = number[row[known]]
        event_id = np.where(known, 0, event_id)
    groups = number_rows([obs_id, event_id, shower])
    ends = np.cumsum([len(each.tel_id) for each in types])[:-1]
    for each, part in zip(types, np.split(groups, ends), strict=True):
        each.groups = part
