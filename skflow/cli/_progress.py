"""Progress of long jobs: a bar on a terminal, one line of log at the end elsewhere."""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

logger = logging.getLogger(__name__)


def with_progress(batches: Iterable[Any], what: str, n_rows: int | None = None) -> Iterator[Any]:
    """Pass batches on, and tell how many rows have passed, how fast, and how long it will take.

    Parameters
    ----------
    batches : iterable of sized
        Batches of rows.
    what : str
        What is done with them.
    n_rows : int or None
        Rows of all batches, where they are known.
    """
    start, n_done = time.monotonic(), 0
    with _bar(what, n_rows) as advance:
        for batch in batches:
            yield batch
            n_done += len(batch)
            advance(len(batch))
    seconds = max(time.monotonic() - start, 1e-9)
    rate = n_done / seconds
    logger.info("%s %s rows in %.1f s (%s rows/s)", what, f"{n_done:,}", seconds, f"{rate:,.0f}")


@contextmanager
def _bar(what: str, n_rows: int | None) -> Iterator[Callable[[int], None]]:
    """A bar of rich, where there is a terminal and rich."""
    if not sys.stderr.isatty():
        yield lambda n: None
        return
    try:
        from rich import progress
        from rich.console import Console
    except ImportError:
        yield lambda n: None
        return
    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.TextColumn("{task.completed:,.0f} rows{task.fields[rate]}"),
        progress.TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with progress.Progress(*columns, console=console) as bar:
        task = bar.add_task(what, total=n_rows, rate="")

        def advance(n: int) -> None:
            bar.advance(task, n)
            speed = bar.tasks[task].speed
            bar.update(task, rate=f", {speed:,.0f}/s" if speed else "")

        yield advance


@contextmanager
def training_bar(model: Any) -> Iterator[None]:
    """scikit-learn's own bar (1.9 and later) for training, on a terminal."""
    if not sys.stderr.isatty() or not hasattr(model, "set_callbacks"):
        yield
        return
    from sklearn.callback import ProgressBar

    model.set_callbacks(ProgressBar())
    yield
    model.set_callbacks()  # not in the model file
