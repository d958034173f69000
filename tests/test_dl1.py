"""DL1 files: types of telescopes, groups, and files that cannot be read."""

import sys

import h5py
import numpy as np
import pytest
from dl1_file import CAMERAS, image_of, write_dl1
from sklearn.model_selection import GroupKFold

from skflow.interop import read_dl1


@pytest.fixture
def small(tmp_path):
    return write_dl1(tmp_path / "small.dl1.h5")


def test_types_rows_and_ids(small):
    big, little = read_dl1(small)
    assert (big.name, little.name) == ("BIG", "SMALL")
    assert (big.tel_ids, little.tel_ids) == ([1, 2], [5])
    assert big.tel_id.tolist() == [1, 1, 1, 2, 2]
    assert big.event_id.tolist() == [100, 101, 200, 100, 200]
    assert set(big.obs_id) == {7}
    for each, camera in zip((big, little), CAMERAS, strict=True):
        rows = zip(each.tel_id, each.event_id, strict=True)
        expected = [image_of(tel, event, camera.n_pixels) for tel, event in rows]
        np.testing.assert_array_equal(each.images, expected)
        np.testing.assert_array_equal(each.peak_time, np.array(expected) / 1e3)
        np.testing.assert_array_equal(each.image_mask, np.array(expected) % 2 < 1)
        np.testing.assert_array_equal(each.parameters["hillas_intensity"], np.sum(expected, axis=1))
        np.testing.assert_array_equal(each.geometry.pix_x, camera.pix_x)
        np.testing.assert_array_equal(each.geometry.neighbor_indices, camera.neighbor_indices)
        assert each.image_mask.dtype == bool
        assert each.pointing is None


def test_truth_is_joined_by_event(small):
    big, little = read_dl1(small)
    assert big.truth["true_core_x"].tolist() == [10, 20, 30, 10, 30]
    assert big.truth["true_shower_primary_id"].tolist() == [0, 0, 101, 0, 101]
    assert little.truth["true_core_x"].tolist() == [20]
    assert "true_image" not in big.truth


def test_groups_are_showers(small):
    """100 and 101 are one shower that fell on two places."""
    big, little = read_dl1(small)
    groups = np.r_[big.groups, little.groups]
    shower = np.r_[big.event_id, little.event_id] // 200
    assert len(set(zip(groups, shower, strict=True))) == len(set(groups)) == 2
    for train, test in GroupKFold(2).split(groups, groups=groups):
        assert not set(shower[train]) & set(shower[test])


def test_groups_without_truth_are_array_events(small):
    with h5py.File(small, "r+") as file:
        del file["simulation"]
    big, little = read_dl1(small)
    assert big.truth is None
    assert big.groups.tolist() == [0, 1, 2, 0, 2]
    assert little.groups.tolist() == [1]


def test_event_without_truth(small):
    """An observed event among simulated ones keeps its row and a group of its own."""
    with h5py.File(small, "r+") as file:
        showers = file["simulation/event/subarray/shower"][1:]
        del file["simulation/event/subarray/shower"]
        file["simulation/event/subarray/shower"] = showers
    big, _ = read_dl1(small)
    np.testing.assert_array_equal(big.truth["true_energy"], [1, 1, np.nan, 1, np.nan])
    np.testing.assert_array_equal(big.truth["true_shower_primary_id"], [0, 0, np.nan, 0, np.nan])
    assert big.groups[0] == big.groups[1] != big.groups[2] == big.groups[4]


def test_focal_lengths(small):
    assert [each.geometry.focal_length for each in read_dl1(small, focal_length="nominal")] == [
        28,
        2,
    ]
    big, little = read_dl1(small)
    assert big.geometry.focal_length == 29
    assert np.isnan(little.geometry.focal_length)
    with pytest.raises(ValueError, match="read it with focal_length='nominal'"):
        little.geometry.in_telescope_frame()
    with pytest.raises(ValueError, match="must be 'effective' or 'nominal'; got 'mean'"):
        read_dl1(small, focal_length="mean")


