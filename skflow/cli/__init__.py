"""The `skflow` command: what a night's files need, without a line of Python."""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ._selection import Selection

__all__ = ["Selection", "main"]

logger = logging.getLogger(__name__)

EXIT_CODES = """
exit codes: 0 done; 1 the data, the model or a parameter is not what it must be; 2 a mistake in the
call; 3 a file could not be read or written, for example because the disk is full; 130 Ctrl-C
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if getattr(options, "anomalies", ()) and options.label is None:
        parser.error("--anomalies are values of a column; --label must say which")
    level = logging.WARNING if options.quiet else logging.INFO
    logging.basicConfig(level=level, format="skflow: %(message)s", stream=sys.stderr, force=True)
    logging.getLogger("skflow.training").setLevel(logging.WARNING)  # a line every few steps
    try:
        options.run(options)
    except KeyboardInterrupt:
        logger.error("interrupted")
        return 130
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        logger.error("error: %s", error)
        return 1
    except OSError as error:
        logger.error("error: %s", error)
        return 3
    except (ValueError, TypeError, ImportError, FloatingPointError) as error:
        logger.error("error: %s", error)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="skflow",
        description="Find what is rare in tables larger than memory.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quiet", action="store_true", help="say nothing but warnings")
    commands = parser.add_subparsers(metavar="command", required=True)

    fit = commands.add_parser("fit", help="learn the bulk and write a model file")
    _add_data(fit, "files")
    fit.add_argument("--output", "-o", type=Path, required=True, help="model file to write")
    fit.add_argument("--detector", default="RealNVPOutlierDetector", help="default: %(default)s")
    _add_parameters(fit)
    _add_label(fit)
    fit.add_argument(
        "--reservoir-size", type=_positive, metavar="N", help="rows to keep of all read"
    )
    fit.set_defaults(run=_run_fit)

    score = commands.add_parser("score", help="score rows and write a folder of Parquet files")
    score.add_argument("model", type=Path, help="model file")
    _add_data(score, "files")
    score.add_argument("--output", "-o", type=Path, required=True, help="folder to write")
    score.add_argument(
        "--keep", nargs="+", default=(), metavar="COLUMN", help="copied to the scores"
    )
    score.add_argument("--batch-size", type=_positive, metavar="N", help="rows of a part (100,000)")
    score.add_argument("--trust", nargs="+", default=(), metavar="TYPE", help="as in skflow.load")
    score.set_defaults(run=_run_score)

    compare = commands.add_parser("compare", help="cross-validate detectors, in memory")
    _add_data(compare, "files")
    compare.add_argument(
        "--detectors",
        nargs="+",
        default=["RealNVPOutlierDetector", "AutoencoderDetector", "MahalanobisDetector"],
        metavar="DETECTOR",
        help="default: %(default)s",
    )
    _add_label(compare)
    compare.add_argument("--folds", type=_positive, default=5, metavar="N", help="default: 5")
    compare.add_argument("--random-state", type=int, default=0, metavar="SEED", help="default: 0")
    compare.set_defaults(run=_run_compare)

    report = commands.add_parser("report", help="write the report of a benchmark's results")
    report.add_argument("results", type=Path, nargs="+", help="results files (JSON Lines)")
    report.add_argument("--output", "-o", type=Path, default=Path("report"), help="folder")
    report.add_argument("--title", default="Benchmark")
    report.add_argument("--reference", metavar="DETECTOR", help="that paired tests compare")
    report.set_defaults(run=_run_report)

    info = commands.add_parser("info", help="tell what a model file or a data file holds")
    info.add_argument("file", type=Path)
    info.set_defaults(run=_run_info)
    return parser


def _add_data(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument(
        name, type=Path, nargs="+", help="Parquet (files or folders), CSV, .npy, .npz, HDF5, DL1"
    )
    parser.add_argument("--columns", nargs="+", metavar="COLUMN", help="features; default: all")
    parser.add_argument("--table", help="of an HDF5 file; default: the only one, or DL1 parameters")
    parser.add_argument(
        "--selection", type=_selection, metavar="CUTS", help='such as "n_pixels > 3 and size > 50"'
    )


def _selection(text: str) -> Selection:
    try:
        return Selection(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _positive(text: str) -> int:
    try:
        value = int(text.replace("_", "").replace(",", ""))
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number, at least 1; got {text!r}")
    return value


def _add_parameters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set", nargs="+", default=(), metavar="NAME=VALUE", help="parameters of the detector"
    )


def _add_label(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--label", metavar="COLUMN", help="-1 for anomalies and +1 for the bulk")
    parser.add_argument(
        "--anomalies", nargs="+", default=(), metavar="VALUE", help="labels that are anomalies"
    )


def _data_of(options: argparse.Namespace, **others: Any) -> Any:
    from ._input import Input
    from ._labels import Labels

    label = getattr(options, "label", None)
    labels = None if label is None else Labels(label, options.anomalies)
    return Input(options.files, options.columns, labels, options.selection, options.table, **others)


def _run_fit(options: argparse.Namespace) -> None:
    from ._fit import fit

    fit(
        _data_of(options),
        options.output,
        detector=options.detector,
        parameters=options.set,
        reservoir_size=options.reservoir_size,
    )


def _run_score(options: argparse.Namespace) -> None:
    from ._score import score

    data = _data_of(options, keep=tuple(options.keep), batch_size=options.batch_size)
    n_scored = score(options.model, data, options.output, trusted=list(options.trust))
    logger.info("written: %s, %s rows", options.output, f"{n_scored:,}")


def _run_compare(options: argparse.Namespace) -> None:
    from ._compare import compare

    print(compare(_data_of(options), options.detectors, options.folds, options.random_state))


def _run_report(options: argparse.Namespace) -> None:
    from ..benchmark import write_report

    page = write_report(
        options.results, options.output, title=options.title, reference=options.reference
    )
    logger.info("written: %s", page)


def _run_info(options: argparse.Namespace) -> None:
    from ._info import describe

    print(json.dumps(describe(options.file), indent=2))
