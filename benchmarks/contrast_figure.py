"""What the contrastive flow learns in one dimension, beside what it must learn.

    python benchmarks/contrast_figure.py [--output contrast-output]

Figure 3 of Schmier et al. (arXiv:2208.14024): bulk p = N(0, 1), contrast q = N(1, 2^2), 50,000 rows
of each, for two weights c and three clamps t. Draws the learned density, the optimum of the clamped
loss and the normalised positive part of p - c q, and prints the total variation between them.
Writes results.md and contrast.png.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from known_optimum import contrastive_optimum, positive_difference, total_variation
from scipy.stats import norm
from sklearn.base import clone

from skflow import ContrastiveFlowDetector

N_ROWS = 50_000
WEIGHTS, CLAMPS = (0.5, 1.0), (2.0, 4.0, 6.0)
#: Long contrast, no noise: for the optimum, not for rankings.
EXACT = ContrastiveFlowDetector(
    warm_up=0.2,
    n_blocks=2,
    noise=0,
    contrast_noise=0,
    max_iter=1500,
    batch_size=1024,
    learning_rate=5e-3,
    early_stopping=False,
    contamination=0.05,
    random_state=0,
)


def learned_density(
    weight: float, clamp: float, axis: np.ndarray, n_rows: int = N_ROWS
) -> np.ndarray:
    """Density that a flow learns from draws, on the axis."""
    rng = np.random.RandomState(0)
    detector = clone(EXACT).set_params(contrast_weight=weight, clamp=clamp)
    detector.fit(rng.normal(size=(n_rows, 1)), X_contrast=rng.normal(1, 2, size=(n_rows, 1)))
    return np.exp(detector.score_samples(axis[:, None]))


def main(arguments: list[str] | None = None) -> None:
    """Fit all weights and clamps, draw and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("contrast-output"))
    parser.add_argument("--rows", type=int, default=N_ROWS)
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)

    axis, cell = np.linspace(-10, 10, 2001, retstep=True)
    p, q = norm.pdf(axis), norm.pdf(axis, 1, 2)
    figure, panels = plt.subplots(
        len(WEIGHTS), len(CLAMPS), figsize=(11, 6), sharex=True, sharey=True, layout="constrained"
    )
    rows = []
    for row, weight in zip(panels, WEIGHTS, strict=True):
        difference = positive_difference(p, q, weight, cell)
        for panel, clamp in zip(row, CLAMPS, strict=True):
            learned = learned_density(weight, clamp, axis, options.rows)
            optimum = contrastive_optimum(p, q, weight, clamp, cell)
            panel.fill_between(axis, p, color="0.9", label="bulk p")
            panel.plot(axis, weight * q, color="0.6", lw=1, ls=":", label="contrast c q")
            panel.plot(axis, difference, color="C1", lw=1, ls="--", label="(p - c q)+, normalised")
            panel.plot(axis, optimum, color="C0", lw=3, alpha=0.4, label="optimum of the loss")
            panel.plot(axis, learned, color="C3", lw=1, label="learned")
            panel.set(title=f"c = {weight:g}, t = {clamp:g}", xlim=(-5, 5))
            rows.append(
                {
                    "c": weight,
                    "t": clamp,
                    "learned - optimum": total_variation(learned, optimum, cell),
                    "learned - (p - c q)+": total_variation(learned, difference, cell),
                    "optimum - (p - c q)+": total_variation(optimum, difference, cell),
                    "p - optimum": total_variation(p, optimum, cell),
                }
            )
    panels[0, 0].legend(fontsize="small", frameon=False)
    figure.supxlabel("x")
    figure.supylabel("density")
    figure.savefig(options.output / "contrast.png", dpi=120)
    plt.close(figure)
    table = pd.DataFrame(rows).to_markdown(index=False, floatfmt=("g", "g", *[".3f"] * 4))
    (options.output / "results.md").write_text(f"{table}\n", encoding="utf-8")
    print(table)


if __name__ == "__main__":
    main()
