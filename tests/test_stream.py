"""fit_stream: rows of any source, read once, teach what `fit` learns from them all."""

import tracemalloc

import h5py
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet
import pytest
from sklearn.base import clone

from skflow import (
    AutoencoderDetector,
    ContrastiveFlowDetector,
    MahalanobisDetector,
    RareEventDetector,
    RealNVPOutlierDetector,
)
from skflow.detectors._reservoir import Reservoir
from skflow.io import read_batches

FLOW = RealNVPOutlierDetector(max_iter=40, n_blocks=2, hidden_features=16, random_state=0)
COLUMNS = ["size", "width", "length"]


def frame(X):
    return pd.DataFrame(X, columns=COLUMNS)


def parts(X, size=90):
    return [X[start : start + size] for start in range(0, len(X), size)]


def write_parquet(X, folder):
    path = folder / "rows.parquet"
    pa.parquet.write_table(pa.Table.from_pandas(frame(X)), path, row_group_size=90)
    return path


def write_parquet_folder(X, folder):
    for number, part in enumerate(parts(X)):
        pa.parquet.write_table(pa.Table.from_pandas(frame(part)), folder / f"{number}.parquet")
    return folder


def write_csv(X, folder):
    frame(X).to_csv(folder / "rows.csv", index=False)
    return folder / "rows.csv"


def write_npy(X, folder):
    np.save(folder / "rows.npy", X)
    return folder / "rows.npy"


def write_npz(X, folder):
    np.savez(folder / "rows.npz", X=X, y=np.ones(len(X)))
    return folder / "rows.npz"


def write_hdf5(X, folder):
    with h5py.File(folder / "rows.h5", "w") as file:
        file["group/rows"] = X
    return folder / "rows.h5"


def write_hdf5_table(X, folder):
    with h5py.File(folder / "table.h5", "w") as file:
        file["events"] = frame(X).to_records(index=False)
    return folder / "table.h5"


SOURCES = {
    "list of arrays": lambda X, folder: parts(X),
    "generator": lambda X, folder: (part for part in parts(X)),
    "data frames": lambda X, folder: map(frame, parts(X)),
    "polars": lambda X, folder: [pl.from_pandas(frame(part)) for part in parts(X)],
    "with empty batches": lambda X, folder: [X[:0], *parts(X), X[:0]],
    "array": lambda X, folder: X,
    "data frame": lambda X, folder: frame(X),
    "memory-mapped": lambda X, folder: np.load(write_npy(X, folder), mmap_mode="r"),
    "h5py": lambda X, folder: h5py.File(write_hdf5(X, folder))["group/rows"],
    "pyarrow table": lambda X, folder: pa.Table.from_pandas(frame(X)),
    "pyarrow reader": lambda X, folder: pa.Table.from_pandas(frame(X)).to_reader(),
    "pyarrow dataset": lambda X, folder: pyarrow.dataset.dataset(write_parquet(X, folder)),
    "Parquet": write_parquet,
    "folder of Parquet": write_parquet_folder,
    "CSV": write_csv,
    "npy": write_npy,
    "npz": write_npz,
    "HDF5": write_hdf5,
    "HDF5 table": write_hdf5_table,
}


@pytest.mark.parametrize("source", SOURCES)
def test_all_rows_find_room(source, bulk, tmp_path):
    """The same bits as `fit`, names of columns included."""
    streamed = MahalanobisDetector().fit_stream(SOURCES[source](bulk, tmp_path))
    fitted = MahalanobisDetector().fit(bulk)
    np.testing.assert_array_equal(streamed.score_samples(bulk), fitted.score_samples(bulk))
    assert streamed.offset_ == fitted.offset_
    named = source in (
        "data frames", "polars", "data frame", "pyarrow table", "pyarrow reader",
        "pyarrow dataset", "Parquet", "folder of Parquet", "CSV", "HDF5 table",
    )  # fmt: skip
    assert list(getattr(streamed, "feature_names_in_", [])) == (COLUMNS if named else [])


