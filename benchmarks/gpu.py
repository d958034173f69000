"""A GPU beside the CPU: training, scoring and files.

    python benchmarks/gpu.py [--rows 10_000_000] [--networks flow ...] [--output gpu-output]

Every network is trained on the CPU, on the GPU and, but for the flow's fast form, which has one
precision, on the GPU with ``mixed_precision=True``: the milliseconds of an optimiser step, of
which a fit of one step is taken off, and rows scored a second; median of three. "Difference" is
the largest one, in units of the scores' standard deviation, between the scores of one fitted
detector on both devices; "same bits" whether a second fit with the same seed gives the same
weights. At last `skflow score` reads so many rows of ten columns from Parquet, scores them on the
GPU and writes them. torch uses as many threads as it finds cores. Writes results.json and
results.md; ``--networks`` and ``--rows 0`` leave rows of earlier runs there as they are.
"""

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scale import make_rows, score_parquet

from skflow import AutoencoderDetector, RealNVPOutlierDetector
from skflow.images import FastFlowDetector, MoCoTransformer

N_REPEATS = 3
TABLE = make_rows(100_000, 10, 0)
IMAGES = make_rows(1000, 64 * 64, 0)
SHAPE: dict[str, Any] = {"image_shape": (64, 64)}
#: Name, detector, rows to train on, rows to score, steps on CPU and on GPU.
CASES: list[tuple[str, Any, np.ndarray, np.ndarray, tuple[int, int]]] = [
    ("flow", RealNVPOutlierDetector(), TABLE, make_rows(500_000, 10, 1), (100, 100)),
    (
        "flow, 1,024 wide, batches of 16,384",
        RealNVPOutlierDetector(hidden_features=1024, batch_size=16_384),
        TABLE,
        TABLE[:20_000],
        (3, 30),
    ),
    (
        "autoencoder of images",
        AutoencoderDetector(architecture="conv", **SHAPE),
        IMAGES,
        IMAGES,
        (8, 60),
    ),
    ("FastFlowDetector", FastFlowDetector(**SHAPE), IMAGES, IMAGES, (10, 60)),
    (
        "MoCoTransformer, 32 wide, batches of 256",
        MoCoTransformer(width=32, batch_size=256, **SHAPE),
        IMAGES,
        IMAGES,
        (3, 30),
    ),
]


def seconds(compute: Callable[[], Any]) -> float:
    """Median time of some calls."""
    times = []
    for _ in range(N_REPEATS):
        start = time.perf_counter()
        compute()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def scores(model: Any, rows: np.ndarray) -> np.ndarray:
    """Scores, or features, of rows."""
    return (getattr(model, "score_samples", None) or model.transform)(rows)


def measure(model: Any, train: np.ndarray, test: np.ndarray, n_steps: int, device: str) -> Any:
    """Time one network on one device."""
    model.set_params(device=device, random_state=0, max_iter=1)
    if "early_stopping" in model.get_params():
        model.set_params(early_stopping=False, contamination=0.05)
    model.fit(train[:500])  # what only the first call does
    once = seconds(lambda: model.fit(train))
    model.set_params(max_iter=n_steps)
    step = (seconds(lambda: model.fit(train)) - once) / (n_steps - 1)
    first = {name: weight.copy() for name, weight in model.weights_.items()}
    again = model.fit(train).weights_
    rate = len(test) / seconds(lambda: scores(model, test))
    few = test[:2000]
    here, on_cpu = scores(model, few), scores(model.set_params(device="cpu"), few)
    return {
        "step ms": 1000 * step,
        "rows/s": rate,
        "difference": float(np.abs(here - on_cpu).max() / on_cpu.std()),
        "same bits": all(np.array_equal(first[name], again[name]) for name in first),
    }


def report(results: dict[str, Any]) -> str:
    """All results in Markdown."""
    table = pd.DataFrame(results["networks"])
    table["step ms"] = table["step ms"].map("{:.1f}".format)
    table["rows/s"] = table["rows/s"].map("{:,.0f}".format)
    table["difference"] = table["difference"].map("{:.0e}".format)
    lines = [
        f"{results['gpu']}; {results['cpu threads']} CPU threads; torch {results['torch']}.",
        table.to_markdown(index=False, disable_numparse=True),
    ]
    if "parquet" in results:
        parquet = results["parquet"]
        lines.append(
            f"`skflow score` of {parquet['rows']:,} rows of 10 columns from Parquet, on the GPU: "
            f"{parquet['seconds']:.0f} s, {parquet['rows/s']:,.0f} rows a second with the start of "
            f"the command, of which reading alone takes {parquet['reading s']:.1f} s; peak of "
            f"resident memory {parquet['peak MiB']:,.0f} MiB."
        )
    return "\n\n".join(lines) + "\n"


def write(results: dict[str, Any], folder: Path) -> None:
    """Write what there is so far."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    (folder / "results.md").write_text(report(results), encoding="utf-8")


def main() -> None:
    """Parse the command line, measure, write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    names = [case[0] for case in CASES]
    parser.add_argument("--networks", nargs="+", default=names, choices=names, metavar="NAME")
    parser.add_argument("--output", type=Path, default=Path("gpu-output"))
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        parser.error("needs a GPU of NVIDIA, and torch with CUDA")
    file = arguments.output / "results.json"
    results: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {"networks": []}
    results |= {
        "gpu": torch.cuda.get_device_name(),
        "cpu threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    kept = [row for row in results["networks"] if row["network"] not in arguments.networks]
    results["networks"] = kept
    for name, model, train, test, n_steps in CASES:
        if name not in arguments.networks:
            continue
        for device, mixed in (("cpu", False), ("cuda", False), ("cuda", True)):
            if mixed and isinstance(model, RealNVPOutlierDetector):
                continue  # its fast form has one precision
            model.set_params(mixed_precision=mixed)
            found = measure(model, train, test, n_steps[device == "cuda"], device)
            where = f"GPU{', mixed precision' if mixed else ''}" if device == "cuda" else "CPU"
            results["networks"].append({"network": name, "device": where, **found})
            print(results["networks"][-1], flush=True)
            write(results, arguments.output)
    if arguments.rows:
        with tempfile.TemporaryDirectory() as folder:
            results["parquet"] = score_parquet(arguments.rows, Path(folder))
    write(results, arguments.output)
    print(report(results))


if __name__ == "__main__":
    main()
