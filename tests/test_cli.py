"""The `skflow` command: files in, files out, and what goes wrong in one line with an exit code."""

import json
import logging
import os
import subprocess
import sys

import h5py
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.pipeline import Pipeline

import skflow
from skflow import HillasTransformer, MahalanobisDetector
from skflow.cli import main
from skflow.datasets import make_shower_images
from skflow.hillas import CameraGeometry

COLUMNS = ["size", "width", "length"]


@pytest.fixture
def night(tmp_path, monkeypatch):
    """5,000 events in Parquet, of which 200 are rare; the working directory is theirs."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.RandomState(0)
    events = pd.DataFrame(rng.normal(size=(5000, 3)), columns=COLUMNS)
    events["n_pixels"], events["event_id"] = rng.randint(0, 10, 5000), np.arange(5000) + 7
    events["kind"] = np.where(np.arange(5000) % 25 == 0, "gamma", "hadron")
    events.loc[events["kind"] == "gamma", "width"] += 4
    events.to_parquet("night.parquet", row_group_size=1000)
    return events


def run(*words):
    """Run a command; what is no text is left as it is."""
    root, training = logging.getLogger(), logging.getLogger("skflow.training")
    handlers, levels = root.handlers[:], (root.level, training.level)
    try:
        return main(list(map(str, words)))
    finally:
        root.handlers[:] = handlers
        root.setLevel(levels[0])
        training.setLevel(levels[1])


def fit(*words, output="model.skflow"):
    given = ["--columns", *COLUMNS, "--detector", "MahalanobisDetector", *words]
    return run("fit", "night.parquet", "-o", output, *given)


def score(*words):
    return run("score", "model.skflow", "night.parquet", "-o", "scores", *words)


def test_fit_and_score(night, capsys):
    cuts = ("--selection", "n_pixels > 3 and size < 2")
    assert fit(*cuts, "--set", "covariance=diagonal") == 0
    kept = night[(night.n_pixels > 3) & (night["size"] < 2)]
    log = capsys.readouterr().err
    n_first = (night.n_pixels > 3).sum()
    assert f"selection: all: 5,000 rows\nskflow: selection: n_pixels > 3: {n_first:,}" in log
    assert f"selection: size < 2: {len(kept):,} rows" in log
    expected = MahalanobisDetector(covariance="diagonal").fit(kept[COLUMNS])
    np.testing.assert_array_equal(
        skflow.load("model.skflow").score_samples(night[COLUMNS]),
        expected.score_samples(night[COLUMNS]),
    )
    assert score(*cuts, "--keep", "event_id", "kind", "--batch-size", 800) == 0
    scores = pd.read_parquet("scores")
    assert list(scores) == ["row", "event_id", "kind", "score", "decision", "label"]
    np.testing.assert_array_equal(scores["row"], kept.index)
    np.testing.assert_array_equal(scores["event_id"], kept["event_id"])
    np.testing.assert_allclose(scores["score"], expected.score_samples(kept[COLUMNS]), rtol=1e-12)
    np.testing.assert_array_equal(scores["label"], expected.predict(kept[COLUMNS]))
    np.testing.assert_allclose(scores["decision"], scores["score"] - expected.offset_)


def test_labels(night, capsys):
    assert fit("--label", "kind", "--anomalies", "gamma", "muon") == 0
    assert "no row has the kind ['muon']" in capsys.readouterr().err
    bulk = night.loc[night.kind == "hadron", COLUMNS]
    np.testing.assert_array_equal(
        skflow.load("model.skflow").location_, MahalanobisDetector().fit(bulk).location_
    )


@pytest.mark.parametrize("kind", ["csv", "npy", "npz", "h5", "folder"])
def test_other_files(kind, night):
    X = night[COLUMNS]
    if kind == "csv":
        X.to_csv("rows.csv", index=False)
    elif kind == "npy":
        np.save("rows.npy", X)
    elif kind == "npz":
        np.savez("rows.npz", X=X)
    elif kind == "h5":
        with h5py.File("rows.h5", "w") as file:
            file["events"] = X.to_records(index=False)
    else:
        os.mkdir("rows.folder")
        X[:3000].to_parquet("rows.folder/a.parquet")
        X[3000:].to_parquet("rows.folder/b.parquet")
    files = [f"rows.{kind}"] * 2
    assert run("fit", *files, "-o", "m", "--detector", "MahalanobisDetector") == 0
    assert run("score", "m", *files, "-o", "scores") == 0
    scores = pd.read_parquet("scores")
    np.testing.assert_array_equal(scores["row"], np.arange(10_000))
    expected = MahalanobisDetector().fit(pd.concat([X, X])).score_samples(X)
    np.testing.assert_allclose(scores["score"], np.tile(expected, 2), rtol=1e-12)


def test_images_of_a_telescope(tmp_path, monkeypatch, capsys):
    """A pipeline from images to verdicts, applied to a table with images among its columns."""
    monkeypatch.chdir(tmp_path)
    geometry = CameraGeometry.hexagonal(8)
    X = make_shower_images(200, geometry, kind="hadron", random_state=0)
    steps = [
        ("hillas", HillasTransformer(geometry)),
        ("flow", MahalanobisDetector(nan_policy="omit")),
    ]
    model = Pipeline(steps).fit(X)
    skflow.save(model, "model.skflow")
    rows = np.zeros(200, [("event_id", "i8"), ("image", "f8", X.shape[1:])])
    rows["image"], rows["event_id"] = X, np.arange(200) + 2**60
    with h5py.File("night.dl1.h5", "w") as file:
        file["dl1/event/telescope/images/tel_001"] = rows
    words = ["model.skflow", "night.dl1.h5", "--columns", "image", "--batch-size", 70]
    assert run("score", *words, "-o", "scores") == 0
    scores = model.score_samples(X)
    np.testing.assert_array_equal(pd.read_parquet("scores")["score"], scores)
    words += ["--selection", f"event_id >= {2**60 + 20}", "--keep", "event_id"]
    assert run("score", *words, "-o", "kept") == 0
    kept = pd.read_parquet("kept")
    np.testing.assert_array_equal(kept["score"], scores[20:])
    np.testing.assert_array_equal(kept["event_id"], rows["event_id"][20:])
    assert run("score", *words, "image", "-o", "no") == 1
    assert "columns of arrays, ['image'], must be the only feature" in capsys.readouterr().err


def test_a_killed_job_goes_on(night, monkeypatch, capsys):
    """Parts that are there stay, byte for byte; what was half written goes, and nothing else."""
    assert fit() == 0
    assert score("--batch-size", 1000) == 0
    whole = pd.read_parquet("scores")
    for name in (
        "part-000000002000.parquet",
        "part-000000003000.parquet",
        "part-000000004000.parquet",
    ):
        os.unlink(f"scores/{name}")
    before = {name: os.stat(f"scores/{name}").st_mtime_ns for name in sorted(os.listdir("scores"))}
    half, new, hidden = (f".part-000000002000.parquet-{digit * 32}" for digit in "01g")
    for name in (half, new, hidden):
        with open(f"scores/{name}", "wb") as file:
            file.write(b"PAR1")
    os.utime(f"scores/{half}", (0, 0))
    scored = []
    original = MahalanobisDetector.score_samples

    def counted(self, X):
        scored.append(len(X))
        return original(self, X)

    monkeypatch.setattr(MahalanobisDetector, "score_samples", counted)
    assert score("--batch-size", 1000) == 0
    assert sum(scored) == 3000
    assert "going on after 2,000 rows" in capsys.readouterr().err
    pd.testing.assert_frame_equal(pd.read_parquet("scores"), whole)
    parts = [f"part-{n:012d}.parquet" for n in range(0, 5000, 1000)]
    assert sorted(os.listdir("scores")) == sorted([hidden, new, *parts])
    for name, time in before.items():
        assert os.stat(f"scores/{name}").st_mtime_ns == time


def test_scores_of_another_job_are_kept(night, capsys):
    assert fit() == 0
    assert score() == 0
    assert score("--selection", "n_pixels > 3") == 1
    assert (
        "another job, which differs in selection; choose another folder" in capsys.readouterr().err
    )
    assert fit("--set", "covariance=diagonal") == 0
    assert score() == 1
    assert "differs in model" in capsys.readouterr().err
    assert len(pd.read_parquet("scores")) == 5000
    os.mkdir("others")
    open("others/notes.txt", "w").close()
    assert run("score", "model.skflow", "night.parquet", "-o", "others") == 1
    assert "others must be empty or hold scores; it holds notes.txt" in capsys.readouterr().err


def test_no_row_passes(night):
    assert fit() == 0
    for _ in range(2):
        assert score("--selection", "event_id < 0", "--keep", "kind") == 0
    scores = pd.read_parquet("scores")
    assert list(scores) == ["row", "kind", "score", "decision", "label"]
    assert len(scores) == 0


def test_what_is_kept_has_one_type_and_loses_nothing(night):
    """Large numbers and missing ones, in batches with and without; text that is null at first."""
    night["id"] = pd.array(np.arange(5000) + 2**60, dtype="Int64")
    night.loc[night.index >= 3000, "id"] = pd.NA
    notes = [None] * 1000 + ["x"] * 4000
    night["note"] = notes
    night.to_parquet("night.parquet")
    assert fit() == 0
    assert score("--keep", "id", "note", "kind", "--batch-size", 1000) == 0
    table = pq.read_table("scores")
    assert table["id"].to_pylist() == [2**60 + i if i < 3000 else None for i in range(5000)]
    assert table["note"].to_pylist() == notes
    schemas = [pq.read_schema(f"scores/{name}") for name in os.listdir("scores")]
    assert len(schemas) == 5
    assert len({str(schema.remove_metadata()) for schema in schemas}) == 1


def test_what_is_kept_of_csv_is_of_the_first_type(night, capsys):
    night["id"] = ["7"] * 4999 + ["seven"]
    night.to_csv("night.csv", index=False)
    assert fit() == 0
    words = ["model.skflow", "night.csv", "--keep", "id", "--batch-size", 1000]
    assert run("score", *words, "-o", "scores") == 1
    assert "the column id must be of one type, int64 as in the first" in capsys.readouterr().err
    assert len(pd.read_parquet("scores")) == 4000


def test_wide_rows_come_in_smaller_parts(night, monkeypatch):
    monkeypatch.setattr("skflow.cli._score.PART_VALUES", 4000)
    assert fit() == 0
    assert score("--keep", "kind") == 0
    assert len(os.listdir("scores")) == 5


def test_files_of_a_folder_that_have_changed(night, capsys):
    """The folder itself looks the same when a file in it has changed."""
    assert fit() == 0
    os.mkdir("nights")
    night.to_parquet("nights/a.parquet")
    night.to_parquet("nights/b.parquet")
    times = os.stat("nights")
    assert run("score", "model.skflow", "nights", "-o", "scores") == 0
    (night[COLUMNS] + 1).to_parquet("nights/b.parquet")
    os.utime("nights", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert run("score", "model.skflow", "nights", "-o", "scores") == 1
    assert "differs in files" in capsys.readouterr().err


def test_a_batch_that_no_row_passes(night):
    assert fit() == 0
    assert score("--selection", "event_id > 1507", "--batch-size", 500, "--keep", "kind") == 0
    scores = pd.read_parquet("scores")
    assert len(scores) == 3499
    assert scores["kind"].tolist() == night["kind"][1501:].tolist()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--columns", "widht"], 1, "got 'widht'; did you mean 'width'?"),
        (["--columns", "kind", "size"], 1, "columns ['kind'] hold no numbers"),
        (["--detector", "Mahalanobis"], 1, "did you mean 'MahalanobisDetector'?"),
        (["--set", "covariance=5"], 1, "The 'covariance' parameter of MahalanobisDetector must"),
        (["--set", "covariance"], 1, "--set must be name=value; got 'covariance'"),
        (["--set", "colour=5"], 1, "Invalid parameter 'colour'"),
        (["--selection", "n_pixels > 99"], 1, "batches must hold rows; there were none"),
        (["--selection", "colour > 3"], 1, "got 'colour'"),
        (["--selection", "kind > 3"], 1, "selection 'kind > 3' does not fit"),
        (["--label", "kind"], 1, "the label kind must be -1 or +1, or --anomalies must say"),
        (["--table", "events"], 1, "table is for HDF5 files"),
        (["--label", "kind", "--anomalies", "gama"], 1, "values of kind; no row has ['gama']"),
        (["--label", "n_pixels", "--anomalies", "two"], 1, "holds numbers, and so must --anomal"),
        (["--selection", "size > 1 / 0"], 1, "does not fit: division by zero"),
    ],
)
def test_what_goes_wrong_in_fit(words, code, message, night, capsys):
    assert fit(*words) == code
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("skflow: error: ")
    assert message in error
    assert not os.path.exists("model.skflow")


def test_what_goes_wrong_with_files(night, capsys, monkeypatch):
    night[:0].to_parquet("empty.parquet")
    night[["size"]].to_parquet("narrow.parquet")
    with open("text.parquet", "w") as file:
        file.write("size,width\n")
    assert fit() == 0
    for words, code, message in [
        (["fit", "no.parquet", "-o", "x"], 1, "there is no file no.parquet"),
        (["fit", "text.parquet", "-o", "x"], 1, "text.parquet must be Parquet"),
        (["fit", "empty.parquet", "-o", "x", "--columns", "size"], 1, "must hold rows"),
        (["score", "model.skflow", "empty.parquet", "-o", "x"], 1, "must hold rows"),
        (["score", "model.skflow", "narrow.parquet", "-o", "x"], 1, "got 'width'"),
        (["score", "text.parquet", "night.parquet", "-o", "x"], 1, "text.parquet"),
        (["score", "model.skflow", "night.parquet", "-o", "model.skflow"], 3, "File exists"),
        (["info", "no.skflow"], 1, "there is no file no.skflow"),
        (["fit", "night.parquet", "-o", "/dev/null", "--columns", "size"], 1, "must be a file"),
        (["fit", "night.parquet", "-o", "no/x", "--columns", "size"], 3, "there is no folder no"),
        (["fit", "night.parquet", "-o", ".", "--columns", "size"], 1, "must be a file"),
        (["score", "model.skflow", "night.parquet", "-o", "x", "--keep", "label"], 1, "['label']"),
    ]:
        given = ["--detector", "MahalanobisDetector"] if words[0] == "fit" else []
        assert run(*words, *given) == code
        assert message in capsys.readouterr().err.splitlines()[-1]

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("skflow.cli._score.write_whole", full)
    assert score() == 3
    assert "No space left on device" in capsys.readouterr().err.splitlines()[-1]
    monkeypatch.setattr(
        "skflow.cli._score.write_whole", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    assert score() == 130


def test_mistakes_in_the_call(night, capsys):
    data = ["fit", "a", "-o", "b"]
    for words in (
        ["fit"],
        ["guess"],
        [*data, "--anomalies", "1"],
        [*data, "--reservoir-size", "0"],
        ["score", "a", "b", "-o", "c", "--batch-size", "-5"],
        [*data, "--selection", "f(x) > 3"],
    ):
        with pytest.raises(SystemExit) as error:
            run(*words)
        assert error.value.code == 2
    assert "got Call in 'f(x) > 3'" in capsys.readouterr().err


def test_info(night, capsys):
    assert fit() == 0
    capsys.readouterr()
    assert run("info", "model.skflow") == 0
    assert json.loads(capsys.readouterr().out)["feature_names"] == COLUMNS
    assert run("info", "night.parquet") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rows"] == 5000
    assert found["columns"]["event_id"] == "int64"
    np.save("rows.npy", night[COLUMNS])
    assert run("info", "rows.npy") == 0
    assert json.loads(capsys.readouterr().out) == {"rows": 5000, "columns": ["float64", 3]}


def test_compare(night, capsys):
    words = ["--label", "kind", "--anomalies", "gamma", "--folds", 2, "--columns", "width", "size"]
    models = ["--detectors", "MahalanobisDetector", "DensityRatioDetector"]
    assert run("compare", "night.parquet", *words, *models[:2]) == 0
    first, *rows = capsys.readouterr().out.splitlines()
    assert first.split()[:3] == ["detector", "metric", "value"]
    assert float(rows[0].split()[2]) > 0.9
    assert run("compare", "night.parquet", "--selection", "size > 99", *words) == 1
    assert "none are left" in capsys.readouterr().err


def test_report(tmp_path, capsys):
    assert run("report", tmp_path / "no.jsonl", "-o", tmp_path / "report") == 1


def test_the_command_is_installed(night):
    """With quiet logs where there is no terminal, and a bar where there is one."""
    command = os.path.join(os.path.dirname(sys.executable), "skflow")
    words = [
        "fit",
        "night.parquet",
        "-o",
        "m",
        "--detector",
        "MahalanobisDetector",
        "--columns",
        "size",
    ]
    done = subprocess.run([command, *words], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 3
    quiet = subprocess.run([command, "--quiet", *words], capture_output=True, text=True, check=True)
    assert quiet.stderr == ""
    pty = pytest.importorskip("pty")
    parent, child = pty.openpty()
    with subprocess.Popen([command, *words], stderr=child, stdout=child) as process:
        os.close(child)
        shown = b""
        try:
            while part := os.read(parent, 4096):
                shown += part
        except OSError:  # the other end was closed
            pass
    assert process.returncode == 0
    assert b"5,000 rows" in shown
    assert "━".encode() in shown