@pytest.mark.parametrize(
    "detector",
    [
        FLOW,
        AutoencoderDetector(max_iter=40, random_state=0),
        ContrastiveFlowDetector(max_iter=40, n_blocks=2, hidden_features=16, random_state=0),
        RareEventDetector(MahalanobisDetector(), random_state=0),
    ],
    ids=lambda detector: type(detector).__name__,
)
def test_labelled_batches(detector, labelled):
    X, y = labelled
    streamed = clone(detector).fit_stream(zip(parts(X), parts(y), strict=True))
    fitted = clone(detector).fit(X, y)
    np.testing.assert_array_equal(streamed.score_samples(X), fitted.score_samples(X))
    assert streamed.offset_ == fitted.offset_


def test_labels_of_text_are_bulk(bulk, tmp_path):
    """As in `fit`, whatever holds them."""
    whole = MahalanobisDetector().fit(bulk, np.repeat(["a", "b"], 200))
    table = frame(bulk).assign(kind=["a"] * 200 + ["b"] * 200)
    table.to_csv(tmp_path / "rows.csv", index=False)
    for batches in (
        read_batches(tmp_path / "rows.csv", label="kind"),
        [(bulk, table["kind"])],
        [(bulk, table["kind"].to_numpy(object))],
    ):
        fitted = MahalanobisDetector().fit_stream(batches)
        np.testing.assert_allclose(fitted.location_, whole.location_, rtol=1e-12)


def test_auxiliary_rows(labelled):
    X, y = labelled
    detector = ContrastiveFlowDetector(max_iter=40, n_blocks=2, random_state=0)
    streamed = clone(detector).fit_stream(parts(X[y == 1]), X_contrast=X[y == -1])
    fitted = detector.fit(X[y == 1], X_contrast=X[y == -1])
    np.testing.assert_array_equal(streamed.score_samples(X), fitted.score_samples(X))


def test_images(tmp_path):
    images = np.random.RandomState(0).rand(40, 4, 6)
    detector = AutoencoderDetector(architecture="conv", max_iter=5, random_state=0)
    streamed = clone(detector).fit_stream(parts(images, 15))
    assert streamed.image_shape_ == (4, 6, 1)
    np.testing.assert_array_equal(
        streamed.score_samples(images), detector.fit(images).score_samples(images)
    )


def test_rows_that_come_in_order_are_sampled_evenly():
    """20,000 rows, the first half from elsewhere, in a reservoir of 1,000."""
    rng = np.random.RandomState(0)
    X = np.concatenate([rng.normal(size=(10_000, 2)), rng.normal(100, 1, size=(10_000, 2))])
    detector = MahalanobisDetector().fit_stream(parts(X, 700), reservoir_size=1000)
    np.testing.assert_allclose(detector.location_, [50, 50], atol=3 * 50 / np.sqrt(1000))
    np.testing.assert_allclose(
        detector.score_samples(X).mean(), MahalanobisDetector().fit(X).score(X), atol=0.5
    )


def test_memory_does_not_grow_with_the_stream():
    def peak(n_batches):
        rng = np.random.RandomState(0)
        tracemalloc.start()
        MahalanobisDetector().fit_stream(
            (rng.normal(size=(1000, 5)) for _ in range(n_batches)), reservoir_size=2000
        )
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(2)  # what is imported only once
    assert peak(200) < 1.2 * peak(10) < 4e6


