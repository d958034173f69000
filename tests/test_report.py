"""Reports: what counts how, the Markdown, the bytes, and names that are no markup."""

import json
import re

import numpy as np
import pytest
from synthetic_results import (
    DATASETS,
    DETECTORS,
    ENVIRONMENT,
    QUOTES,
    SCRIPT,
    make_lines,
    write_results,
)

from skflow.benchmark._report import write_report
from skflow.benchmark._results import read_results
from skflow.benchmark._summary import summarize


@pytest.fixture(scope="module")
def lines():
    return make_lines()


@pytest.fixture(scope="module")
def results(lines, tmp_path_factory):
    return write_results(tmp_path_factory.mktemp("results") / "results.jsonl", lines)


def summary_of(lines, tmp_path, **options):
    return summarize(read_results(write_results(tmp_path / "r.jsonl", lines)), **options)


def fits_of(lines, **values):
    return [x for x in lines if all(x.get(key) == value for key, value in values.items())]


def row_of(protocol, detector, metric="auroc"):
    rows = protocol["comparisons"][metric]["rows"]
    return next(row for row in rows if row["detector"] == detector)


def tables_of(markdown):
    """Every pipe table as a list of rows of cells."""
    blocks = re.findall(r"(?:^\|.*\|$\n?)+", markdown, flags=re.MULTILINE)
    split = re.compile(r"(?<!\\)\|")
    return [
        [[cell.strip() for cell in split.split(line)[1:-1]] for line in block.splitlines()]
        for block in blocks
    ]


def test_means_by_hand(lines, tmp_path):
    protocol = summary_of(lines, tmp_path)["protocols"][0]
    assert protocol["name"] == "one-class"
    fits = fits_of(lines, protocol="one-class", detector="KNN")
    means = [np.mean([f["auroc"] for f in fits_of(fits, dataset=name)]) for name in DATASETS]
    row = row_of(protocol, "KNN")
    assert row["mean"] == pytest.approx(np.mean(means), abs=1e-6)
    assert row["finished"] == row["mean"]
    assert row["low"] < row["mean"] < row["high"]
    knn = next(d for d in protocol["detectors"] if d["name"] == "KNN")
    seconds = np.median([f["fit_seconds"] + f["score_seconds"] for f in fits])
    assert knn["seconds"] == pytest.approx(seconds, rel=1e-5)
    assert (knn["fits"], knn["failures"], knn["memory"]) == (36, 0, 300.0)
    assert sum(row["wins"] for row in protocol["comparisons"]["auroc"]["rows"]) == 12
    assert sum(row["rank"] for row in protocol["comparisons"]["auroc"]["rows"]) == pytest.approx(36)


def test_figures_of_older_files(lines, tmp_path):
    older = [{k: v for k, v in line.items() if not k.startswith("ap_1")} for line in lines]
    summary = summary_of(older, tmp_path)
    assert [metric["key"] for metric in summary["metrics"]] == [
        "auroc",
        "average_precision",
        "tpr_at_1pct_fpr",
    ]
    assert set(summary["protocols"][0]["comparisons"]) == set(summary["curves"])
    write_report(write_results(tmp_path / "older.jsonl", older), tmp_path / "older")
    assert "AP at 1:100" not in (tmp_path / "older" / "report.md").read_text()


def test_failures_count_as_chance(lines, tmp_path):
    protocol = summary_of(lines, tmp_path)["protocols"][0]
    fits = fits_of(lines, protocol="one-class", detector="Failing")
    chance = {"auroc": 0.5, "average_precision": None, "tpr_at_1pct_fpr": 0.01}
    chance |= {"ap_1_to_1": 1 / 2, "ap_1_to_100": 1 / 101}
    for metric, value in chance.items():
        by_dataset = [fits_of(fits, dataset=name) for name in DATASETS]
        values = [
            [(value or f["n_anomalies"] / f["n_test"]) if f["error"] else f[metric] for f in group]
            for group in by_dataset
        ]
        row = row_of(protocol, "Failing", metric)
        assert row["mean"] == pytest.approx(np.mean(values), abs=1e-6)
        finished = [[f[metric] for f in group if not f["error"]] for group in by_dataset]
        means = [np.mean(group) for group in finished if group]
        assert row["finished"] == pytest.approx(np.mean(means), abs=1e-6)
    column = [d["name"] for d in protocol["detectors"]].index("Failing")
    failed = [row[column] for row in protocol["failed"]]
    assert sum(failed) == protocol["n_failures"] == 13
    assert protocol["errors"] == [
        {"detector": "Failing", "error": "TimeLimit: over 600 s", "fits": 13, "datasets": 5}
    ]


