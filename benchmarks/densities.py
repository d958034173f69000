"""Known densities learned by skflow's presets beside zuko's flows of as many parameters.

    python benchmarks/densities.py [--seeds 3] [--jobs 2] [--output densities-output]

The number is the Kullback-Leibler divergence of the learned density f from the known one p,
KL(p || f) = mean(log p - log f) over fresh draws from p, in nats. All methods get the same training
rows, the same standardising first layer and the same loop (AdamW, one-cycle rate, neither weight
decay nor noise nor early stopping) with as many steps of the same batch size. zuko's networks are
as wide as gives the number of parameters nearest to the preset's; weights that its masks switch off
are not counted. The learning rate is the best of three for every method and density, by training
and test draws of a seed that the table does not use. Writes results.csv (one row a fit),
results.md and densities.png.
"""

import argparse
import math
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
import zuko
from joblib import Parallel, delayed, parallel_config
from known import make_densities
from torch import nn

from skflow.flows import Flow, ForeignFlow, fuse, realnvp, spline
from skflow.objectives import Likelihood
from skflow.training import Batch, Noise, batches, seeded_torch, train

N_TRAIN, N_TEST = 10_000, 20_000
BATCH_SIZE = 256
RATES = [1e-3, 3e-3, 1e-2]
#: Draws by which the learning rate is chosen; those of the table have the seeds 0, 1, ...
RATE_SEED = 100
PRESETS = {
    "realnvp": partial(realnvp, n_blocks=8, hidden_features=32),
    "spline": partial(spline, n_blocks=4, hidden_features=32),
}
#: What each of zuko's flows is beside.
PEERS = {
    "zuko RealNVP": "realnvp",
    "zuko NSF, autoregressive": "spline",
    "zuko NSF, coupling": "spline",
}


def methods(n_features: int) -> list[str]:
    """What is compared: one feature has no RealNVP, two have one kind of NSF."""
    if n_features == 1:
        return ["skflow spline", "zuko NSF, autoregressive"]
    kinds = list(PEERS)[: 2 if n_features == 2 else 3]
    return ["skflow realnvp", kinds[0], "skflow spline", *kinds[1:]]


def n_parameters(module: nn.Module) -> int:
    """Number of trained parameters, without the weights that masks switch off."""
    masks = [m.mask for m in module.modules() if isinstance(m, zuko.nn.MaskedLinear)]
    return sum(p.numel() for p in module.parameters()) - sum(int((~m).sum()) for m in masks)


def make_peer(method: str, d: int, most: int) -> nn.Module:
    """zuko's flow with the number of parameters nearest to `most`."""

    def make(width: int) -> nn.Module:
        hidden = (width, width)
        if method == "zuko RealNVP":
            return zuko.flows.RealNVP(d, transforms=8, hidden_features=hidden)
        passes = 2 if method.endswith("coupling") else d
        return zuko.flows.NSF(d, passes=passes, transforms=4, hidden_features=hidden)

    if d == 1:  # It has no networks: as many transforms as are nearest.
        per_transform = n_parameters(zuko.flows.NSF(1, transforms=1))
        return zuko.flows.NSF(1, transforms=round(most / per_transform))
    low, high = 1, 512
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if n_parameters(make(middle)) <= most else (low, middle)
    return min((make(low), make(high)), key=lambda made: abs(n_parameters(made) - most))


def make_flow(method: str, d: int, seed: int) -> Flow:
    """A preset, or a flow of zuko's that has as many parameters."""
    preset = PEERS.get(method, method.removeprefix("skflow "))
    flow = PRESETS[preset](d, generator=torch.Generator().manual_seed(seed))
    if method in PEERS:
        with seeded_torch(seed):
            flow = ForeignFlow(make_peer(method, d, n_parameters(flow)), d)
    return flow


def fit(name: str, method: str, seed: int, rate: float, max_iter: int) -> dict[str, Any]:
    """Learn one density and measure the divergence; that training fails is a result, too."""
    density, rng = make_densities()[name], np.random.RandomState(seed)
    x = torch.as_tensor(density.sample(N_TRAIN, rng))
    x_test = density.sample(N_TEST, rng)
    flow = make_flow(method, density.n_features, seed)
    row = {"density": name, "method": method, "seed": seed, "learning rate": rate}
    row |= {"d": density.n_features, "parameters": n_parameters(flow)}
    start = time.perf_counter()
    flow.initialize(x)
    module = fuse(flow)
    generator = torch.Generator().manual_seed(seed)
    stream = batches(Batch(x), BATCH_SIZE, (Noise(), Noise()), generator)
    try:
        train(module, Likelihood(), stream, max_iter=max_iter, learning_rate=rate)
    except FloatingPointError as error:
        return row | {"KL": math.nan, "error": str(error)}
    row["fit s"] = time.perf_counter() - start
    with torch.no_grad():
        excess = density.log_prob(x_test) - module.log_prob(torch.as_tensor(x_test)).numpy()
        if seed == 0 and name in DRAWN:
            row["_log_f"] = module.log_prob(torch.as_tensor(make_grid(name))).numpy()
    return row | {"KL": excess.mean(), "se": excess.std() / math.sqrt(N_TEST)}


