"""Time and memory of a flow against the number of rows and of columns, and PyOD's KNN beside it.

    python benchmarks/scale.py [--rows 10_000_000] [--values 10_000_000_000] [--output scale-output]
                               [--parts rates parquet growth]

Three parts. Parquet: so many rows of ten columns are scored by the `skflow score` command. Rates:
rows a second that a flow and PyOD's KNN score, both fitted to 100,000 rows of ten columns, in one
process, in turn, with one thread each and with all cores, median of five. Growth: `fit_stream` and
`score_samples` of n rows of d columns that come in batches, for n from 10,000 to 10,000,000 and d
of 10, 100 and 1,000 as far as n d is at most `--values` (the cell of 10^9 takes six minutes, that
of 10^10 three quarters of an hour), every cell in a process of its own, with the exponent of n in
the seconds, by least squares of their logarithms.
Memory is the peak of resident memory of the process (Linux), the libraries' own share included.
torch uses as many threads as it finds cores, or as OMP_NUM_THREADS says. Writes results.json and
results.md.
"""

import argparse
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from joblib import cpu_count
from pyod.models.knn import KNN

import skflow
from skflow import RealNVPOutlierDetector

COLUMNS = (10, 100, 1000)
ROWS = (10_000, 100_000, 1_000_000, 10_000_000)
BATCH_ROWS = 50_000
N_REPEATS = 5
PARTS = ("rates", "parquet", "growth")


def make_rows(n: int, d: int, seed: int) -> np.ndarray:
    """Rows whose columns depend on one another."""
    rng = np.random.RandomState(seed)
    mixing = np.random.RandomState(0).normal(size=(5, d))
    return np.tanh(rng.normal(size=(n, 5)) @ mixing) + 0.3 * rng.normal(size=(n, d))