def test_failing_ranks_last_even_where_others_are_below_chance(tmp_path):
    lines = make_lines(["Good", "Failing"], ["a", "b", "c"], ["one-class"], 1)
    for fit in fits_of(lines, kind="fit"):
        failed = fit["detector"] == "Failing"
        fit |= {"auroc": None if failed else 0.2, "error": "ValueError: no" if failed else None}
    protocol = summary_of(lines, tmp_path)["protocols"][0]
    assert row_of(protocol, "Good")["rank"] == 1.0
    assert row_of(protocol, "Good")["wins"] == 3
    assert row_of(protocol, "Failing")["mean"] == 0.5
    assert row_of(protocol, "Failing")["finished"] is None


def test_early_failures_take_the_prevalence_of_the_others(lines, tmp_path):
    unknown = dict.fromkeys(["n_train", "n_test", "n_features", "n_anomalies", "repeated", "twins"])
    torn = [line | unknown if line.get("error") else line for line in lines]
    mine, other = (summary_of(some, tmp_path)["protocols"][0] for some in (torn, lines))
    metric = "average_precision"
    assert row_of(mine, "Failing", metric)["mean"] == row_of(other, "Failing", metric)["mean"]


def test_only_splits_that_all_have_tried_are_compared(tmp_path):
    lines = make_lines(["A", "B"], ["a", "b", "c"], ["one-class"], n_seeds=2)
    for fit in fits_of(lines, kind="fit"):
        fit["auroc"] = {"A": 0.5, "B": 0.6}[fit["detector"]] + 0.3 * fit["seed"]
    lines = [line for line in lines if (line.get("detector"), line.get("seed")) != ("B", 1)]
    protocol = summary_of(lines, tmp_path)["protocols"][0]
    assert row_of(protocol, "A")["mean"] == pytest.approx(0.5)
    assert row_of(protocol, "B")["mean"] == pytest.approx(0.6)
    # With another seed it has tried less than half of the splits.
    more = [line | {"seed": 2} for line in lines if line.get("detector") == "A"]
    protocol = summary_of(lines + more, tmp_path)["protocols"][0]
    assert [d["name"] for d in protocol["detectors"] if d["compared"]] == ["A"]


def test_what_only_others_have_finished_is_not_compared(tmp_path):
    lines = make_lines(["A", "B"], ["a", "b", "c"], ["one-class"], n_seeds=1)
    for fit in fits_of(lines, dataset="c"):
        fit |= {"auroc": None, "error": "ValueError: no"}
    fit = fits_of(lines, detector="A", dataset="c")[0]
    lines.append(fit | {"detector": "rare", "auroc": 0.9, "error": None})
    protocol = summary_of(lines, tmp_path)["protocols"][0]
    assert [d["name"] for d in protocol["datasets"] if d["compared"]] == ["a", "b"]


def test_names_that_stand_for_several_things(tmp_path):
    lines = make_lines(["A", "B"], ["a", "b"], ["one-class"], n_seeds=1)
    others = [line | {"use": "my:Other"} for line in fits_of(lines, detector="A")]
    cut = [line | {"max_rows": 100} for line in fits_of(lines, dataset="b")]
    protocol = summary_of(lines + others + cut, tmp_path)["protocols"][0]
    assert [d["name"] for d in protocol["datasets"]] == ["a", "b, 100 rows", "b, all rows"]
    assert [d["name"] for d in protocol["detectors"]] == ['A "my:Other"', "A null", "B"]


def test_a_fit_over_its_time_limit_counts_with_it(tmp_path):
    lines = make_lines(["A", "B"], ["a", "b", "c"], ["one-class"], n_seeds=1)
    for fit in fits_of(lines, detector="A"):
        slow = fit["dataset"] != "a"
        fit |= (
            {"fit_seconds": 300.0, "error": "TimeLimit: over 300 s", "auroc": None} if slow else {}
        )
        fit |= {"score_seconds": 0.0}
    protocol = summary_of(lines, tmp_path)["protocols"][0]
    assert {d["name"]: d["seconds"] for d in protocol["detectors"]}["A"] == 300


def test_order_of_lines_does_not_matter(lines, tmp_path):
    shuffled = [lines[i] for i in np.random.RandomState(1).permutation(len(lines))]
    mine, other = summary_of(shuffled, tmp_path), summary_of(lines, tmp_path)
    assert json.dumps(mine) == json.dumps(other)