@pytest.mark.parametrize("images", [True, False])
def test_only_images_or_only_parameters(tmp_path, images):
    path = write_dl1(tmp_path / "part.h5", images=images, parameters=not images)
    big, _ = read_dl1(path)
    assert big.event_id.tolist() == [100, 101, 200, 100, 200]
    assert (big.images is not None) == (big.peak_time is not None) == images
    assert (big.parameters is not None) == (not images)


def test_images_left_out(small):
    big, _ = read_dl1(small, images=False)
    assert big.images is big.peak_time is big.image_mask is None
    assert big.parameters["hillas_intensity"].shape == (5,)


def test_telescope_without_what_others_have(small):
    """Its rows stay, filled with NaN and False."""
    with h5py.File(small, "r+") as file:
        del file["dl1/event/telescope/images/tel_002"]
        del file["dl1/event/telescope/parameters/tel_001"]
    big, _ = read_dl1(small)
    assert big.event_id.tolist() == [100, 101, 200, 100, 200]
    assert np.isfinite(big.images).all(axis=1).tolist() == [True, True, True, False, False]
    assert not big.image_mask[3:].any()
    assert big.image_mask.dtype == bool
    np.testing.assert_array_equal(
        big.parameters["morphology_n_pixels"], [np.nan, np.nan, np.nan, 3, 3]
    )


def test_camera_that_is_turned_and_in_centimetres(small):
    place = "configuration/instrument/telescope/camera/geometry_1"
    with h5py.File(small, "r+") as file:
        rows = file[place][:]
        rows["pix_x"] *= 100
        file[place][...] = rows
        file[place].attrs.update({"CTAFIELD_0_UNIT": np.bytes_("cm"), "CAM_ROT": 90.0})
    geometry = read_dl1(small)[1].geometry
    np.testing.assert_allclose(geometry.pix_x, CAMERAS[1].pix_y, atol=1e-15)
    np.testing.assert_allclose(geometry.pix_y, -CAMERAS[1].pix_x, atol=1e-15)
    assert geometry.pix_rotation == -90


def drop(place):
    def change(file):
        del file[place]

    return change


def put(place, column, value):
    def change(file):
        rows = file[place][:]
        rows[column] = value
        file[place][...] = rows

    return change


def replace(place, rows):
    def change(file):
        del file[place]
        file[place] = rows

    return change


IMAGES = "dl1/event/telescope/images/tel_001"
LAYOUT = "configuration/instrument/subarray/layout"
OPTICS = "configuration/instrument/telescope/optics"
CAMERA = "configuration/instrument/telescope/camera/geometry_0"
IDS = [("obs_id", int), ("event_id", int), ("tel_id", int)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop(LAYOUT), f"must have the table {LAYOUT} with tel_id, camera_index, optics_index; it"),
        (drop(OPTICS), f"must have the table {OPTICS} with effective_focal_length, equiv"),
        (drop(CAMERA), f"must have the table {CAMERA} with pix_x, pix_y, pix_area; it has not"),
        (put(LAYOUT, "optics_index", 7), f"{LAYOUT} must name optics that are in {OPTICS}"),
        (drop("dl1"), "must have dl1/event/telescope/images or dl1/.*/parameters of at least one"),
        (
            lambda file: file[CAMERA].attrs.update({"CTAFIELD_0_UNIT": np.bytes_("deg")}),
            f"{CAMERA} must be in metres; got deg",
        ),
        (
            lambda file: file[CAMERA].attrs.update({"PIX_TYPE": np.bytes_("star")}),
            "pixels of hexagonal must be hexagons, squares or circles; got 'star'",
        ),
        (
            replace(IMAGES, np.zeros(2, [*IDS, ("image", float, (2, 19))])),
            r"images of telescope 1 .* the 19 pixels, as after gain selection; got .*\(2, 19\)",
        ),
        (
            replace(IMAGES, np.zeros(2, IDS[:2])),
            f"must have the table {IMAGES} with tel_id; it has",
        ),
        (
            put("simulation/event/subarray/shower", "event_id", 100),
            "event/subarray/shower must have one row for each event; got several for some",
        ),
    ],
)
def test_bad_tables(small, change, message):
    with h5py.File(small, "r+") as file:
        if "gain" in message:
            del file["dl1/event/telescope/images/tel_002"]
            del file["dl1/event/telescope/parameters"]
        change(file)
    with pytest.raises(ValueError, match=rf"small.dl1.h5 must be a DL1 HDF5 file.*: .*{message}"):
        read_dl1(small)


