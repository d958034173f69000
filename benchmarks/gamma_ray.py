"""From a table of events to a gamma-ray source: which events, why, and how significant.

    python benchmarks/gamma_ray.py [--seed 0] [--observations 200] [--output gamma-ray-output]

MAGIC's simulated events play two observations; other ones, half of all, train: hadrons, and 200
labelled gammas. Of 800 hadrons and 200 gammas of a strong source, events are selected at a
false-discovery rate of 10 % and explained. Of a weak source nothing is known but its place: an
"on" run of 800 hadrons and 80 gammas from it, and an "off" run of 2,400 hadrons from an empty
field. Detectors do not see fAlpha and fDist. Cuts on their score, flat and in bins of the event's
size, are chosen by out-of-fold scores of the training events; what passes is counted at fAlpha
below 10 degrees, where the source is, on and off. Li and Ma's significance says what a cut is
worth, on average over observations, which are drawn from the same events. Writes results.md,
selected.csv and pictures.
"""

import argparse
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedKFold

from skflow import RareEventDetector
from skflow.benchmark import rare_event_split
from skflow.calibration import ConformalDetector
from skflow.datasets import fetch_magic
from skflow.inspection import (
    BinnedMetricDisplay,
    ContributionsDisplay,
    PairPlotDisplay,
    explain,
)
from skflow.metrics import (
    acceptance_flatness,
    binned_cuts,
    bootstrap_interval,
    li_ma_significance,
    quality_factor_score,
    significance_improvement_curve,
)

N_LABELLED, N_HADRONS, N_OFF = 200, 800, 2400
N_STRONG, N_WEAK = 200, 80
EXPOSURE_RATIO = N_HADRONS / N_OFF
SOURCE_DEG, FDR, EFFICIENCY, MIN_BACKGROUND = 10.0, 0.1, 0.7, 50
HADRON, GAMMA = "0.6", "#cc3311"


class Events(NamedTuple):
    """Features, hadrons +1 and gammas -1."""

    X: pd.DataFrame
    y: np.ndarray


def load(seed: int) -> tuple[Events, Events]:
    """Events that train, and others."""
    magic = fetch_magic(bulk="hadron", if_unavailable="simulate")
    X, y = pd.DataFrame(magic.data, columns=magic.feature_names), magic.target
    split = rare_event_split(magic.data, y, n_rare=N_LABELLED, random_state=seed)
    parts = [Events(X.iloc[k].reset_index(drop=True), y[k]) for k in (split.train, split.test)]
    return parts[0], parts[1]