def test_unfinished_runs(lines, tmp_path):
    """Data sets that somebody lacks are left out, and so is who lacks most of them."""
    started = fits_of(lines, detector="KNN", dataset="magic/a")
    lacking = fits_of(lines, detector="LOF", dataset="adbench/table3")
    broken = [
        line | {"auroc": None, "average_precision": None, "tpr_at_1pct_fpr": None, "error": "E: x"}
        if line.get("dataset") == "adbench/table4"
        else line
        for line in lines
        if line.get("detector") != "KNN" or line in started
    ]
    broken = [line for line in broken if line not in lacking]
    protocol = summary_of(broken, tmp_path)["protocols"][0]
    assert [d["name"] for d in protocol["detectors"] if not d["compared"]] == ["KNN"]
    left_out = [d["name"] for d in protocol["datasets"] if not d["compared"]]
    assert left_out == ["adbench/table3", "adbench/table4"]
    assert len(protocol["comparisons"]["auroc"]["rows"]) == len(DETECTORS) - 1
    write_report(tmp_path / "r.jsonl", tmp_path)


def test_settings_of_one_detector_stay_apart(lines, tmp_path):
    more = [line | {"params": {"k": 9}} for line in fits_of(lines, detector="KNN")]
    names = [d["name"] for d in summary_of(lines + more, tmp_path)["protocols"][0]["detectors"]]
    assert 'KNN {"k": 9}' in names
    assert "LOF" in names
    assert len(names) == len(DETECTORS) + 1


def test_our_detectors_are_marked(lines, tmp_path):
    used = [line | {"use": "skflow.X"} if line.get("detector") == "PCA" else line for line in lines]
    detectors = summary_of(used, tmp_path)["protocols"][0]["detectors"]
    assert sorted(d["name"] for d in detectors if d["ours"]) == ["PCA", "RealNVPEnsemble"]


def test_learning_curves(lines, tmp_path):
    curves = summary_of(lines, tmp_path)["curves"]["auroc"]
    assert [c["name"] for c in curves[:4]] == ["All data sets", "adbench/*", "magic/*", "odd/*"]
    assert [c["n_datasets"] for c in curves[:4]] == [12, 9, 2, 1]
    assert curves[0]["labels"] == [10, 50]
    fits = fits_of(lines, protocol="rare-event:50", detector="RealNVPEnsemble")
    assert curves[0]["lines"][0]["detector"] == "RealNVPEnsemble"
    mean = np.mean([fit["auroc"] for fit in fits])
    assert curves[0]["lines"][0]["values"][1] == pytest.approx(mean, abs=1e-6)


def test_learning_curves_of_few_labels(tmp_path):
    """Data sets with too few rare rows for the last number have a shorter curve of their own."""
    lines = make_lines(protocols=["rare-event:10", "rare-event:50", "rare-event:200"])
    short = [
        x
        for x in lines
        if not (x.get("protocol") == "rare-event:200" and x["dataset"].startswith("magic/"))
    ]
    curves = {c["name"]: c for c in summary_of(short, tmp_path)["curves"]["auroc"]}
    assert curves["All data sets"]["labels"] == [10, 50, 200]
    assert curves["All data sets"]["n_datasets"] == 10
    assert curves["magic/*"]["labels"] == curves["magic/a"]["labels"] == [10, 50]
    assert curves["magic/*"]["n_datasets"] == 2
    assert curves["adbench/*"]["labels"] == [10, 50, 200]


def test_areas_under_learning_curves(tmp_path):
    """By hand: trapezoids over the logarithm of 10, 50 and 200 labels; none (0) has no place."""
    lines = make_lines(protocols=[f"rare-event:{m}" for m in (0, 10, 50, 200)])
    curve = summary_of(lines, tmp_path, reference="KNN")["curves"]["auroc"][0]
    assert curve["labels"] == [0, 10, 50, 200]
    first, second = np.log(5) / np.log(20), np.log(4) / np.log(20)
    for line in curve["lines"]:
        _, a, b, c = line["values"]
        expected = first * (a + b) / 2 + second * (b + c) / 2
        assert line["area"] == pytest.approx(expected, abs=2e-6)
    areas = {line["detector"]: line["area"] for line in curve["lines"]}
    assert [test["detector"] for test in curve["tests"]] == sorted(
        set(areas) - {"KNN"}, key=areas.get, reverse=True
    )
    for test in curve["tests"]:
        assert test["reference"] == "KNN"
        assert test["difference"] == pytest.approx(areas["KNN"] - areas[test["detector"]], abs=2e-6)
    two = summary_of(make_lines(protocols=["rare-event:0", "rare-event:10"]), tmp_path)
    assert {line["area"] for line in two["curves"]["auroc"][0]["lines"]} == {None}


def test_best_other_detector(lines, tmp_path):
    protocol = summary_of(lines, tmp_path, reference="KNN")["protocols"][0]
    tests = protocol["comparisons"]["auroc"]["against_best"]
    assert [test["dataset"] for test in tests] == [
        d["name"] for d in protocol["datasets"] if d["compared"]
    ]
    for test in tests:
        fits = fits_of(lines, protocol="one-class", dataset=test["dataset"])
        values = {
            name: [0.5 if f["error"] else f["auroc"] for f in fits if f["detector"] == name]
            for name in {fit["detector"] for fit in fits}
        }
        means = {name: np.mean(of_one) for name, of_one in values.items()}
        own = means.pop("KNN")
        assert means[test["detector"]] == max(means.values())
        assert test["difference"] == pytest.approx(own - max(means.values()), abs=1e-5)
        assert test["low"] <= test["difference"] <= test["high"]
        assert test["p_holm"] >= test["p_value"]