def test_wrong_and_truncated_files(small, tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"absent.h5 must be a DL1 HDF5 file .*; there is no such file"
    ):
        read_dl1(tmp_path / "absent.h5")
    with pytest.raises(
        IsADirectoryError, match="must be a DL1 HDF5 file of ctapipe; it is a folder"
    ):
        read_dl1(tmp_path)
    (tmp_path / "text.h5").write_text("energy,width\n1,2\n")
    for name, size in (("text.h5", 10), ("small.dl1.h5", 5000), ("small.dl1.h5", 0)):
        cut = tmp_path / "cut.h5"
        cut.write_bytes((tmp_path / name).read_bytes()[:size])
        with pytest.raises(ValueError, match=r"cut.h5 must be a DL1 .* cut short or damaged: "):
            read_dl1(cut)


@pytest.mark.parametrize("module", ["h5py", "hdf5plugin"])
def test_missing_modules(monkeypatch, tmp_path, small, module):
    if module == "hdf5plugin":
        write_blosc(small)
        # Another test may have brought the filter, which stays for the process.
        monkeypatch.setattr(h5py.h5z, "filter_avail", lambda code: False)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"need {module}; .* pip install skflow-detect\[iact\]"):
        read_dl1(small)


def write_blosc(path, n_rows=4000):
    """Write a table of many chunks with ctapipe's compression into a file."""
    import tables
    from ctapipe.io.hdf5tableio import DEFAULT_FILTERS

    rows = np.zeros(n_rows, [*IDS, ("image", "f4", (19,)), ("image_mask", "?", (19,))])
    rng = np.random.RandomState(0)
    rows["event_id"] = rng.permutation(n_rows)
    rows["image"] = rng.normal(size=(n_rows, 19))
    rows["image_mask"] = rng.rand(n_rows, 19) < 0.5
    with tables.open_file(path, "a") as file:
        file.remove_node("/" + IMAGES)
        group, name = IMAGES.rsplit("/", 1)
        file.create_table("/" + group, name, obj=rows, filters=DEFAULT_FILTERS, chunkshape=300)
    return rows


def test_blosc(small):
    rows = write_blosc(small)
    big, _ = read_dl1(small)
    n_rows = len(rows)
    np.testing.assert_array_equal(big.event_id[:n_rows], rows["event_id"])
    np.testing.assert_array_equal(big.images[:n_rows], rows["image"])
    np.testing.assert_array_equal(big.image_mask[:n_rows], rows["image_mask"])


def test_damaged_chunk(small):
    write_blosc(small)
    with h5py.File(small) as file:
        chunk = file[IMAGES].id.get_chunk_info(3)
    data = bytearray(small.read_bytes())
    data[chunk.byte_offset + chunk.size // 2] ^= 1
    small.write_bytes(data)
    with pytest.raises(ValueError, match="cut short or damaged"):
        read_dl1(small)


def test_other_compression(small):
    with h5py.File(small, "r+") as file:
        rows = file[IMAGES][:]
        del file[IMAGES]
        file.create_dataset(IMAGES, data=rows, compression="gzip", fletcher32=True)
    assert len(read_dl1(small)[0].images) == 5
