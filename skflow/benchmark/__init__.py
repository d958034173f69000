"""The benchmark: tables, splits that leak nothing, detectors, a runner and a report."""

from ._detectors import detector_names, make_detector
from ._protocol import Split, Trial, make_trial, one_class_split, rare_event_split
from ._report import write_report
from ._results import auroc_matrix, read_results
from ._runner import run_benchmark
from ._tables import Table, load_table, table_names

__all__ = [
    "Split",
    "Table",
    "Trial",
    "auroc_matrix",
    "detector_names",
    "load_table",
    "make_detector",
    "make_trial",
    "one_class_split",
    "rare_event_split",
    "read_results",
    "run_benchmark",
    "table_names",
    "write_report",
]