def test_curves_are_over_splits_that_all_have_tried(tmp_path):
    """A detector that has not yet met the hard splits of a table must not shine there."""
    lines = make_lines(["KNN", "LOF", "PCA"], protocols=["rare-event:10", "rare-event:50"])
    for x in lines:
        if x.get("protocol") == "rare-event:50" and x.get("seed") == 2:
            x["auroc"] = 0.1
    missing = [
        x
        for x in lines
        if (x.get("protocol"), x.get("seed"), x.get("detector")) != ("rare-event:50", 2, "LOF")
    ]
    curve = summary_of(missing, tmp_path)["curves"]["auroc"][0]
    for line in curve["lines"]:
        fits = fits_of(lines, protocol="rare-event:50", detector=line["detector"])
        mean = np.mean([fit["auroc"] for fit in fits if fit["seed"] != 2])
        assert line["values"][1] == pytest.approx(mean, abs=1e-6)


def test_reference(lines, tmp_path):
    protocol = summary_of(lines, tmp_path, reference="KNN")["protocols"][0]
    comparison = protocol["comparisons"]["auroc"]
    assert comparison["reference"] == "KNN"
    assert len(comparison["tests"]) == len(DETECTORS) - 1
    with pytest.raises(ValueError, match=r"reference must be one of .*; got 'Nobody'"):
        summary_of(lines, tmp_path, reference="Nobody")
    with pytest.raises(ValueError, match="at least one fit; got none"):
        summary_of(lines[:1], tmp_path)


def test_files(results, tmp_path):
    page = write_report(results, tmp_path / "new" / "report", title="A <title> & more")
    assert page == tmp_path / "new" / "report" / "report.html"
    assert sorted(p.name for p in page.parent.iterdir()) == ["report.html", "report.md"]
    first = {p.name: p.read_bytes() for p in page.parent.iterdir()}
    write_report([results], page.parent, title="A <title> & more")
    assert {p.name: p.read_bytes() for p in page.parent.iterdir()} == first
    html = first["report.html"].decode()
    assert "<title>A &lt;title&gt; &amp; more</title>" in html
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", html)
    # One closing tag for each of the two scripts: no name has added any.
    assert html.count("<script") == html.count("</script") == 2
    assert "<img" not in html
    embedded = re.search(r'<script type="application/json" id="figures">(.*)</script>', html)[1]
    names = [d["name"] for d in json.loads(embedded)["protocols"][0]["detectors"]]
    assert sorted(names) == sorted(DETECTORS)


def test_one_fit_makes_a_report(tmp_path):
    lines = make_lines(["KNN"], ["a"], ["one-class"], 1)
    write_report(write_results(tmp_path / "r.jsonl", lines), tmp_path)
    assert "KNN" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_nothing_finished_makes_a_report(tmp_path):
    lines = make_lines(["Failing"], ["a"], ["rare-event:5"], 2)
    write_report(write_results(tmp_path / "r.jsonl", lines), tmp_path)
    assert "2 fits, of which 2 failed" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_markdown(results, tmp_path):
    write_report(results, tmp_path)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## How to read it",
        "## one-class",
        "## rare-event:10",
        "## rare-event:50",
        "## Learning curves: AUROC by labelled rare rows",
        "## Versions and hardware",
    ]
    assert "<" not in re.sub(r"< 0\.001", "", text)
    assert SCRIPT.replace("<", "&lt;").replace(">", "&gt;") in text
    assert ENVIRONMENT["python"] in text
    tables = tables_of(text)
    for table in tables:
        assert len({len(row) for row in table}) == 1, table
    means = tables[0]
    assert means[0][:2] == ["Detector", "AUROC"]
    assert len(means) == 2 + len(DETECTORS)
    best = summarize(read_results(results))["protocols"][0]["comparisons"]["auroc"]["rows"][0]
    interval = f"[{100 * best['low']:.1f}, {100 * best['high']:.1f}]"
    assert means[2][:2] == [best["detector"], f"**{100 * best['mean']:.1f} {interval}**"]
    escaped = [row[0] for row in means if row[0].startswith("&amp;")]
    assert escaped == ["&amp;\"'&lt;/script&gt;&lt;img src=x onerror=alert(2)&gt;\\|\\`\\*"]
    assert QUOTES.endswith("|`*")
