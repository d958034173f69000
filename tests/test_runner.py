"""The runner: every fit is one row, whatever happens to the fit or to the runner."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from skflow.benchmark import read_results, run_benchmark
from skflow.benchmark.__main__ import main
from skflow.benchmark._environment import describe_environment
from skflow.benchmark._fit import Task
from skflow.benchmark._limits import FORKS
from skflow.benchmark._results import read_environments

TESTS = Path(__file__).parent
WINE, CANCER = "sklearn/wine", "sklearn/breast_cancer"
FIGURES = ["auroc", "average_precision", "tpr_at_1pct_fpr", "ap_1_to_1", "ap_1_to_100"]
KEY = ["dataset", "protocol", "seed", "detector"]


def bad(name, **params):
    """A detector of misbehaving.py."""
    return {"name": name, "use": f"misbehaving:{name}", "params": params}


def fits_in(path):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line for line in lines if line["kind"] == "fit"]


def toml_of(config):
    """TOML of a configuration: its values are like JSON's, but for tables."""

    def text(value):
        if isinstance(value, dict):
            return "{" + ", ".join(f"{key} = {text(item)}" for key, item in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(text, value)) + "]"
        return json.dumps(value)

    return "".join(f"{key} = {text(value)}\n" for key, value in config.items())


@pytest.fixture
def start(tmp_path):
    """Start the command line on a configuration in a process of its own, ended afterwards."""
    started = []

    def start(config):
        path = tmp_path / "config.toml"
        path.write_text(toml_of(config))
        command = [sys.executable, "-m", "skflow.benchmark", "run", path]
        paths = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
        process = subprocess.Popen(
            [*command, "--output", tmp_path / "results.jsonl"],
            env=os.environ | {"PYTHONPATH": paths},
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_every_failure_is_a_row(tmp_path):
    """One worker outlives all of it, and the others' rows are as good as ever."""
    detectors = [
        bad("Sleeper"),
        bad("Glutton"),
        bad("Raiser"),
        bad("Exiter"),
        bad("Crasher"),
        bad("NotFinite"),
        bad("Norm"),
        "MahalanobisDetector",
    ]
    config = {"datasets": [WINE], "seeds": 1, "time_limit_s": 1.5, "memory_limit_mib": 200}
    path = run_benchmark(config | {"detectors": detectors}, output=tmp_path / "new" / "r.jsonl")
    rows = {row["detector"]: row for row in fits_in(path)}
    assert {name: row["error"] for name, row in rows.items()} == {
        "Sleeper": "TimeLimit: over 1.5 s",
        "Glutton": "MemoryLimit: over 200 MiB",
        "Raiser": "ValueError: first line second line",
        "Exiter": "Died: exit code 3",
        "Crasher": "Died: signal 11",
        "NotFinite": f"ValueError: scores must be finite; got 3 of {rows['Norm']['n_test']} that "
        "are not",
        "Norm": None,
        "MahalanobisDetector": None,
    }
    for row in rows.values():
        assert row["environment"] == describe_environment(1)["id"]
        assert row["n_features"] == 13
        assert 0 < row["n_anomalies"] < row["n_test"]
        for figure in [*FIGURES, "fit_seconds", "score_seconds"]:
            if row["error"] == "TimeLimit: over 1.5 s" and figure not in FIGURES:
                assert row[figure] == {"fit_seconds": 1.5, "score_seconds": 0.0}[figure]
            elif row["error"]:
                assert row[figure] is None
            else:
                assert 0 <= row[figure] <= 1
    assert rows["Glutton"]["peak_memory_mib"] > 200
    frame = read_results(path)
    assert frame["error"].notna().sum() == 6
    assert frame["auroc"].isna().sum() == 6
    environments = read_environments(path, path)
    assert environments == [describe_environment(1)]
    assert {"numpy", "torch", "scikit-learn"} <= set(environments[0]["packages"])


@pytest.mark.skipif(not FORKS, reason="the system cannot fork safely")
def test_first_use_does_not_count(tmp_path):
    """A worker tries each detector out before its first fit, unless it would leave a thread."""
    config = {"datasets": [WINE], "seeds": 2, "detectors": [bad("SlowAtFirst"), bad("Threaded")]}
    frame = read_results(run_benchmark(config, output=tmp_path / "results.jsonl"))
    assert list(frame["error"]) == [None] * 4
    assert (frame["fit_seconds"] < 0.4).all()


def test_one_and_two_jobs_agree(tmp_path):
    config = {
        "datasets": [WINE, CANCER],
        "protocols": ["one-class", "rare-event:5"],
        "seeds": [3, 1],
        "max_rows": 100,
        "detectors": [
            "MahalanobisDetector",
            {"use": "RealNVPOutlierDetector", "params": {"max_iter": 3}},
            bad("Random"),
        ],
    }
    frames = []
    for jobs in 1, 2:
        path = run_benchmark(config, output=tmp_path / f"{jobs}.jsonl", n_jobs=jobs)
        frame = read_results(path).set_index(KEY).sort_index()
        assert len(fits_in(path)) == len(frame) == 2 * 2 * 2 * 3
        assert frame["error"].isna().all()
        assert set(frame["max_rows"]) == {100}
        frames.append(frame[FIGURES])
    assert frames[0].equals(frames[1])
    assert frames[0]["auroc"].nunique() > 15


def test_resumes_after_a_kill(tmp_path, start):
    """No row is lost, none comes twice, and a torn last line is cut off."""
    config = {
        "datasets": [WINE, CANCER],
        "protocols": ["one-class", "contaminated"],
        "seeds": 3,
        "jobs": 2,
        "detectors": [bad("Norm"), bad("Sleeper", seconds=0.05)],
    }
    path = tmp_path / "results.jsonl"
    runner = start(config)
    wait_for(lambda: path.exists() and path.read_bytes().count(b"\n") > 5)
    runner.kill()
    runner.wait()
    before = path.read_bytes()
    assert 5 <= before.count(b'"fit"') < 24
    whole = before[: before.rfind(b"\n") + 1]
    path.write_bytes(whole + b'{"kind": "fit", "dataset": "skle')
    n_whole = len(read_results(path))

    run_benchmark(config, output=path)
    assert path.read_bytes().startswith(whole)
    rows = fits_in(path)
    keys = Counter(tuple(row[name] for name in KEY) for row in rows)
    assert len(keys) == 24
    assert set(keys.values()) == {1}
    assert n_whole == whole.count(b'"kind": "fit"')
    content = path.read_bytes()
    run_benchmark(config, output=path)
    assert path.read_bytes() == content


@pytest.mark.parametrize(("number", "code"), [("SIGINT", 130), ("SIGKILL", -9)])
def test_the_end_of_the_runner_ends_all(tmp_path, start, number, code, caplog):
    config = {"datasets": [WINE], "seeds": 1}
    marker = tmp_path / "marker"
    runner = start(config | {"detectors": [bad("Norm"), bad("Sleeper", marker=str(marker))]})
    path = tmp_path / "results.jsonl"
    wait_for(lambda: marker.exists() and path.read_bytes().count(b"\n") == 2)
    descendants = psutil.Process(runner.pid).children(recursive=True)
    assert len(descendants) >= 2
    # Meanwhile another runner is refused.
    arguments = ["run", str(tmp_path / "config.toml"), "--output", str(path)]
    sys.path.insert(0, str(TESTS))
    assert main(arguments) == 2
    assert f"another run is writing to {path}" in caplog.text

    runner.send_signal(getattr(signal, number))
    _, stderr = runner.communicate(timeout=30)
    assert runner.returncode == code
    assert ("interrupted; run it again to go on" in stderr) == (number == "SIGINT")
    assert "Traceback" not in stderr
    _, alive = psutil.wait_procs(descendants, timeout=20)
    assert not [p for p in alive if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    assert path.read_bytes().endswith(b"\n")
    assert [row["detector"] for row in fits_in(path)] == ["Norm"]


def test_command_line(tmp_path, start):
    runner = start({"datasets": [WINE], "seeds": 2, "detectors": [bad("Raiser"), bad("Chatterer")]})
    _, stderr = runner.communicate(timeout=60)
    assert runner.returncode == 0
    lines = stderr.splitlines()
    assert len(lines) == 3, stderr
    assert "4 fits to make, 0 in " in lines[0]
    assert lines[2].endswith(
        "[2/2] sklearn/wine, one-class, seed 1: Raiser failed; 2 failed in all; 0:00:00 to go"
    )
    folder = tmp_path / "report"
    arguments = ["report", str(tmp_path / "results.jsonl"), "--output", str(folder)]
    assert main([*arguments, "--title", "Wine only", "--reference", "Raiser"]) == 0
    text = (folder / "report.md").read_text()
    assert "Wine only" in text
    assert "Raiser against each other detector" in text
    assert main([*arguments, "--reference", "Nobody"]) == 2


def test_what_is_missing_is_added_and_errors_retried(tmp_path):
    path = tmp_path / "results.jsonl"
    config = {"datasets": [WINE], "seeds": 1, "time_limit_s": 0.5, "output": str(path)}
    config["detectors"] = [bad("Sleeper", seconds=1.0)]
    assert run_benchmark(config) == path
    assert [row["error"] for row in fits_in(path)] == ["TimeLimit: over 0.5 s"]
    before = path.read_bytes()
    config["time_limit_s"] = 30
    run_benchmark(config)  # a failed fit is a fit
    assert path.read_bytes() == before
    config |= {"detectors": [*config["detectors"], bad("Norm")], "seeds": 2}
    run_benchmark(config, retry_errors=True)
    assert path.read_bytes().startswith(before)
    rows = fits_in(path)[1:]
    assert [(row["seed"], row["detector"], row["error"]) for row in rows] == [
        (0, "Sleeper", None),
        (0, "Norm", None),
        (1, "Sleeper", None),
        (1, "Norm", None),
    ]
    assert len(path.read_text().splitlines()) == 6  # one environment
    frame = read_results(path)
    assert len(frame) == 4
    assert frame["error"].isna().all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"detectors": [bad("Norm"), bad("Sleeper", second=1)]},
            "detector Sleeper cannot be made: TypeError: .*'second'",
        ),
        (
            {"detectors": [bad("Norm") | {"use": "misbehaving:Raiser"}]},
            "detector Norm must be as in .*'misbehaving:Norm'.*; got .*: choose another name",
        ),
        ({"max_rows": 100}, "max_rows must be as in .*, None; got 100: choose another output"),
        (
            {"features": f"misbehaving:Halves fitted to {WINE}"},
            "features must be as in .*, None; got misbehaving:Halves .*: choose another output",
        ),
    ],
)
def test_refused(tmp_path, change, message):
    path = tmp_path / "results.jsonl"
    row = Task(WINE, "one-class", 0, None)._asdict() | {
        "kind": "fit",
        "detector": "Norm",
        "use": "misbehaving:Norm",
        "params": {},
        "error": None,
    }
    path.write_text(json.dumps(row) + "\n")
    before = path.read_bytes()
    config = {"datasets": [WINE], "seeds": 2, "detectors": [bad("Norm")]}
    with pytest.raises(ValueError, match=message):
        run_benchmark(config | change, output=path)
    assert path.read_bytes() == before


def test_a_worker_that_dies_outside_of_a_fit(tmp_path, start):
    runner = start({"datasets": [WINE], "detectors": [bad("DeadOnArrival")]})
    _, stderr = runner.communicate(timeout=60)
    assert runner.returncode == 1
    assert "a worker process died outside of a fit; run it again to go on" in stderr
    assert "Traceback" not in stderr


def test_mistakes_on_the_command_line(tmp_path, caplog):
    path = tmp_path / "config.toml"
    path.write_text('datasets = ["sklearn/wine"]\ndetectors = ["KNN"]\nseed = 3\n')
    assert main(["run", str(path)]) == 2
    assert "did you mean 'seeds'?" in caplog.text
    assert main(["run", str(tmp_path / "none.toml")]) == 2
    assert "none.toml" in caplog.text
    path.write_text('datasets = ["sklearn/wine"]\ndetectors = ["KNN"]\n')
    assert main(["run", str(path), "--jobs", "0"]) == 2
    assert "n_jobs must be an integer of at least 1; got 0" in caplog.text
