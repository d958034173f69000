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

from .._files import remove_stale, write_whole
from ..detectors import BaseDetector
from ..detectors._validation import predicted
from ..io import load
from ._input import Input

logger = logging.getLogger(__name__)

#: Rows of a part, which is one row group, and numbers in them.
PART_ROWS, PART_VALUES = 100_000, 2**24
#: Columns of the parts that are not the rows' own.
OWN_COLUMNS = ("row", "score", "decision", "label")
#: Name of a part, by the first row that it may hold, and of all.
PART, ALL_PARTS = "part-{:012d}.parquet", f"part-{'[0-9]' * 12}.parquet"


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

    Raises
    ------
    ValueError
        If a column to keep has the name of one of the scores', or values that do not fit the type
        that it has in the first part; if the folder holds anything else, or there are no rows.
    """
    taken = [name for name in data.keep if name in OWN_COLUMNS]
    if taken:
        raise ValueError(f"--keep must not name what the scores are called; got {taken}")
    detector = load(model, trusted=trusted)
    names = getattr(detector, "feature_names_in_", None)
    columns = data.columns if names is None else list(map(str, names))
    width = getattr(detector, "n_features_in_", 1) + len(data.keep)
    part_rows = min(PART_ROWS, max(PART_VALUES // width, 1))
    data = data._replace(columns=columns, batch_size=data.batch_size or part_rows)
    job = _job(model, data)
    output.mkdir(parents=True, exist_ok=True)
    remove_stale(output, ALL_PARTS)
    n_rows, n_scored, schema = _done(output, job)
    if n_rows:
        logger.info("going on after %s rows that have scores", f"{n_rows:,}")
    end, part_start, left = 0, n_rows, None
    for batch in data.batches("scored"):
        start, end = end, end + len(batch)
        passed = data.passed(batch)
        if end <= n_rows:
            continue
        data.check_columns(batch, data.keep)
        rows, left = start + np.flatnonzero(passed), batch[passed]
        if len(rows):
            part = _part(detector, data, rows, left, schema)
            schema = part.schema
            _write(part, output, {**job, "start": part_start, "end": end})
            n_scored, part_start = n_scored + len(rows), end
    if end == 0:
        raise ValueError(f"{', '.join(map(str, data.files))} must hold rows; there were none")
    if left is not None and part_start == 0:  # no row has passed: a table of none
        part = _part(detector, data, np.empty(0, dtype=np.int64), left, schema)
        _write(part, output, {**job, "start": 0, "end": end})
    data.end()
    return n_scored


def _part(detector: Any, data: Input, rows: np.ndarray, batch: Any, schema: Any) -> Any:
    """Table of the scores of a batch, whose positions in the input are `rows`."""
    arrow = import_module("pyarrow")
    table: dict[str, Any] = {"row": arrow.array(rows)}
    for name in data.keep:
        try:
            kept_type = None if schema is None else schema.field(name).type
            table[name] = arrow.array(batch[name], type=kept_type, from_pandas=True)
        except arrow.ArrowException as error:
            raise ValueError(
                f"the column {name} must be of one type, {kept_type or 'any'} as in the first "
                f"part: {error}. Parquet tells types beforehand; a larger --batch-size and another "
                "folder may help"
            ) from error
    return arrow.table(table | _scores(detector, data.features(batch)))


def _write(part: Any, output: Path, description: dict[str, Any]) -> None:
    part = part.replace_schema_metadata({b"skflow": json.dumps(description).encode()})
    written = io.BytesIO()
    import_module("pyarrow.parquet").write_table(part, written)
    write_whole(output / PART.format(description["start"]), written.getvalue())


def _scores(detector: Any, X: Any) -> dict[str, np.ndarray]:
    """Scores, decisions and labels of rows."""
    if not len(X):
        return {"score": np.empty(0), "decision": np.empty(0), "label": np.empty(0, dtype=np.int8)}
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
            for name in data.files
            for path in ([name] if name.is_file() else sorted(name.rglob("*")))
            if path.is_file()
        ],
        "columns": data.columns,
        "keep": list(data.keep),
        "selection": None if selection is None else [name for name, _ in selection.counts],
        "table": data.table,
        "batch_size": data.batch_size,
    }


def _done(output: Path, job: dict[str, Any]) -> tuple[int, int, Any]:
    """Rows that former parts have read and scored, if they are of the same job; their schema."""
    parquet = import_module("pyarrow.parquet")
    end, n_scored, schema = 0, 0, None
    for path in sorted(output.iterdir()):
        if path.name.startswith("."):  # no part: whoever made it keeps it
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
        schema = schema or metadata.schema.to_arrow_schema()
    return end, n_scored, schema