@pytest.mark.parametrize("max_rows", [1, 7, 60])
def test_every_row_is_as_likely_to_stay(max_rows):
    """The k-th of 100 rows stays with probability max_rows / 100, in any batches."""
    counts = np.zeros(100)
    for seed in range(1000):
        reservoir = Reservoir(1, max_rows, seed)
        cuts = np.sort(np.random.RandomState(seed).randint(0, 101, 5))
        for part in np.split(np.arange(100.0)[:, None], cuts):
            reservoir.add(part)
        kept = reservoir.rows[:, 0].astype(int)
        assert len(set(kept)) == len(kept) == max_rows
        assert reservoir.n_seen == 100
        counts[kept] += 1
    share = max_rows / 100
    spread = np.sqrt(1000 * share * (1 - share))
    assert np.abs(counts - 1000 * share).max() < 4.5 * spread
    assert abs(counts[:50].mean() - 1000 * share) < 4 * spread / np.sqrt(50)


def test_rows_with_nan_are_counted(bulk):
    X = bulk.copy()
    X[[3, 250], 1] = np.nan
    detector = MahalanobisDetector(nan_policy="omit").fit_stream(parts(X))
    assert detector.n_omitted_ == 2
    whole = MahalanobisDetector(nan_policy="omit").fit(X)
    np.testing.assert_array_equal(detector.score_samples(bulk), whole.score_samples(bulk))


def test_what_is_refused_says_which_batch(bulk):
    bad = bulk.copy()
    bad[100, 1] = np.inf
    fitted = MahalanobisDetector().fit(bulk)
    before = vars(fitted).copy()
    for batches, error, message in [
        (parts(bad), ValueError, r"batch 2: .*infinity at row 10, column 1"),
        ([bulk, bulk[:, :2]], ValueError, "batch 2: X has 2 features"),
        ([bulk, bulk[0]], ValueError, "batch 2: Expected 2D array"),
        ([frame(bulk), frame(bulk)[COLUMNS[::-1]]], ValueError, "batch 2: The feature names"),
        ([(bulk, np.ones(3))], ValueError, "batch 1: Found input variables with inconsistent"),
        ([], ValueError, "batches must hold rows"),
        ([bulk[:1]], ValueError, "needs at least 2 bulk rows"),
        (3, TypeError, "batches must be a file, an array"),
        (
            [(bulk, np.full(len(bulk), 2)), (bulk, np.r_[-1, np.ones(len(bulk) - 1)])],
            ValueError,
            r"batch 2: y marks anomalies with -1.*got .*2",
        ),
    ]:
        with pytest.raises(error, match=message):
            fitted.fit_stream(batches)
        assert vars(fitted) == before
    with pytest.raises(ValueError, match="reservoir_size must be 'auto' or an int"):
        fitted.fit_stream([bulk], reservoir_size=1)
    with pytest.raises(TypeError, match="learns from one class and takes no X_contrast"):
        fitted.fit_stream([bulk], X_contrast=bulk)
    with pytest.raises(ValueError, match="contamination"):
        MahalanobisDetector(contamination=2).fit_stream([bulk])


def test_read_batches_chooses_columns_and_labels(labelled, tmp_path):
    X, y = labelled
    table = frame(X).assign(label=y)
    pa.parquet.write_table(pa.Table.from_pandas(table), tmp_path / "rows.parquet")
    table.to_csv(tmp_path / "rows.csv", index=False)
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        file["events"] = table.to_records(index=False)
    for name in ("rows.parquet", "rows.csv", "rows.h5"):
        chosen = {"columns": ["length", "size"], "label": "label", "batch_size": 100}
        batches = list(read_batches(tmp_path / name, **chosen))
        assert [len(rows) for rows, _ in batches] == [100, 100, 100, 100, 60]
        rows = pd.concat([rows for rows, _ in batches])
        assert list(rows.columns) == ["length", "size"]
        np.testing.assert_array_equal(rows, X[:, [2, 0]])
        np.testing.assert_array_equal(np.concatenate([labels for _, labels in batches]), y)
        with pytest.raises(ValueError, match="got 'lenght'; did you mean 'length'"):
            list(read_batches(tmp_path / name, columns=["lenght"]))


