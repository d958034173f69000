"""The results file: one JSON object a line, whole lines only, one writer."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

#: What a fit is known by: a later line with the same key replaces an earlier one.
KEY = ("dataset", "protocol", "seed", "detector", "use", "params", "max_rows", "features")
#: What a fit says of its split, of its ranking and of its price; None where it failed before.
SIZES = ("n_train", "n_test", "n_features", "n_anomalies", "repeated", "twins")
FIGURES = ("auroc", "average_precision", "tpr_at_1pct_fpr", "ap_1_to_1", "ap_1_to_100")
COSTS = ("fit_seconds", "score_seconds", "peak_memory_mib")


class ResultsFile:
    """A results file that this process alone may write to, as a context.

    A last line that a kill has torn is cut off when the file is opened.

    Attributes
    ----------
    path : Path
        The file, made if need be with its folder; the lock is a file beside it.
    lines : list of dict
        What stood in it when it was opened.

    Raises
    ------
    BlockingIOError
        If another process writes to it.
    ValueError
        If a line is not one of a results file.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)

    def __enter__(self) -> "ResultsFile":
        from filelock import FileLock, Timeout

        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(f"{self.path}.lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise BlockingIOError(
                f"another run is writing to {self.path}: wait for its end or choose another output"
            ) from None
        try:
            self._file = open(self.path, "a+b")
            try:
                self._file.seek(0)
                content = self._file.read()
                self.lines = list(_parse(content, self.path))
                self._file.truncate(content.rfind(b"\n") + 1)
            except BaseException:
                self._file.close()
                raise
        except BaseException:
            self._lock.release()
            raise
        return self

    def append(self, line: Mapping[str, Any]) -> None:
        """Write one line, so that it is on the disk when this returns."""
        text = json.dumps(line, allow_nan=False, default=_plain)
        self._file.write(text.encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def __exit__(self, *exception: object) -> None:
        self._file.close()
        self._lock.release()


def key_of(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """The key of a fit; parameters as text, whatever their order."""
    return tuple(
        json.dumps(row.get(name), sort_keys=True) if name == "params" else row.get(name)
        for name in KEY
    )


def last_fits(lines: list[dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """The last line of each key, in the order in which the keys first came."""
    return {key_of(line): line for line in lines if line["kind"] == "fit"}


def read_results(*paths: str | Path) -> Any:
    """Read the fits of results files, which may still be growing.

    Parameters
    ----------
    *paths : str or Path
        JSON Lines files of `run_benchmark`.

    Returns
    -------
    results : pandas.DataFrame
        One row a fit: dataset, protocol, seed, detector, use, params, max_rows, features,
        environment;
        n_train, n_test, n_features, n_anomalies (of the test rows), repeated (share of rows that
        repeat an earlier one) and twins (share of test bulk rows that are in training, too);
        auroc, average_precision, tpr_at_1pct_fpr, and average precision restated for one and for
        a hundred bulk rows per anomaly, ap_1_to_1 and ap_1_to_100; fit_seconds, score_seconds and
        peak_memory_mib (growth of the process); auroc_by_class, a dict of the AUROC against each
        class of anomalies, of tables that have such; error, None for a fit that went well. A fit
        that was repeated counts with its last line.

    Raises
    ------
    ImportError
        If pandas is not installed.
    ValueError
        If a line is not one of a results file.

    Examples
    --------
    >>> from skflow.benchmark import read_results
    >>> results = read_results("results.jsonl")  # doctest: +SKIP
    >>> results.groupby("detector")["auroc"].mean()  # doctest: +SKIP
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("read_results needs pandas: pip install skflow-detect[bench]") from error
    columns = ["environment", *KEY, *SIZES, *FIGURES, *COSTS, "auroc_by_class", "error"]
    rows = [[row.get(name) for name in columns] for row in last_fits(_lines(*paths)).values()]
    frame = pd.DataFrame(rows, columns=columns, dtype=object)
    numbers = dict.fromkeys([*SIZES, *FIGURES, *COSTS, "max_rows"], float) | {"seed": int}
    return frame.astype(numbers)


def auroc_matrix(results: Any, detector: str) -> Any:
    """AUROC of each bulk against each class: the "confusion matrix" of arXiv:2208.14024, table 2.

    Parameters
    ----------
    results : pandas.DataFrame
        Of `read_results`.
    detector : str
        Its name there.

    Returns
    -------
    matrix : pandas.DataFrame
        A row for each table and protocol, a column for each class of anomalies (NaN where it is
        the bulk): means over seeds.

    Raises
    ------
    ValueError
        If no fit of that detector has classes.

    Examples
    --------
    >>> import pandas as pd
    >>> from skflow.benchmark import auroc_matrix
    >>> fit = {"detector": "KNN", "dataset": "images/a-0", "protocol": "one-class"}
    >>> results = pd.DataFrame([fit | {"auroc_by_class": {"1": p}} for p in (0.5, 0.7)])
    >>> float(auroc_matrix(results, "KNN").loc[("images/a-0", "one-class"), "1"])
    0.6
    """
    rows = results[(results["detector"] == detector) & results["auroc_by_class"].notna()]
    if rows.empty:
        raise ValueError(f"results must hold fits of {detector} to tables of several classes")
    by_class = type(results)(rows["auroc_by_class"].tolist(), index=rows.index, dtype=float)
    matrix = by_class.groupby([rows["dataset"], rows["protocol"]]).mean()
    return matrix[sorted(matrix, key=int)]


def read_environments(*paths: str | Path) -> list[dict[str, Any]]:
    """The environments of results files: versions and hardware, each once."""
    found = {line["id"]: line for line in _lines(*paths) if line["kind"] == "environment"}
    return list(found.values())


def _lines(*paths: str | Path) -> list[dict[str, Any]]:
    return [line for path in paths for line in _parse(Path(path).read_bytes(), path)]


def _parse(content: bytes, path: str | Path) -> Iterator[dict[str, Any]]:
    """All whole lines."""
    for number, text in enumerate(content.split(b"\n")[:-1], start=1):
        try:
            line = json.loads(text)
        except ValueError:
            line = None
        if not isinstance(line, dict) or line.get("kind") not in ("environment", "fit"):
            raise ValueError(
                f"every line of {path} must be a fit or an environment in JSON; got "
                f"{text[:60]!r} in line {number}"
            )
        yield line


def _plain(value: Any) -> Any:
    """NumPy's numbers as Python's."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a results file holds JSON only; got {type(value).__name__}")
