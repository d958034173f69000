"""Tables and pictures of one class of images against the rest."""

from pathlib import Path

import numpy as np
import one_class_images
import pytest
from synthetic_results import make_lines, write_results

from skflow.benchmark import read_results

RESULTS = Path(__file__).parent.parent / "benchmarks" / "results" / "one_class_images"
DIGITS = ["images/mnist-0", "images/mnist-1"]


@pytest.fixture
def folder(tmp_path):
    """Results of two digits, of the protocols and classes that the script expects."""
    samples = ["auxiliary:images/notmnist" + percent for percent in ("", ":10", ":50")]
    names = dict(zip(["rare-event:0", "rare-event:1", "rare-event:2"], samples, strict=True))
    for file, detectors, protocols in (
        ("features", ["contrastive", "flow"], list(names)),
        ("pixels", ["KNN, pixels"], list(names)[:1]),
        ("networks", ["FastFlow"], list(names)[:1]),
        ("sets", ["contrastive", "flow"], list(names)[:1]),
    ):
        lines = make_lines(detectors, DIGITS, protocols)
        for line in lines:
            if line["kind"] == "fit":
                line["protocol"] = names[line["protocol"]]
                other = "1" if line["dataset"].endswith("0") else "0"
                line["auroc_by_class"] = {other: line["auroc"]}
        write_results(tmp_path / f"{file}.jsonl", lines)
    return tmp_path


def test_tables(folder, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["one_class_images.py", "--folder", str(folder)])
    one_class_images.main()
    text = (folder / "results.md").read_text(encoding="utf-8")
    assert text in capsys.readouterr().out
    results = read_results(folder / "features.jsonl")
    ours = results[(results["detector"] == "contrastive") & (results["dataset"] == DIGITS[0])]
    percent = f"{100 * ours.groupby('protocol')['auroc'].mean().iloc[0]:.1f}"
    assert f"| mnist-0 |  | {percent} |" in text  # the matrix: digit 0 against digit 1
    assert text.count("contrastive less each other") == 6
    with_networks = text.partition("### With networks that see pixels")[2]
    assert "| FastFlow |" in with_networks.partition("### Sets")[0]
    (folder / "networks.jsonl").unlink()
    assert "FastFlow" not in one_class_images.report(folder)


def test_published_table_is_that_of_the_published_results():
    published = (RESULTS / "results.md").read_text(encoding="utf-8")
    assert one_class_images.report(RESULTS) == published


def test_pictures():
    rng = np.random.RandomState(0)
    classes = np.repeat([4, 9], 50)
    y, images = np.where(classes == 4, 1, -1), rng.rand(100, 6, 6)
    scores = np.arange(100.0)
    figure = one_class_images.extremes(scores, y, images)
    shown = [ax.images[0].get_array() for ax in figure.axes]
    np.testing.assert_array_equal(shown[0], images[0])  # bulk, least
    np.testing.assert_array_equal(shown[10], images[49])  # bulk, most
    np.testing.assert_array_equal(shown[30], images[99])  # others, most
    [legend] = one_class_images.histograms(scores, classes).legends
    assert [text.get_text() for text in legend.get_texts()] == ["4 (bulk)", "9"]
