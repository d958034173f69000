"""What `verbose` shows."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def shown_progress(verbose: int) -> Iterator[None]:
    """Let skflow's log through for a while, to stderr unless the user has set up logging."""
    logger = logging.getLogger("skflow")
    if not verbose:
        yield
        return
    handler = logging.NullHandler() if logger.hasHandlers() else logging.StreamHandler()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