def stream(n: int, d: int) -> Iterator[np.ndarray]:
    """n rows in batches, which are one batch again and again: making rows is not measured."""
    size = min(BATCH_ROWS, max(1, 5_000_000 // d), n)
    batch = make_rows(size, d, 1)
    for start in range(0, n, size):
        yield batch[: n - start]


def peak() -> float:
    """Largest resident memory of this process so far, in MiB."""
    (line,) = (x for x in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in x)
    return int(line.split()[1]) / 1024


def grow(n: int, d: int) -> dict[str, Any]:
    """Seconds and memory of one cell of the table."""
    start = time.perf_counter()
    model = RealNVPOutlierDetector(random_state=0).fit_stream(stream(n, d))
    fitted = time.perf_counter()
    memory = peak()
    for batch in stream(n, d):
        model.score_samples(batch)
    scored = time.perf_counter()
    return {
        "columns": d,
        "rows": n,
        "fit s": fitted - start,
        "score s": scored - fitted,
        "fit MiB": memory,
        "all MiB": peak(),
    }


def score_parquet(n: int, folder: Path) -> dict[str, Any]:
    """Score a file by the command, in a process of its own."""
    data, model, scores = folder / "rows.parquet", folder / "model.skflow", folder / "scores"
    names = [f"x{i}" for i in range(10)]
    with pq.ParquetWriter(data, pa.schema([(name, pa.float64()) for name in names])) as writer:
        for start in range(0, n, 500_000):
            rows = make_rows(min(500_000, n - start), 10, start)
            writer.write_table(pa.Table.from_arrays(list(rows.T.copy()), names=names))
    first = pd.DataFrame(make_rows(100_000, 10, 1), columns=names)
    skflow.save(RealNVPOutlierDetector(random_state=0).fit(first), model)
    code = (
        "import sys\n"
        "from skflow.cli import main\n"
        "code = main(sys.argv[1:])\n"
        "print([x for x in open('/proc/self/status') if 'VmHWM' in x][0].split()[1])\n"
        "sys.exit(code)"
    )
    start = time.perf_counter()
    words = [sys.executable, "-c", code, "score", str(model), str(data), "-o", str(scores)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    n_scored = pq.ParquetDataset(scores).read(columns=["row"]).num_rows
    start = time.perf_counter()
    for _ in skflow.io.read_batches(data, batch_size=100_000):
        pass
    return {
        "rows": n_scored,
        "seconds": seconds,
        "rows/s": n_scored / seconds,
        "reading s": time.perf_counter() - start,
        "peak MiB": int(done.stdout) / 1024,
    }


def rates() -> list[dict[str, Any]]:
    """Rows a second of the flow and of PyOD's KNN, with one thread each and with all."""
    train, test = make_rows(100_000, 10, 0), make_rows(20_000, 10, 1)
    few = test[:2000]
    n_cores = cpu_count(only_physical_cores=False)
    flow = RealNVPOutlierDetector(random_state=0).fit(train)
    knn = {n: KNN(n_jobs=n).fit(train) for n in {1, n_cores}}
    seconds: dict[tuple[str, int], list[float]] = {}
    for _ in range(N_REPEATS):
        for n, other in knn.items():
            torch.set_num_threads(n)
            for name, score, rows in (
                ("flow", flow.score_samples, test),
                ("PyOD KNN", other.decision_function, few),
            ):
                start = time.perf_counter()
                score(rows)
                taken = (time.perf_counter() - start) / len(rows)
                seconds.setdefault((name, n), []).append(taken)
    return [
        {
            "detector": name,
            "threads": n,
            "rows/s": 1 / float(np.median(times)),
            "to KNN": float(np.median(np.divide(seconds["PyOD KNN", 1], times))),
            "least": float(np.divide(seconds["PyOD KNN", 1], times).min()),
        }
        for (name, n), times in seconds.items()
    ]


def report(results: dict[str, Any]) -> str:
    """Tables of all parts."""
    parquet = results["parquet"]
    rate = pd.DataFrame(results["rates"]).round({"rows/s": 0, "to KNN": 1, "least": 1})
    table = pd.DataFrame(results["growth"])
    lines = [
        f"Torch with {results['threads']} thread(s) but where it is said.",
        f"`skflow score` of {parquet['rows']:,} rows of 10 columns from Parquet: "
        f"{parquet['seconds']:.0f} s, {parquet['rows/s']:,.0f} rows a second, of which reading "
        f"alone takes {parquet['reading s']:.0f} s; peak of resident memory "
        f"{parquet['peak MiB']:.0f} MiB.",
        f"Rows a second that detectors of 100,000 rows of 10 columns score, and how many times as "
        f"many as PyOD's KNN as it comes, with one thread; the least of {N_REPEATS} repeats.",
        rate.to_markdown(index=False, intfmt=","),
        table.round({"fit s": 1, "score s": 2, "fit MiB": 0, "all MiB": 0}).to_markdown(
            index=False, intfmt=","
        ),
    ]
    exponents = []
    for d, rows in table.groupby("columns"):
        slope = {
            name: np.polyfit(np.log(rows["rows"]), np.log(rows[name]), 1)[0]
            for name in ("fit s", "score s", "all MiB")
        }
        exponents.append({"columns": d, **slope})
    lines.append("Exponents of the number of rows:")
    lines.append(pd.DataFrame(exponents).round(2).to_markdown(index=False, intfmt=","))
    return "\n\n".join(lines) + "\n"


def write(results: dict[str, Any], file: Path) -> None:
    """Write what there is so far."""
    file.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Parse the command line, run all parts, write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=ROWS[-1], help="the most")
    parser.add_argument("--values", type=int, default=10**10, help="the most numbers in a table")
    parser.add_argument("--output", type=Path, default=Path("scale-output"))
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS, help="measured anew")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    file = arguments.output / "results.json"
    results: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    results["threads"] = torch.get_num_threads()
    if "rates" in arguments.parts:
        results["rates"] = rates()
    if "parquet" in arguments.parts:
        with tempfile.TemporaryDirectory() as folder:
            results["parquet"] = score_parquet(arguments.rows, Path(folder))
    if "growth" in arguments.parts:
        results["growth"] = []
        for d in COLUMNS:
            for n in ROWS:
                if n <= arguments.rows and n * d <= arguments.values:
                    with multiprocessing.get_context("spawn").Pool(1) as pool:
                        results["growth"].append(pool.apply(grow, (n, d)))
                    print(results["growth"][-1], flush=True)
                    write(results, file)
    write(results, file)
    (arguments.output / "results.md").write_text(report(results), encoding="utf-8")
    print(report(results))


if __name__ == "__main__":
    main()
