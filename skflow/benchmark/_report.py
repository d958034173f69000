"""Reports of a benchmark: a Markdown file and one self-contained HTML page."""

import html
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from .._files import write_whole
from ._markdown import to_markdown
from ._results import read_environments, read_results
from ._summary import summarize


def write_report(
    results: str | Path | Sequence[str | Path],
    output: str | Path,
    *,
    title: str = "Benchmark",
    reference: str | None = None,
) -> Path:
    """Write ``report.md`` and ``report.html``, which needs no server, network or other file.

    The same results give the same bytes. How failures count, what the intervals mean and which
    tests are made stands in the report itself.

    Parameters
    ----------
    results : path or sequence of paths
        JSON Lines files of the runner.
    output : path
        Folder, made if need be; reports in it are replaced.
    title : str, default="Benchmark"
        Heading.
    reference : str, default=None
        Detector that the paired tests compare with each other one; by default the one of the
        best mean rank, by protocol and metric.

    Returns
    -------
    page : Path
        ``report.html``.

    Raises
    ------
    ValueError
        If the results hold no fit, or no protocol compares the reference.

    Examples
    --------
    >>> from skflow.benchmark import write_report
    >>> page = write_report("results.jsonl", "report")  # doctest: +SKIP
    """
    paths = [results] if isinstance(results, str | Path) else list(results)
    summary = summarize(read_results(*paths), reference=reference)
    summary |= {"title": title, "environments": read_environments(*paths)}
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "report.md", to_markdown(summary).encode())
    page = folder / "report.html"
    write_whole(page, to_html(summary).encode())
    return page


def to_html(summary: dict[str, Any]) -> str:
    """The page: the template with the title and all figures as JSON, which its script shows."""
    figures = json.dumps(summary, allow_nan=False, separators=(",", ":"))
    # No name may end the script element or start a comment in it.
    for character in "<>&":
        figures = figures.replace(character, f"\\u{ord(character):04x}")
    template = files(__package__).joinpath("report.html").read_text(encoding="utf-8")
    head, middle, tail = template.split("@@")[::2]
    return head + html.escape(summary["title"]) + middle + figures + tail