#: What is drawn of a density: lower and upper ends, the same for every feature of d = 2.
DRAWN = {
    "exponential": (-0.5, 5.0),
    "uniform": (-0.2, 1.2),
    "lognormal": (-0.3, 6.0),
    "two normals": (-4.0, 4.5),
    "ring": (-4.2, 4.2),
    "funnel": (-8.0, 8.0),
}


def make_grid(name: str) -> np.ndarray:
    """Points where a density is drawn, (n, d)."""
    d = make_densities()[name].n_features
    axis = np.linspace(*DRAWN[name], 600 if d == 1 else 200)
    return np.stack(np.meshgrid(*[axis] * d, indexing="ij"), axis=-1).reshape(-1, d)


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw known and learned densities of the first seed."""
    learned = {
        (row["density"], row["method"]): np.exp(row["_log_f"])
        for row in rows
        if isinstance(row.get("_log_f"), np.ndarray)
    }
    compared = ["skflow spline", "zuko NSF, autoregressive"]
    densities = make_densities()
    figure, axes = plt.subplots(3, 4, figsize=(13, 9), layout="constrained")
    for panel, name in zip(axes[0], DRAWN, strict=False):
        grid = make_grid(name)
        panel.fill_between(grid[:, 0], np.exp(densities[name].log_prob(grid)), color="0.85")
        for method in compared:
            if (name, method) in learned:
                panel.plot(grid[:, 0], learned[name, method], linewidth=1.1)
        panel.set(title=name, yticks=[])
    axes[0, 0].legend(["known", *compared], frameon=False, fontsize=8)
    for panels, name in zip(axes[1:], ("ring", "funnel"), strict=True):
        grid, known = make_grid(name), densities[name].log_prob(make_grid(name))
        shown = {"known": np.exp(known)}
        for method in ("skflow realnvp", *compared):
            if (name, method) in learned:
                shown[method] = learned[name, method]
        # The roots, because a funnel is orders of magnitude denser at its narrow end.
        top = np.quantile(np.exp(known), 0.995) ** 0.5
        for panel, (title, f) in zip(panels, shown.items(), strict=False):
            image = np.sqrt(f).reshape(200, 200).T
            panel.imshow(image, origin="lower", extent=2 * DRAWN[name], vmin=0, vmax=top)
            panel.set(title=f"{name}: {title}", xticks=[], yticks=[])
    figure.savefig(path, dpi=90)
    plt.close(figure)


def summarize(results: pd.DataFrame) -> str:
    """The table in Markdown: means over seeds."""
    grouped = results.groupby(["density", "d", "method"], sort=False)
    kl = grouped["KL"]
    table = grouped[["parameters", "learning rate"]].first()
    table["KL (nats)"] = kl.mean()
    table["+-"] = kl.std(ddof=0)
    table["se"] = grouped["se"].mean()
    table["fit s"] = grouped["fit s"].mean()
    table["failed"] = kl.apply(lambda values: int(values.isna().sum()))
    formats = ["", "d", "", ",d", "g", ".4f", ".4f", ".4f", ".1f", "d"]
    return table.reset_index().to_markdown(index=False, floatfmt=formats)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="number of draws (seeds 0, 1, ...)")
    parser.add_argument("--steps", type=int, default=600, help="optimiser steps of every fit")
    parser.add_argument("--jobs", type=int, default=2, help="worker processes, one thread each")
    parser.add_argument("--output", type=Path, default=Path("densities-output"))
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    compared = [(k, m) for k, known in make_densities().items() for m in methods(known.n_features)]

    def fit_all(jobs: list[tuple[str, str, int, float]]) -> list[dict[str, Any]]:
        with parallel_config("loky", n_jobs=options.jobs, inner_max_num_threads=1):
            return Parallel()(delayed(fit)(*job, options.steps) for job in jobs)

    tried = fit_all([(*pair, RATE_SEED, rate) for pair in compared for rate in RATES])
    # A rate with which training fails comes last.
    tried.sort(key=lambda row: math.inf if math.isnan(row["KL"]) else row["KL"], reverse=True)
    best = {(row["density"], row["method"]): row["learning rate"] for row in tried}
    rows = fit_all([(*p, seed, best[p]) for p in compared for seed in range(options.seeds)])

    frame = pd.DataFrame(tried + rows).drop(columns="_log_f", errors="ignore")
    frame.to_csv(options.output / "results.csv", index=False, float_format="%.5g")
    text = (
        f"### KL divergence from known densities\n\n{summarize(frame[frame.seed != RATE_SEED])}\n\n"
        f"{options.seeds} seed(s): mean, +- standard deviation over seeds, se the mean standard "
        f"error by {N_TEST:,} test draws. {N_TRAIN:,} training rows; {options.steps} AdamW steps "
        f"of {BATCH_SIZE} rows; learning rate the best of {RATES} on seed {RATE_SEED}. With one "
        "feature, skflow's two presets are one, and zuko's RealNVP is an affine map. With two, "
        "zuko's two kinds of NSF are one. Failed: fits whose loss stayed non-finite. "
        f"zuko {version('zuko')}, torch {version('torch')}; {options.jobs} worker processes with "
        f"one thread each; {time.perf_counter() - start:.0f} s in all.\n"
    )
    (options.output / "results.md").write_text(text, encoding="utf-8")
    plot(rows, options.output / "densities.png")
    print(f"{text}\nWritten to {options.output}/")


if __name__ == "__main__":
    main()
