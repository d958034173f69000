"""Screenshots of a benchmark's report in headless Chromium: desktop, dark and phone.

    python benchmarks/screenshots.py REPORT_HTML OUTPUT_FOLDER

Writes benchmark-desktop.png, benchmark-dark.png and benchmark-phone.png. Needs Playwright and a
Chromium or Chrome of the system.
"""

import argparse
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

PROGRAMS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
# No sandbox inside containers, and nothing that calls home.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
VIEWS = {
    "desktop": {"viewport": {"width": 1360, "height": 1000}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1360, "height": 1000}, "color_scheme": "dark"},
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "color_scheme": "light",
        "is_mobile": True,
        "has_touch": True,
    },
}


def find_chromium() -> str | None:
    """Path of the system's Chromium or Chrome, None where there is none."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


@contextmanager
def open_browser() -> Iterator[Browser]:
    """The system's Chromium, headless."""
    program = find_chromium()
    if program is None:
        raise FileNotFoundError(f"needs one of {', '.join(PROGRAMS)} on the PATH: make chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def take(browser: Browser, report: Path, folder: Path, *, full_page: bool = False) -> list[Path]:
    """Take all views; with `full_page` the whole height of each."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, options in VIEWS.items():
        page = browser.new_page(device_scale_factor=1.5, **options)
        page.goto(report.resolve().as_uri())
        paths.append(folder / f"benchmark-{name}.png")
        page.screenshot(path=paths[-1], full_page=full_page)
        page.close()
    return paths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path, metavar="REPORT_HTML")
    parser.add_argument("folder", type=Path, metavar="OUTPUT_FOLDER")
    parser.add_argument("--full-page", action="store_true", help="the whole height of the page")
    options = parser.parse_args()
    with open_browser() as browser:
        for path in take(browser, options.report, options.folder, full_page=options.full_page):
            print(path)


if __name__ == "__main__":
    main()
