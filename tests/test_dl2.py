"""Scores written beside event and telescope ids, with ctapipe's loader as the judge."""

import os
import shutil
import sys

import h5py
import numpy as np
import pytest
from dl1_file import write_dl1

from skflow import _hdf5
from skflow.interop import _dl2, read_dl1, write_scores

IDS = ("obs_id", "event_id", "tel_id")
TEL = "dl2/event/telescope/classification"
ARRAY = "dl2/event/subarray/classification"


def ids_of(path):
    """Ids of all rows of a file, type by type."""
    types = read_dl1(path)
    return {key: np.concatenate([each[key] for each in types]) for key in IDS}


def read(path, place):
    """Columns of a table in a file."""
    with h5py.File(path) as file:
        return _hdf5.read_table(file[place])


@pytest.fixture
def small(tmp_path):
    return write_dl1(tmp_path / "small.dl1.h5")


@pytest.fixture
def real(data_folder, tmp_path):
    """A copy of a real file that can be written to."""
    path = tmp_path / "lst_gamma.dl1.h5"
    shutil.copyfile(data_folder / "iact" / "lst_gamma.dl1.h5", path)
    return path


SCORES = [1.0, 5.0, 2.0, np.nan, 4.0, 3.0]
#: Telescope and event of them: 1 has 100, 101, 200; 2 has 100, 200; 5 has 101.
REFERENCE = [0.5, 2.0, 2.5, 3.5]


def test_rows_of_triggers(small):
    """In random order, they come back beside their own ids."""
    ids = ids_of(small)
    order = np.random.RandomState(0).permutation(6)
    before = read_dl1(small)
    write_scores(
        small,
        np.array(SCORES)[order],
        **{key: values[order] for key, values in ids.items()},
        reference_scores=REFERENCE,
    )
    table = read(small, f"{TEL}/skflow/tel_001")
    assert table["event_id"].tolist() == [100, 101, 200]
    assert table["skflow_tel_score"].tolist() == [1, 5, 2]
    assert table["skflow_tel_prediction"].tolist() == [0.25, 1, 0.25]
    table = read(small, f"{TEL}/skflow/tel_002")
    np.testing.assert_array_equal(table["skflow_tel_score"], [np.nan, 4])
    np.testing.assert_array_equal(table["skflow_tel_prediction"], [np.nan, 1])
    assert table["skflow_tel_is_valid"].tolist() == [False, True]
    table = read(small, f"{ARRAY}/skflow")
    assert table["event_id"].tolist() == [100, 101, 200]
    assert table["skflow_score"].tolist() == [1, 4, 3]
    assert table["skflow_prediction"].tolist() == [0.25, 0.875, 0.625]
    assert table["skflow_telescopes"].tolist() == [
        [True, False, False, False],
        [True, False, True, False],
        [True, True, False, False],
    ]
    for each, old in zip(read_dl1(small), before, strict=True):
        np.testing.assert_array_equal(each.images, old.images)


def test_triggers_without_a_score(small):
    """A row for each, NaN, whether the row or the telescope is left out."""
    write_scores(small, [1.0], obs_id=7, event_id=100, tel_id=1)
    np.testing.assert_array_equal(
        read(small, f"{TEL}/skflow/tel_001")["skflow_tel_score"], [1, np.nan, np.nan]
    )
    assert not read(small, f"{TEL}/skflow/tel_005")["skflow_tel_is_valid"].any()
    assert read(small, f"{ARRAY}/skflow")["skflow_is_valid"].tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("options", "score", "prediction"),
    [
        ({}, [1, 4, 3], [0.25, 0.875, 0.625]),
        ({"combine": "max"}, [1, 5, 4], [0.25, 1, 1]),
        ({"weights": [1, 3, 0, 1, 2, 1]}, [1, 4.5, 4], [0.25, 0.9375, 1]),
        ({"weights": [0, 1, 1, 1, 1, 1]}, [np.nan, 4, 3], [np.nan, 0.875, 0.625]),
    ],
)
def test_combination(small, options, score, prediction):
    write_scores(small, SCORES, **ids_of(small), reference_scores=REFERENCE, **options)
    table = read(small, f"{ARRAY}/skflow")
    np.testing.assert_array_equal(table["skflow_score"], score)
    np.testing.assert_array_equal(table["skflow_prediction"], prediction)
    np.testing.assert_array_equal(table["skflow_is_valid"], ~np.isnan(score))


def test_predictions_are_ranks_without_a_reference(tmp_path):
    rng = np.random.RandomState(0)
    score = np.r_[rng.normal(size=98), np.nan, np.inf]
    write_scores(tmp_path / "new.h5", score, obs_id=1, event_id=np.arange(100), tel_id=3)
    prediction = read(tmp_path / "new.h5", f"{TEL}/skflow/tel_003")["skflow_tel_prediction"]
    assert np.isnan(prediction).tolist() == np.isnan(score).tolist()
    order = np.argsort(score)[:99]
    np.testing.assert_allclose(prediction[order], np.arange(99) / 99)


