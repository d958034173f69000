"""skflow score: scores of all rows of files, in parts that are written whole."""

import hashlib
import io
import json
import logging
import os
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from .._files import write_whole
from ..detectors import BaseDetector
from ..detectors._validation import predicted
from ..io import load
from ._input import Input

logger = logging.getLogger(__name__)

#: Rows of a part, which is one row group.
PART_ROWS = 100_000


def score(model: Path, data: Input, output: Path, *, trusted: list[str]) -> int:
    """Score rows and write them to a folder of Parquet files.

    Parameters
    ----------
    model : Path
        Model file.
    data : Input
        Rows; its columns are replaced by the model's own, if it knows their names.
    output : Path
        Folder. If it holds parts of the same job, that was killed, the job goes on after them.
    trusted : list of str
        Types that the model file may hold besides.

    Returns
    -------
    n_scored : int
        Rows that have scores, those of former parts included.
    """
    arrow = import_module("pyarrow")
    detector = load(model, trusted=trusted)
    names = getattr(detector, "feature_names_in_", None)
    columns = data.columns if names is None else list(map(str, names))
    data = data._replace(columns=columns, batch_size=data.batch_size or PART_ROWS)
    job = _job(model, data)
    output.mkdir(parents=True, exist_ok=True)
    n_rows, n_scored = _done(output, job)
    if n_rows:
        logger.info("going on after %s rows that have scores", f"{n_rows:,}")
    end, part_start = 0, n_rows
    for batch in data.batches("scored"):
        start, end = end, end + len(batch)
        passed = data.passed(batch)
        if end <= n_rows or not passed.any():
            continue
        table: dict[str, Any] = {"row": start + np.flatnonzero(passed)}
        data.check_columns(batch, data.keep)
        batch = batch[passed]
        table |= {name: batch[name].to_numpy() for name in data.keep}
        table |= _scores(detector, data.features(batch))
        schema = {b"skflow": json.dumps({**job, "start": part_start, "end": end}).encode()}
        part = arrow.table(table).replace_schema_metadata(schema)
        written = io.BytesIO()
        import_module("pyarrow.parquet").write_table(part, written)
        write_whole(output / f"part-{part_start:012d}.parquet", written.getvalue())
        n_scored, part_start = n_scored + len(batch), end
    if end == 0:
        raise ValueError(f"{', '.join(map(str, data.files))} must hold rows; there were none")
    data.report_cuts()
    return n_scored


def _scores(detector: Any, X: Any) -> dict[str, np.ndarray]:
    """Scores, decisions and labels of rows."""
    score = detector.score_samples(X)
    last = detector[-1] if isinstance(detector, Pipeline) else detector
    ours = isinstance(last, BaseDetector)
    decision = score - last.offset_ if ours else detector.decision_function(X)
    return {"score": score, "decision": decision, "label": predicted(decision).astype(np.int8)}


def _job(model: Path, data: Input) -> dict[str, Any]:
    """What must be equal for a job to go on."""
    selection = data.selection
    return {
        "model": hashlib.sha256(model.read_bytes()).hexdigest(),
        "files": [
            [os.fspath(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns]
            for path in data.files
        ],
        "columns": data.columns,
        "keep": list(data.keep),
        "selection": None if selection is None else [name for name, _ in selection.counts],
        "table": data.table,
        "batch_size": data.batch_size,
    }


def _done(output: Path, job: dict[str, Any]) -> tuple[int, int]:
    """Rows that former parts have read and scored, if they are of the same job."""
    parquet = import_module("pyarrow.parquet")
    end = n_scored = 0
    for path in sorted(output.iterdir()):
        if path.name.startswith("."):  # half written by a job that was killed
            path.unlink()
            continue
        try:
            metadata = parquet.read_metadata(path)
            found = json.loads((metadata.metadata or {})[b"skflow"])
        except (ValueError, KeyError, OSError) as error:
            raise ValueError(
                f"{output} must be empty or hold scores; it holds {path.name}"
            ) from error
        start, last = found.pop("start"), found.pop("end")
        if found != job or start != end:
            changed = [name for name in job if found.get(name) != job[name]] or ["parts"]
            raise ValueError(
                f"{output} holds scores of another job, which differs in {', '.join(changed)}; "
                "choose another folder, or delete it"
            )
        end, n_scored = last, n_scored + metadata.num_rows
    return end, n_scored
