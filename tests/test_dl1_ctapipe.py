"""DL1 files, with ctapipe's own reader as the judge."""

import shutil

import h5py
import numpy as np
import pytest

from skflow import _hdf5
from skflow.hillas import HillasTransformer
from skflow.interop import read_dl1

FILES = ("lst_gamma", "prod6_gamma")


def compare(path):
    """Compare every column with what ctapipe's loader gives."""
    from ctapipe.io import TableLoader

    types = read_dl1(path)
    with TableLoader(path, focal_length_choice="EQUIVALENT") as loader:
        for each in types:
            theirs = loader.read_telescope_events(
                each.tel_ids, dl1_images=True, true_images=True, dl2=False
            )
            rows = [
                np.flatnonzero((theirs["event_id"] == event) & (theirs["tel_id"] == tel))[0]
                for event, tel in zip(each.event_id, each.tel_id, strict=True)
            ]
            assert sorted(rows) == list(range(len(theirs)))
            theirs = theirs[rows]
            named = {
                "image": each.images,
                "peak_time": each.peak_time,
                "image_mask": each.image_mask,
            }
            for name, ours in (named | each.parameters | each.truth).items():
                np.testing.assert_array_equal(ours, np.asarray(theirs[name]), err_msg=name)
                unit = getattr(theirs[name], "unit", None)
                assert bool(unit) == (name in each.units), name
            for angle in ("altitude", "azimuth"):
                np.testing.assert_allclose(
                    each.pointing[angle],
                    theirs[f"telescope_pointing_{angle}"].quantity.to_value("deg"),
                    rtol=1e-6,
                )
            assert {"true_energy", "true_image", "true_impact_distance"} <= set(each.truth)
            assert len(each.parameters) > 40
            optics = loader.subarray.tel[each.tel_ids[0]].optics
            assert each.geometry.focal_length == optics.effective_focal_length.to_value("m")
    return types


@pytest.mark.parametrize("name", FILES)
def test_all_columns_agree_with_ctapipes(data_folder, name):
    types = compare(data_folder / "iact" / f"{name}.dl1.h5")
    assert [each.tel_ids for each in types] == (
        [[1, 2, 3, 4]] if name == "lst_gamma" else [[1], [2, 3], [5, 6, 7, 24]]
    )
    # Each file is one shower, in lst_gamma used three times.
    assert {group for each in types for group in each.groups} == {0}


@pytest.mark.parametrize("name", FILES)
def test_geometry_agrees_with_ctapipes(data_folder, name):
    from ctapipe.instrument import SubarrayDescription

    from skflow.interop import geometry_from_ctapipe

    path = data_folder / "iact" / f"{name}.dl1.h5"
    subarray = SubarrayDescription.from_hdf(path)
    for each in read_dl1(path):
        assert each.geometry == geometry_from_ctapipe(subarray.tel[each.tel_ids[0]])


@pytest.mark.parametrize("name", FILES)
def test_hillas_parameters_agree_with_those_of_the_file(data_folder, name):
    """Both files were made with the nominal focal length, and telescopes 5 to 24 saw too little."""
    for each in read_dl1(data_folder / "iact" / f"{name}.dl1.h5", focal_length="nominal"):
        hillas = HillasTransformer(each.geometry, frame="telescope", features="ctapipe")
        ours = hillas.fit(each.images).transform(each.images, mask=each.image_mask)
        names = list(hillas.get_feature_names_out())
        for column in ("hillas_intensity", "hillas_length", "hillas_width", "hillas_fov_lon"):
            theirs = each.parameters[column]
            np.testing.assert_allclose(ours[:, names.index(column)], theirs, rtol=1e-9)
        assert np.isfinite(theirs).all() == (each.tel_ids[0] != 5)


def test_effective_focal_length_that_is_not_in_the_file(data_folder, tmp_path):
    """ctapipe refuses such a file unless asked for the nominal one."""
    import tables

    path = tmp_path / "copy.h5"
    shutil.copyfile(data_folder / "iact" / "lst_gamma.dl1.h5", path)
    with tables.open_file(path, "r+") as file:
        optics = file.root.configuration.instrument.telescope.optics
        optics.modify_column(column=[np.nan], colname="effective_focal_length")
    (each,) = read_dl1(path)
    assert np.isnan(each.geometry.focal_length)
    (each,) = read_dl1(path, focal_length="nominal")
    assert each.geometry.focal_length == 28.0


def test_scaled_integers_as_ctapipe_writes_them(data_folder, tmp_path):
    from ctapipe.io import DataWriter, EventSource

    source = data_folder / "iact" / "lst_gamma.dl1.h5"
    path = tmp_path / "scaled.dl1.h5"
    options = {"transform_image": True, "transform_peak_time": True, "write_dl1_images": True}
    with (
        EventSource(source, focal_length_choice="EQUIVALENT") as events,
        DataWriter(events, output_path=path, write_dl1_parameters=True, **options) as writer,
    ):
        for event in events:
            writer(event)
    with h5py.File(path) as file:
        assert file["dl1/event/telescope/images/tel_001"].dtype["image"].base.kind in "iu"
    (scaled,) = compare(path)
    (exact,) = read_dl1(source)
    assert scaled.images.dtype == np.float32
    np.testing.assert_allclose(scaled.images, exact.images, atol=0.051)
    assert (scaled.images != exact.images).any()


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")
@pytest.mark.parametrize("dtype", ["uint16", "int16", "int32"])
def test_special_values_of_scaled_integers(tmp_path, dtype):
    from ctapipe.core import Container, Field
    from ctapipe.io import HDF5TableWriter, read_table
    from ctapipe.io.tableio import FixedPointColumnTransform

    class Row(Container):
        default_prefix = ""
        image = Field(None, "charges")
        text = Field("", "string", max_length=12)

    values = [0.0, 1.234, -3.5, np.nan, np.inf, -np.inf, 1e30, -1e30]
    with HDF5TableWriter(tmp_path / "rows.h5", "group") as writer:
        transform = FixedPointColumnTransform(100, 200, "float32", dtype)
        writer.add_column_transform("rows", "image", transform)
        writer.write("rows", Row(image=np.array(values, dtype="f4"), text="überall"))
    with h5py.File(tmp_path / "rows.h5") as file:
        ours = _hdf5.read_table(_hdf5.get_table(file, "group/rows"))
    theirs = read_table(tmp_path / "rows.h5", "/group/rows")
    np.testing.assert_array_equal(ours["image"], theirs["image"])
    assert ours["image"].dtype == np.float32
    assert np.isnan(ours["image"][0, 3])
    assert ours["image"][0, 4:].tolist() == [np.inf, -np.inf, np.inf, -np.inf]
    assert ours["text"].tolist() == ["überall"]