def test_second_name_in_a_new_file(tmp_path):
    """No triggers to go by: each name has its own rows."""
    path = tmp_path / "new.h5"
    write_scores(path, [1.0, 2.0], obs_id=1, event_id=[8, 5], tel_id=3)
    write_scores(path, [3.0], obs_id=2, event_id=5, tel_id=4, name="other")
    assert read(path, f"{ARRAY}/skflow")["event_id"].tolist() == [5, 8]
    assert read(path, f"{ARRAY}/skflow")["skflow_score"].tolist() == [2, 1]
    assert read(path, f"{ARRAY}/other")["obs_id"].tolist() == [2]
    assert "skflow_telescopes" not in read(path, f"{ARRAY}/skflow")


def test_reference_of_each_telescope(tmp_path):
    """Two detectors without a common scale."""
    options = {"obs_id": 1, "event_id": [5, 5], "tel_id": [1, 2]}
    reference = {1: [0, 1, np.nan, 4, 5], 2: [100.0, 300.0], 3: []}
    write_scores(tmp_path / "new.h5", [3.0, 200.0], **options, reference_scores=reference)
    assert read(tmp_path / "new.h5", f"{ARRAY}/skflow")["skflow_prediction"].tolist() == [0.5]
    with pytest.raises(ValueError, match=r"of every telescope; it has none of 2$"):
        write_scores(tmp_path / "x.h5", [3.0, 2.0], **options, reference_scores={1: [0.0]})


def test_other_names_and_overwriting(small):
    ids = ids_of(small)
    write_scores(small, SCORES, **ids)
    write_scores(small, np.negative(SCORES), **ids, name="other")
    message = (
        "must have no tables named 'other'; it has them in .*: give another name, or overwrite"
    )
    with pytest.raises(ValueError, match=message):
        write_scores(small, SCORES, **ids, name="other")
    assert read(small, f"{ARRAY}/other")["other_score"].tolist() == [-1, -4, -3]
    write_scores(small, [9.0], obs_id=7, event_id=101, tel_id=5, name="other", overwrite=True)
    assert read(small, f"{ARRAY}/other")["other_is_valid"].tolist() == [False, True, False]
    assert read(small, f"{ARRAY}/skflow")["skflow_score"].tolist() == [1, 4, 3]


def test_link_and_permissions_stay(small, tmp_path):
    link = tmp_path / "link.h5"
    link.symlink_to(small)
    small.chmod(0o440)
    write_scores(link, SCORES, **ids_of(small))
    assert link.is_symlink()
    assert small.stat().st_mode & 0o777 == 0o440
    assert read(small, f"{ARRAY}/skflow")["skflow_score"].tolist() == [1, 4, 3]


@pytest.mark.parametrize("stage", ["write_table", "fsync", "replace"])
@pytest.mark.parametrize("new", [False, True])
def test_failure_leaves_the_old_file(small, tmp_path, monkeypatch, stage, new):
    ids = ids_of(small)
    before = small.read_bytes()
    calls = []

    def fail(*args, **kwargs):
        calls.append(stage)
        if stage != "write_table" or len(calls) == 3:
            raise OSError("no space left on device")
        return _hdf5.write_table(*args, **kwargs)

    monkeypatch.setattr(_dl2 if stage == "write_table" else os, stage, fail)
    path = tmp_path / "new.h5" if new else small
    with pytest.raises(OSError, match="no space left"):
        write_scores(path, SCORES, **ids)
    assert calls
    assert small.read_bytes() == before
    assert os.listdir(tmp_path) == [small.name]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "my scores"}, "name must be a valid Python name; got 'my scores'"),
        ({"combine": "min"}, "combine must be 'mean' or 'max'; got 'min'"),
        ({"combine": "max", "weights": SCORES}, "weights must be None with combine='max'"),
        ({"weights": [1, 1]}, r"of one length; got scores of shape \(6,\) and weight of \(2,\)"),
        ({"weights": [-1] * 6}, "weights must be finite and not negative"),
        ({"weights": SCORES}, "weights must be finite and not negative"),
        ({"event_id": [1, 2]}, r"of one length; got scores of shape \(6,\) and event_id of \(2,\)"),
        ({"tel_id": [1.0] * 6}, "tel_id must be integers; got float64"),
        (
            {"tel_id": 1},
            "scores must have one row for each event and telescope; got several for some",
        ),
        (
            {"obs_id": 8},
            "one of the triggers in .*small.dl1.h5; 6 of 6 are not, the first of them ",
        ),
        (
            {"reference_scores": [np.nan]},
            "reference_scores must hold at least one number; got none",
        ),
        ({"scores": []}, "minimum of 1 is required"),
        ({"scores": np.zeros((6, 1))}, r"one-dimensional .* got scores of shape \(6, 1\)"),
    ],
)
def test_errors(small, options, message):
    before = small.read_bytes()
    given = {"scores": SCORES} | ids_of(small) | options
    with pytest.raises(ValueError, match=message):
        write_scores(small, **given)
    assert small.read_bytes() == before


