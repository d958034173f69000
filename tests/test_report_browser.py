"""The HTML report in headless Chromium: sorting, filters, names as text, phone, no network."""

import os

import pytest
from playwright.sync_api import expect
from screenshots import PROGRAMS, find_chromium, open_browser, take
from synthetic_results import DATASETS, DETECTORS, QUOTES, SCRIPT, make_lines, write_results

from skflow.benchmark._report import write_report

pytestmark = pytest.mark.skipif(
    find_chromium() is None and os.environ.get("CI") != "true",
    reason=f"needs one of {', '.join(PROGRAMS)}: make chromium",
)
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    results = write_results(folder / "results.jsonl", make_lines())
    return write_report(results, folder, title=f"Of {SCRIPT}")


@pytest.fixture(scope="module")
def browser():
    with open_browser() as browser:
        yield browser


@pytest.fixture
def open_page(browser, report):
    """Open the report; at the end: no request but the file, no error, no dialog."""
    contexts, requests, problems = [], [], []

    def open_page(viewport=DESKTOP):
        context = browser.new_context(viewport=viewport)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text))
        page.on("dialog", lambda dialog: (problems.append(dialog.message), dialog.dismiss()))
        page.goto(report.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []
    assert {url for url in requests if not url.startswith("data:")} == {report.as_uri()}


def first_column(page, section):
    return page.locator(f"#{section} tbody th").all_inner_texts()


def column(page, section, title):
    titles = page.locator(f"#{section} thead button").all_inner_texts()
    cells = page.locator(f"#{section} tbody tr > :nth-child({titles.index(title) + 1})")
    return cells.all_inner_texts()


def test_names_are_text(open_page):
    page = open_page()
    expect(page.locator("h1")).to_have_text(f"Of {SCRIPT}")
    assert page.title() == f"Of {SCRIPT}"
    assert sorted(first_column(page, "overview")) == sorted(DETECTORS)
    assert sorted(first_column(page, "datasets")) == sorted(DATASETS)
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 2
    heads = page.locator("#datasets thead button").all_inner_texts()
    assert {SCRIPT, QUOTES} <= set(heads)
    assert "Some CPU <b>" in page.locator("#environments").inner_text()


def test_sorting_by_click(open_page):
    page = open_page()
    assert first_column(page, "overview")[0] == "RealNVPEnsemble"
    head = page.get_by_role("columnheader", name="Seconds").first
    button = head.get_by_role("button")
    assert head.get_attribute("aria-sort") is None
    button.click()
    assert head.get_attribute("aria-sort") == "ascending"
    seconds = [float(text) for text in column(page, "overview", "Seconds")]
    assert seconds == sorted(seconds)
    button.click()
    assert head.get_attribute("aria-sort") == "descending"
    assert column(page, "overview", "Seconds")[0] == max(
        column(page, "overview", "Seconds"), key=float
    )
    page.locator("#overview").get_by_role("button", name="Detector").click()
    assert head.get_attribute("aria-sort") is None
    names = first_column(page, "overview")
    assert [n for n in names if n.isalpha()] == sorted(n for n in names if n.isalpha())
    assert page.locator("#overview [aria-sort]").count() == 1


def test_sorting_by_keyboard(open_page):
    page = open_page()
    button = page.locator("#datasets").get_by_role("button", name="Anomalies")
    button.focus()
    page.keyboard.press("Enter")
    values = [int(text.replace(",", "")) for text in column(page, "datasets", "Anomalies")]
    assert values == sorted(values, reverse=True)
    expect(button).to_be_focused()
    page.keyboard.press("Space")
    values = [int(text.replace(",", "")) for text in column(page, "datasets", "Anomalies")]
    assert values == sorted(values)
    page.keyboard.press("Tab")
    expect(page.locator("#datasets").get_by_role("button", name="Features")).to_be_focused()


def test_filters(open_page):
    page = open_page()
    page.fill("#detector-filter", "knn")
    for section in ("overview", "tests"):
        assert first_column(page, section) == ["KNN"]
    assert page.locator("#datasets thead th.v").all_inner_texts() == ["KNN"]
    assert page.locator("#cost circle").count() == 1
    page.fill("#dataset-filter", "MAGIC")
    assert first_column(page, "datasets") == ["magic/a", "magic/b"]
    page.fill("#detector-filter", "")
    page.locator("#hide summary").click()
    page.get_by_role("checkbox", name="LOF").uncheck()
    page.get_by_role("checkbox", name=QUOTES, exact=True).uncheck()
    shown = set(DETECTORS) - {"LOF", QUOTES}
    assert set(first_column(page, "overview")) == shown
    assert set(page.locator("#datasets thead th.v").all_inner_texts()) == shown
    assert page.locator('#ranks [data-detector="LOF"]').get_attribute("opacity") == "0.15"
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Reset").click()
    expect(page.locator("#overview tbody tr")).to_have_count(len(DETECTORS))
    expect(page.locator("#datasets tbody tr")).to_have_count(len(DATASETS))


def test_protocols_and_metrics(open_page):
    page = open_page()
    assert page.locator("#curves").is_hidden()
    before = column(page, "datasets", "KNN")
    page.select_option("#metric", label="AP")
    precision = column(page, "datasets", "KNN")
    assert precision != before
    assert "AP in percent" in page.locator("#datasets p").inner_text()
    page.select_option("#protocol", label="rare-event:50")
    assert "50 labelled rare rows" in page.locator("#explanation").inner_text()
    assert column(page, "datasets", "KNN") != precision
    assert page.locator("#curves g").count() == len(DETECTORS)
    page.select_option("#family", label="magic/*")
    assert "2 data sets" in page.locator("#curves p").inner_text()
    assert page.locator("#ranks svg .bar").count() > 0
    page.select_option("#metric", label="TPR at 1 % FPR")
    assert "TPR at 1 % FPR" in page.locator("#tests p").inner_text()


def test_best_and_failed_cells(open_page):
    page = open_page()
    for row in page.locator("#datasets tbody tr").all():
        cells = row.locator("td.v:not(.failed)")
        values = [float(text.rstrip("*")) for text in cells.all_inner_texts()]
        best = row.locator("td.best").all_inner_texts()
        assert [float(text.rstrip("*")) for text in best] == [max(values)]
    assert page.locator("#datasets td.failed").count() == 4
    assert first_column(page, "failures") == ["Failing"]


def test_phone(open_page):
    page = open_page(PHONE)
    for name in ("one-class", "rare-event:10"):
        page.select_option("#protocol", label=name)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"]
    box = page.locator("#datasets .box")
    assert box.evaluate("box => box.scrollWidth > box.clientWidth")


def test_screenshots(browser, report, tmp_path):
    paths = take(browser, report, tmp_path)
    assert [path.name for path in paths] == [
        f"benchmark-{view}.png" for view in ("desktop", "dark", "phone")
    ]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)
    assert len({path.read_bytes() for path in paths}) == 3


def test_ties_in_all_ranks(browser, tmp_path):
    """Three detectors that are alike have rank 2 each: an axis of no length."""
    lines = make_lines(["A", "B", "C"], ["a"], ["one-class"], n_seeds=1)
    for line in lines[1:]:
        line["auroc"] = 1.0
    report = write_report(write_results(tmp_path / "results.jsonl", lines), tmp_path)
    page = browser.new_page()
    page.goto(report.as_uri(), timeout=10_000)
    expect(page.locator("#ranks svg")).to_be_visible(timeout=10_000)
    page.close()
