"""python -m skflow.benchmark: run a benchmark, report on its results."""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from . import run_benchmark

logger = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 is success, 1 a dead worker, 2 a mistake in the call, 130 Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m skflow.benchmark", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="fit all that is missing in the results file")
    run.add_argument("config", type=Path, help="TOML file")
    run.add_argument("--jobs", type=int, help="fits at a time; -1: one a processor")
    run.add_argument("--output", type=Path, help="results file (JSON Lines)")
    run.add_argument("--retry-errors", action="store_true", help="repeat fits that failed")
    report = commands.add_parser("report", help="write report.md and report.html")
    report.add_argument("results", type=Path, nargs="+", help="results files")
    report.add_argument("--output", type=Path, default=Path("report"), help="folder")
    report.add_argument("--title", default="Benchmark")
    report.add_argument(
        "--reference", help="detector that paired tests compare; that of the best mean rank"
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    try:
        if options.command == "run":
            run_benchmark(
                options.config,
                output=options.output,
                n_jobs=options.jobs,
                retry_errors=options.retry_errors,
            )
        else:
            from ._report import write_report

            page = write_report(
                options.results, options.output, title=options.title, reference=options.reference
            )
            logger.info("written: %s", page)
    except ChildProcessError as error:
        logger.error("%s", error)
        return 1
    except (ValueError, OSError, ImportError) as error:
        logger.error("%s", error)
        return 2
    except KeyboardInterrupt:
        logger.error("interrupted; run it again to go on")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