def test_error_names_the_row(small):
    with pytest.raises(ValueError, match=r"; 1 of 2 are not, .* obs_id 7, event_id 101, tel_id 2$"):
        write_scores(small, [1, 2], obs_id=7, event_id=[100, 101], tel_id=[2, 2])


def test_other_files(tmp_path, small):
    text = tmp_path / "text.h5"
    text.write_text("energy,width\n")
    options = {"obs_id": 7, "event_id": 100, "tel_id": 1}
    with pytest.raises(ValueError, match="must be an HDF5 file; it is another file, cut short or"):
        write_scores(text, [1.0], **options)
    assert text.read_text() == "energy,width\n"
    with h5py.File(small, "r+") as file:
        del file["dl1"]
    write_scores(small, [1.0], **options)
    with pytest.raises(ValueError, match="tel_id must be telescopes of the file's layout; got 3"):
        write_scores(small, [1.0, 2.0], **options | {"tel_id": [1, 3]}, name="b")
    with pytest.raises(FileNotFoundError, match=r"must be in a folder that exists; got .*x.h5"):
        write_scores(tmp_path / "no folder" / "x.h5", [1.0], **options)


def test_without_h5py(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r"need h5py; .* pip install skflow-detect\[iact\]"):
        write_scores(tmp_path / "x.h5", [1.0], obs_id=7, event_id=100, tel_id=1)


# ctapipe is the judge from here on.


def test_pytables_takes_the_tables_for_its_own(tmp_path):
    import tables

    n_rows = 5000
    path = tmp_path / "new.h5"
    write_scores(path, np.arange(n_rows), obs_id=1, event_id=np.arange(n_rows), tel_id=1)
    with tables.open_file(path, "a") as file:
        table = file.root.dl2.event.telescope.classification.skflow.tel_001
        assert isinstance(table, tables.Table)
        assert table.colnames == [
            *IDS,
            "skflow_tel_score",
            "skflow_tel_prediction",
            "skflow_tel_is_valid",
        ]
        assert table.coltypes["skflow_tel_is_valid"] == "bool"
        np.testing.assert_array_equal(table.col("skflow_tel_score"), np.arange(n_rows))
        assert len(table.read_where("skflow_tel_score >= 4990")) == 10
        table.append(table[:7])
        table.flush()
        assert table.nrows == n_rows + 7


@pytest.mark.filterwarnings("error")
def test_table_loader_joins_the_columns(real):
    from ctapipe.io import TableLoader

    ids = ids_of(real)
    score = 100.0 * ids["tel_id"] + ids["event_id"]
    score[(ids["tel_id"] == 2) & (ids["event_id"] == 101)] = np.nan
    write_scores(real, score, **ids, reference_scores=np.arange(1000), combine="max")
    write_scores(real, -score, **ids, name="other")
    with TableLoader(real) as loader:
        events = loader.read_telescope_events(dl2=True)
        arrays = loader.read_subarray_events(dl2=True)
        chunk = loader.read_telescope_events(dl2=True, start=1, stop=2)
        (typed,) = loader.read_telescope_events_by_type(dl2=True, dl1_images=True).values()
    assert len(events) == len(typed) == 10
    for table in (events, chunk, typed):
        expected = 100.0 * table["tel_id"] + table["event_id"]
        expected[(table["tel_id"] == 2) & (table["event_id"] == 101)] = np.nan
        np.testing.assert_array_equal(table["skflow_tel_score"], expected)
        np.testing.assert_array_equal(table["other_tel_score"], -expected)
        np.testing.assert_allclose(table["skflow_tel_prediction"], expected / 1000)
        np.testing.assert_array_equal(table["skflow_tel_is_valid"], np.isfinite(expected))
    assert arrays["event_id"].tolist() == [100, 101, 104]
    assert arrays["skflow_score"].tolist() == [500, 501, 304]
    assert arrays["skflow_is_valid"].all()
    np.testing.assert_array_equal(
        arrays["skflow_telescopes"],
        [[True] * 4, [True, False, True, True], [True, True, False, False]],
    )


def test_event_source_reads_the_tables(real):
    from ctapipe.io import EventSource

    ids = ids_of(real)
    write_scores(real, ids["tel_id"], **ids, reference_scores=np.arange(4) + 0.5)
    with EventSource(real) as source:
        events = [
            (event.index.event_id, event.dl2.stereo.classification["skflow"].as_dict())
            for event in source
        ]
    assert [number for number, _ in events] == [100, 101, 104]
    assert [stereo["prediction"] for _, stereo in events] == [0.625, 0.625, 0.375]
    assert events[2][1]["telescopes"].tolist() == [True, True, False, False]


def test_failure_leaves_a_real_file(real, monkeypatch):
    ids = ids_of(real)
    before = real.read_bytes()

    def fail(file, path, *args, **kwargs):
        if path.endswith("tel_003"):
            raise OSError("no space left on device")
        _hdf5.write_table(file, path, *args, **kwargs)

    monkeypatch.setattr(_dl2, "write_table", fail)
    with pytest.raises(OSError, match="no space left"):
        write_scores(real, ids["tel_id"], **ids)
    assert real.read_bytes() == before
    assert os.listdir(real.parent) == [real.name]
