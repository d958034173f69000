"""skflow fit: a detector learns from files and becomes one."""

import ast
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator

from .. import detectors
from .._files import check_writable
from .._hints import got_name
from ..io import save
from ..io._model_file import needed_skops
from ._input import Input
from ._progress import training_bar

logger = logging.getLogger(__name__)


def fit(
    data: Input,
    output: Path,
    *,
    detector: str,
    parameters: Sequence[str] = (),
    reservoir_size: int | None = None,
) -> None:
    """Fit a detector to the rows of files and write it.

    Parameters
    ----------
    data : Input
        Rows.
    output : Path
        Model file.
    detector : str
        Name of one of skflow's detectors.
    parameters : sequence of str
        Its parameters as ``name=value``.
    reservoir_size : int or None
        As in `fit_stream`.
    """
    model = make_detector(detector, parameters)
    check_writable(output)  # training would be in vain
    needed_skops()
    with training_bar(model):
        model.fit_stream(_labelled(data), reservoir_size=reservoir_size or "auto")
    save(model, output)
    logger.info("written: %s, threshold %.6g", output, model.offset_)


def make_detector(name: str, parameters: Sequence[str]) -> Any:
    """One of skflow's detectors, by its name and by ``name=value`` for its parameters."""
    known = {
        known: cls
        for known in detectors.__all__
        if issubclass(cls := getattr(detectors, known), BaseEstimator) and not _is_abstract(cls)
    }
    if name not in known:
        raise ValueError(f"--detector must be one of {', '.join(known)}; {got_name(name, known)}")
    values = {}
    for text in parameters:
        key, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"--set must be name=value; got {text!r}")
        try:
            values[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            values[key] = value
    return known[name]().set_params(**values)


def _is_abstract(cls: type) -> bool:
    return bool(getattr(cls, "__abstractmethods__", None))


def _labelled(data: Input) -> Iterator[Any]:
    """Rows that pass the cuts, with labels where there are any."""
    for batch in data.batches("read"):
        kept = batch[data.passed(batch)]
        labels = data.labels_of(kept)
        features = data.features(kept)
        yield features if labels is None else (features, labels)
    data.end()