def test_folders_of_files_with_other_types(bulk, tmp_path):
    """Types are joined, not those of the first file; a column that one lacks is no NaN."""
    X = frame(bulk)
    for name, rows in (("a", X[:200].astype("float32")), ("b", X[200:])):
        rows.to_parquet(tmp_path / f"{name}.parquet")
    rows = pd.concat(read_batches(tmp_path))
    np.testing.assert_array_equal(rows[200:], X[200:])
    frame(bulk.round().astype(int)).to_parquet(tmp_path / "a.parquet")
    assert (pd.concat(read_batches(tmp_path)).dtypes.astype(str) == "float64").all()
    X[:200].drop(columns="size").to_parquet(tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"must have \['size'\]; .*a.parquet has not"):
        list(read_batches(tmp_path))
    assert len(pd.concat(read_batches(tmp_path, columns=["width"]))) == 400
    X[:200].assign(size="large").to_parquet(tmp_path / "a.parquet")
    assert len(pd.concat(read_batches(tmp_path, columns=["width"]))) == 400
    with pytest.raises(ValueError, match="types that do not go together"):
        list(read_batches(tmp_path))


def test_a_dataset_s_own_schema_says_what_its_columns_are(bulk, tmp_path):
    X = frame(bulk)
    X[:200].to_parquet(tmp_path / "a.parquet")
    X[200:].assign(more=1.0).to_parquet(tmp_path / "b.parquet")
    fitted = MahalanobisDetector().fit_stream(pa.dataset.dataset(tmp_path, format="parquet"))
    assert list(fitted.feature_names_in_) == list(X.columns)


def test_columns_that_pandas_saved_as_an_index(bulk, tmp_path):
    X = frame(bulk)
    (tmp_path / "folder").mkdir()
    X.to_parquet(tmp_path / "folder" / "a.parquet")
    drawn = X.sample(frac=0.5, random_state=0)  # its index is a column of its own
    drawn.to_parquet(tmp_path / "folder" / "b.parquet")
    for source in (tmp_path / "folder", tmp_path / "folder" / "b.parquet"):
        for rows in read_batches(source):
            assert list(rows.columns) == list(X.columns)
    X.set_index("size").to_parquet(tmp_path / "named.parquet")
    (rows,) = read_batches(tmp_path / "named.parquet")
    assert list(rows.columns) == list(X.columns[1:])
    for table in (X.sample(frac=0.5, random_state=0), X.set_index("size")):
        arrow = pa.Table.from_pandas(table)
        for source in (arrow, pa.dataset.dataset(arrow)):
            fitted = MahalanobisDetector().fit_stream(source)
            assert list(fitted.feature_names_in_) == list(table.columns)
    (rows,) = read_batches(tmp_path / "named.parquet", columns=["size", "width"])
    np.testing.assert_array_equal(rows, X[["size", "width"]])


@pytest.mark.parametrize("line", [1, 2])
def test_lines_of_csv_with_too_many_fields(line, tmp_path):
    lines = ["a,b", "1,2", "3,4"]
    lines[line] += ",5"
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    for columns in (None, ["a"]):
        with pytest.raises(ValueError, match=r"rows\.csv"):
            list(read_batches(tmp_path / "rows.csv", columns=columns))


def test_arrays_under_the_wrong_name(bulk, tmp_path):
    with open(tmp_path / "archive.npy", "wb") as file:
        np.savez(file, X=bulk)
    with open(tmp_path / "array.npz", "wb") as file:
        np.save(file, bulk)
    for name in ("archive.npy", "array.npz"):
        np.testing.assert_array_equal(np.concatenate(list(read_batches(tmp_path / name))), bulk)


