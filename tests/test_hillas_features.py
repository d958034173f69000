"""The study of Hillas parameters: its sets hold what their names say, and it runs."""

import subprocess
import sys
from pathlib import Path

import hillas_features
import numpy as np
import pandas as pd
import pytest

from skflow.datasets import fetch_fact_tables

SCRIPT = Path(hillas_features.__file__)


def test_sets_add_and_leave_out_groups():
    groups = {"core": ("a", "b"), "first": ("c",), "second": ("d", "e")}
    assert hillas_features.make_sets(groups, added=["second"], left_out=[("core", "first")]) == {
        "all": ["a", "b", "c", "d", "e"],
        "core": ["a", "b"],
        "core + second": ["a", "b", "d", "e"],
        "all without core, first": ["d", "e"],
    }


def test_order_starts_with_what_tells_the_classes_apart():
    rng = np.random.RandomState(0)
    y = np.repeat([1, -1], 100)
    columns = {"noise": rng.normal(size=200), "good": rng.normal(size=200) + 4 * y}
    columns |= {"fair": rng.normal(size=200) + y}
    assert hillas_features.order_features(pd.DataFrame(columns), y) == ["good", "fair", "noise"]


def test_groups_hold_every_feature_of_fact_but_the_traps(data_folder):
    groups = hillas_features.FACT_GROUPS
    assert sorted(sum(groups.values(), ())) == sorted(fetch_fact_tables().feature_names)


def test_rows_that_order_features_share_no_shower_with_the_splits(data_folder):
    table = hillas_features.load_fact()
    groups = fetch_fact_tables(bulk="gamma", trap_features=True).groups
    kept = np.isin(groups, table.groups)
    assert kept.sum() == len(table.X) < len(groups)
    assert not set(hillas_features.FACT_TRAPS["position"]) & set(table.order)


def test_a_failing_method_stops_the_run():
    rng = np.random.RandomState(0)
    X = pd.DataFrame({"a": rng.normal(size=1000)})
    y = np.repeat([1, -1], 500)
    X.loc[3, "a"] = np.nan
    table = hillas_features.Table("proton", X, y, np.arange(1000), {"all": ["a"]}, ["a"])
    with pytest.raises(RuntimeError, match=r"'set': 'all'.*NaN"):
        hillas_features.run("FACT", table, "all", 0, max_iter=1)


@pytest.mark.slow
def test_study(data_folder, tmp_path):
    command = [sys.executable, SCRIPT, "--quick", "--seeds", "1", "--output", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert report in done.stdout
    assert report.count("### FACT") == report.count("### MAGIC") == 4
    assert (tmp_path / "how-many.png").stat().st_size > 10_000
