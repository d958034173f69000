"""Speed of the RealNVP flow beside zuko, FrEIA, normflows and nflows on the CPU.

    python benchmarks/flows.py [--repeats 20] [--threads 1 2] [--output flows-output]

Every library computes the same function: 8 blocks of width 128 with the same float32 weights,
whose log-densities are compared before anything is timed. Timed are one optimiser step (zero
gradients, likelihood, backward, clipped norm, fused AdamW) and one scoring pass (log_prob without
gradients). The libraries take turns, so that whatever else the machine does hits all alike; the
median over turns counts. Each number of threads has its own process. Writes results.csv and
results.md.
"""

import argparse
import copy
import math
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from peers import to_freia, to_nflows, to_normflows, to_zuko
from torch import Tensor, nn

from skflow.flows import Flow, fuse, realnvp

PEERS = {"zuko": to_zuko, "FrEIA": to_freia, "normflows": to_normflows, "nflows": to_nflows}
LIBRARIES: dict[str, Callable[[Flow], nn.Module]] = {**PEERS, "skflow": fuse}
CELLS = [(10, 256), (10, 4096), (128, 512)]
TASKS = ["step", "scoring"]
#: Calls in a turn of a library; one more goes before and is not timed.
CALLS = 3


def make_flow(n_features: int, generator: torch.Generator) -> Flow:
    """A RealNVP away from its start, where couplings are the identity."""
    flow = realnvp(n_features, n_blocks=8, hidden_features=128, reach=math.inf, generator=generator)
    with torch.no_grad():
        for parameter in flow.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(0.3 * parameter.shape[-1] ** -0.5 * noise)
    return flow


def check(flow: Flow, x: Tensor) -> None:
    """Compare the log-densities of all libraries, in both precisions."""
    for dtype, tolerance in ((torch.float32, 1e-3), (torch.float64, 1e-5)):
        typed, rows = copy.deepcopy(flow).to(dtype), x.to(dtype)
        with torch.no_grad():
            expected = typed.log_prob(rows)
            for name, build in LIBRARIES.items():
                difference = (build(typed).log_prob(rows) - expected).abs().max().item()
                if not difference < tolerance:
                    raise AssertionError(
                        f"{name} must agree within {tolerance} in {dtype}, got {difference:.2g}"
                    )


def make_tasks(model: nn.Module, x: Tensor) -> dict[str, Callable[[], Any]]:
    """One optimiser step and one scoring pass."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-6, fused=True)

    def step() -> None:
        optimizer.zero_grad()
        (-model.log_prob(x).mean()).backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()

    @torch.no_grad()
    def scoring() -> Tensor:
        return model.log_prob(x)

    return {"step": step, "scoring": scoring}


def time_turn(task: Callable[[], Any]) -> float:
    """Seconds a call."""
    task()
    start = time.perf_counter()
    for _ in range(CALLS):
        task()
    return (time.perf_counter() - start) / CALLS


def measure(n_threads: int, repeats: int) -> list[dict[str, Any]]:
    """Check and time all libraries with a number of threads, in this process."""
    torch.set_num_threads(n_threads)
    rows = []
    for d, batch in CELLS:
        generator = torch.Generator().manual_seed(d)
        flow = make_flow(d, generator)
        x = torch.randn(batch, d, generator=generator)
        check(flow, x)
        tasks = {
            name: make_tasks(build(copy.deepcopy(flow)), x) for name, build in LIBRARIES.items()
        }
        seconds = {(name, task): [] for task in TASKS for name in tasks}
        for _ in range(repeats):
            for (name, task), values in seconds.items():
                values.append(time_turn(tasks[name][task]))
        cell = {"threads": n_threads, "d": d, "batch": batch}
        for (name, task), values in seconds.items():
            low, median, high = 1e3 * np.quantile(values, [0.25, 0.5, 0.75])
            rows.append(
                cell
                | {"task": task, "library": name, "ms": median, "25 %": low, "75 %": high}
                | {"rows/s": 1e3 * batch / median}
            )
    return rows


def add_ratios(results: pd.DataFrame) -> None:
    """Add how many times faster than the best peer each library is."""
    peers = results[results["library"] != "skflow"]
    keys = ["threads", "d", "batch", "task"]
    best = peers.groupby(keys)["ms"].min().rename("best peer")
    results["x best peer"] = results.join(best, on=keys)["best peer"] / results["ms"]


def report(results: pd.DataFrame, repeats: int) -> str:
    """The tables in Markdown, and what they were measured with."""
    parts = []
    for (threads, task), rows in results.groupby(["threads", "task"], sort=False):
        table = rows[["d", "batch", "library", "ms", "25 %", "75 %", "x best peer", "rows/s"]]
        title = {"step": "One optimiser step", "scoring": "One scoring pass"}[task]
        formats = ["d", "d", "", ".2f", ".2f", ".2f", ".2f", ",.0f"]
        body = table.to_markdown(index=False, floatfmt=formats)
        parts.append(f"### {title}, {threads} thread{'s' * (threads > 1)}\n\n{body}")
    ours = results[(results["library"] == "skflow") & (results["d"] == 10)]
    lines = [
        f"- {task}, {threads} thread{'s' * (threads > 1)}: "
        + ", ".join(f"{row['rows/s']:,.0f} (batch {row['batch']})" for _, row in rows.iterrows())
        for (threads, task), rows in ours.groupby(["threads", "task"], sort=False)
    ]
    parts.append("### Rows per second of skflow at d = 10\n\n" + "\n".join(lines))
    versions = ", ".join(f"{name} {version(name)}" for name in [*PEERS, "torch"])
    parts.append(
        f"Medians and quartiles of {repeats} interleaved turns of {CALLS} calls; float32; "
        f"\"x best peer\" is the best peer's time over the library's, so that more than 1 is "
        f"faster. {cpu_model()}; Python {platform.python_version()}, {versions}.\n"
    )
    return "\n\n".join(parts)


def cpu_model() -> str:
    """Name of the processor, where the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=20, help="turns of every library")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--output", type=Path, default=Path("flows-output"))
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    rows = []
    for n_threads in options.threads:
        with get_context("spawn").Pool(1) as pool:
            rows += pool.apply(measure, (n_threads, options.repeats))
    results = pd.DataFrame(rows)
    add_ratios(results)
    results.to_csv(options.output / "results.csv", index=False, float_format="%.5g")
    text = report(results, options.repeats)
    (options.output / "results.md").write_text(text, encoding="utf-8")
    print(f"{text}\nWritten to {options.output}/")


if __name__ == "__main__":
    main()