def test_tables_of_a_dl1_file(tmp_path):
    """Parameters of all telescopes one after another, or a column of images."""
    kind = [("hillas_width", float), ("image", "f4", (5,))]
    with h5py.File(tmp_path / "run.dl1.h5", "w") as file:
        for tel, n in ((1, 3), (2, 4)):
            rows = np.zeros(n, kind)
            rows["hillas_width"], rows["image"] = tel, np.arange(5) + tel
            file[f"dl1/event/telescope/parameters/tel_{tel:03d}"] = rows
        file["dl1/monitoring/pointing"] = np.zeros(2, [("azimuth", float)])
    path = tmp_path / "run.dl1.h5"
    widths = np.concatenate([X["hillas_width"] for X in read_batches(path, batch_size=2)])
    np.testing.assert_array_equal(widths, [1, 1, 1, 2, 2, 2, 2])
    second = "dl1/event/telescope/parameters/tel_002"
    (images,) = read_batches(path, table=second, columns="image")
    np.testing.assert_array_equal(images, np.tile(np.arange(5) + 2, (4, 1)))
    assert MahalanobisDetector().fit_stream([images + np.eye(4, 5)]).n_features_in_ == 5
    with pytest.raises(ValueError, match="table must be one of"):
        list(read_batches(path, table="dl1/event/telescope/parameters/tel_003"))
    batches = read_batches(path, table=second, columns=["image"], label="hillas_width")
    ((again, widths),) = batches
    np.testing.assert_array_equal(again, images)
    np.testing.assert_array_equal(widths, [2, 2, 2, 2])
    for names, label in ((["image", "hillas_width"], None), (["hillas_width"], "image")):
        with pytest.raises(ValueError, match=r"columns of arrays, \['image'\], must be the only"):
            list(read_batches(path, table=second, columns=names, label=label))


def test_a_table_of_nothing_but_arrays(tmp_path):
    with h5py.File(tmp_path / "images.h5", "w") as file:
        file["images"] = np.zeros(3, [("image", "f4", (5,))])
    with pytest.raises(ValueError, match=r"holds arrays: columns must be one of \['image'\]"):
        MahalanobisDetector().fit_stream(tmp_path / "images.h5")


def test_files_that_are_none(bulk, tmp_path):
    for name in ("a.parquet", "a.csv", "a.npy", "a.npz", "a.h5"):
        (tmp_path / name).write_bytes(b"\x93NUMPYPAR1\xff\x00" * 9)
        with pytest.raises(ValueError, match=name):
            list(read_batches(tmp_path / name))
        with pytest.raises(FileNotFoundError, match="there is no file"):
            list(read_batches(tmp_path / ("no" + name)))
    for size in (0, -5):
        with pytest.raises(ValueError, match=f"batch_size must be None or at least 1; got {size}"):
            list(read_batches(write_npy(bulk, tmp_path), batch_size=size))
    (tmp_path / "a.txt").touch()
    with pytest.raises(ValueError, match=r"must end in \.parquet"):
        list(read_batches(tmp_path / "a.txt"))
    np.save(tmp_path / "line.npy", np.arange(3.0))
    with pytest.raises(ValueError, match=r"must be an array of rows; it has shape \(3,\)"):
        list(read_batches(tmp_path / "line.npy"))
    np.savez(tmp_path / "two.npz", a=bulk, b=bulk)
    with pytest.raises(ValueError, match="one array, or one called X"):
        list(read_batches(tmp_path / "two.npz"))
    with pytest.raises(ValueError, match="have no names of columns"):
        list(read_batches(write_npy(bulk, tmp_path), columns=["a"]))
    with pytest.raises(ValueError, match="table is for HDF5 files"):
        list(read_batches(write_npy(bulk, tmp_path), table="a"))
    with h5py.File(tmp_path / "two.h5", "w") as file:
        file["a"] = file["b"] = bulk
    with pytest.raises(ValueError, match="must have one table, or say which"):
        list(read_batches(tmp_path / "two.h5"))
    with pytest.raises(ValueError, match="has no names of columns"):
        list(read_batches(tmp_path / "two.h5", table="a", columns=["x"]))