def draw(y: np.ndarray, n_gammas: int, rng: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """Events of an on and an off run."""
    hadrons = rng.permutation(np.flatnonzero(y == 1))[: N_HADRONS + N_OFF]
    gammas = rng.choice(np.flatnonzero(y == -1), n_gammas, replace=False)
    return np.concatenate([hadrons[:N_HADRONS], gammas]), hadrons[N_HADRONS:]


def anomaly_score(model: Any, X: pd.DataFrame) -> np.ndarray:
    """Higher for gammas, of detectors and classifiers."""
    if hasattr(model, "predict_proba"):
        return np.asarray(model.predict_proba(X)[:, list(model.classes_).index(-1)])
    return -np.asarray(model.score_samples(X))


def out_of_fold(model: Any, X: pd.DataFrame, y: np.ndarray, seed: int) -> np.ndarray:
    """Scores of training events by models that did not see them."""
    score = np.empty(len(y))
    for seen, held_out in StratifiedKFold(5, shuffle=True, random_state=seed).split(X, y):
        fitted = clone(model).fit(X.iloc[seen], y[seen])
        score[held_out] = anomaly_score(fitted, X.iloc[held_out])
    return score


def best_cut(y: np.ndarray, score: np.ndarray) -> float:
    """Threshold of the largest quality factor; few hadrons above would make it chance."""
    curve = significance_improvement_curve(y, score, min_background=MIN_BACKGROUND)
    return float(curve.thresholds[np.argmax(curve.improvement)])


def counts(
    passes: np.ndarray, alpha: np.ndarray, on: np.ndarray, off: np.ndarray
) -> tuple[int, int]:
    """Events that pass and point to the source, on and off."""
    return tuple(int(np.sum(passes[run] & (alpha[run] < SOURCE_DEG))) for run in (on, off))


def alpha_plots(
    passes: dict[str, np.ndarray], alpha: np.ndarray, on: np.ndarray, off: np.ndarray
) -> Any:
    """On counts above off counts, for each cut."""
    figure, axes = plt.subplots(1, len(passes), figsize=(4.2 * len(passes), 3.6))
    edges = np.arange(0, 91, 5)
    for ax, (name, own) in zip(axes, passes.items(), strict=True):
        off_counts = np.histogram(alpha[off][own[off]], edges)[0] * EXPOSURE_RATIO
        on_counts = np.histogram(alpha[on][own[on]], edges)[0]
        ax.stairs(off_counts, edges, fill=True, color=HADRON, alpha=0.5, label="off, scaled")
        centres = (edges[1:] + edges[:-1]) / 2
        ax.errorbar(centres, on_counts, np.sqrt(on_counts), fmt="o", color=GAMMA, ms=3, label="on")
        ax.axvspan(0, SOURCE_DEG, color="0.92", zorder=0)
        n_on, n_off = counts(own, alpha, on, off)
        significance = float(li_ma_significance(n_on, n_off, EXPOSURE_RATIO))
        ax.set_title(f"{name}: {significance:.1f} sigma", fontsize=10)
        ax.set(xlabel="fAlpha (deg)", ylim=(0, None))
    axes[0].set_ylabel("events in 5 deg")
    axes[0].legend()
    figure.tight_layout()
    return figure


def select_events(train: Events, sky: Events, on: np.ndarray, seed: int, output: Path) -> str:
    """Select events of a strong source, explain them, and say how many are right."""
    conformal = ConformalDetector(RareEventDetector(random_state=seed), random_state=seed)
    conformal.fit(train.X, train.y)
    X, y = sky.X.iloc[on], sky.y[on]
    p_values = conformal.p_values(X)
    chosen = conformal.select(X, fdr=FDR)
    n_right, n_wrong = int(np.sum(chosen & (y == -1))), int(np.sum(chosen & (y == 1)))
    text = (
        f"## Which events\n\n{n_right + n_wrong} of {len(on)} events are selected at a "
        f"false-discovery rate of {FDR:.0%}: {n_right} of the {N_STRONG} gammas and {n_wrong} "
        "hadrons. The rate is an expectation over observations."
    )
    if not chosen.any():
        return text
    order = np.flatnonzero(chosen)[np.argsort(conformal.score_samples(X)[chosen])]
    bulk = train.X[train.y == 1]
    contributions = explain(conformal, X.iloc[order[:10]], background=bulk, random_state=seed)
    listed = X.iloc[order].assign(p_value=p_values[order], is_gamma=y[order] == -1)
    listed["most_telling"] = contributions.drop(columns="baseline").idxmin(axis=1)
    listed.round(4).to_csv(output / "selected.csv", index_label="event")
    figure, axes = plt.subplots(1, 3, figsize=(13, 3.2), layout="constrained")
    for row, ax in enumerate(axes[: len(contributions)]):
        ContributionsDisplay.from_explanation(contributions, row, ax=ax)
        kind = "gamma" if y[order[row]] == -1 else "hadron"
        ax.set_title(f"{ax.get_title()} ({kind})", fontsize=10)
    figure.savefig(output / "why.png", dpi=110)
    display = PairPlotDisplay(X, chosen, feature_names=X.columns, features=3, random_state=seed)
    display.plot().figure_.savefig(output / "selected.png", dpi=90)
    return text


def choose_cuts(train: Events, sky: Events, seed: int, output: Path) -> dict[str, np.ndarray]:
    """Which events pass: cuts chosen by out-of-fold scores of training events."""
    blind = [part.X.drop(columns=["fAlpha", "fDist"]) for part in (train, sky)]
    passes = {"no cut": np.ones(len(sky.y), dtype=bool)}
    models = {
        "boosting": HistGradientBoostingClassifier(class_weight="balanced", random_state=seed),
        "RareEventDetector": RareEventDetector(random_state=seed),
    }
    for name, model in models.items():
        held_out = out_of_fold(model, blind[0], train.y, seed)
        score = anomaly_score(model.fit(blind[0], train.y), blind[1])
        passes[name] = score >= best_cut(train.y, held_out)
    # The last one's scores again, with a constant efficiency for gammas.
    gammas = train.y == -1
    bins = [-np.inf, *np.quantile(train.X["fSize"][gammas], [1 / 3, 2 / 3]), np.inf]
    cuts = binned_cuts(held_out[gammas], train.X["fSize"][gammas], efficiency=EFFICIENCY, bins=bins)
    passes["the same, cuts by size"] = cuts.passes(score, sky.X["fSize"])
    display = BinnedMetricDisplay.from_predictions(
        sky.y, score, sky.X["fSize"], bins=6, random_state=seed
    )
    display.figure_.savefig(output / "size.png", dpi=90)
    return passes


def table_of_cuts(passes: dict[str, np.ndarray], sky: Events, drawn: list[Any]) -> str:
    """What passes, and its significance."""
    rows = []
    alpha, is_hadron = sky.X["fAlpha"].to_numpy(), sky.y == 1
    for name, own in passes.items():
        n_on, n_off = np.array([counts(own, alpha, *runs) for runs in drawn]).T
        significance = li_ma_significance(n_on, n_off, EXPOSURE_RATIO)
        hadrons, by_size = own[is_hadron], []
        size = sky.X["fSize"].to_numpy()
        for rows_of_kind in (is_hadron, ~is_hadron):
            flat = acceptance_flatness(own[rows_of_kind], size[rows_of_kind], bins=3)
            by_size.append(" ".join(f"{share:.1%}" for share in flat.acceptance))
        gammas = own[~is_hadron].mean()
        at_cut = partial(quality_factor_score, threshold=1.0)
        quality = bootstrap_interval(at_cut, sky.y, own.astype(float), random_state=0)
        cells = [
            name,
            f"{gammas:.1%}",
            f"{hadrons.mean():.2%}",
            f"{quality.value:.2f} ({quality.low:.2f} to {quality.high:.2f})",
            f"{n_on[0]} / {n_off[0]}",
            f"{significance[0]:.1f}",
            f"{significance.mean():.1f} ({significance.std(ddof=1):.1f})",
            by_size[1],
            by_size[0],
        ]
        rows.append(f"| {' | '.join(cells)} |")
    titles = [
        "Cut",
        "Gammas pass",
        "Hadrons pass",
        "Quality factor (95 % interval)",
        "On / off",
        "Significance",
        f"Mean of {len(drawn)} (spread of one)",
        "Gammas, by thirds of size",
        "Hadrons, by thirds of size",
    ]
    head = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    return "## How significant\n\n" + "\n".join([*head, *rows])


def main() -> None:
    """Run the example and write what comes out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--observations", type=int, default=200)
    parser.add_argument("--output", type=Path, default=Path("gamma-ray-output"))
    options = parser.parse_args()
    seed, output = options.seed, options.output
    output.mkdir(parents=True, exist_ok=True)
    rng = np.random.RandomState(seed)
    train, sky = load(seed)
    strong, _ = draw(sky.y, N_STRONG, rng)
    parts = [f"# A gamma-ray source, seed {seed}", select_events(train, sky, strong, seed, output)]
    passes = choose_cuts(train, sky, seed, output)
    drawn = [draw(sky.y, N_WEAK, rng) for _ in range(options.observations)]
    alpha_plots(passes, sky.X["fAlpha"].to_numpy(), *drawn[0]).savefig(
        output / "alpha.png", dpi=110
    )
    parts.append(table_of_cuts(passes, sky, drawn))
    text = "\n\n".join(parts) + "\n"
    (output / "results.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
