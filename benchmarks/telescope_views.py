"""Three views of the same telescope images: Hillas parameters, momentum contrast and FastFlow.

    python benchmarks/telescope_views.py [--events 2000] [--seed 0] [--output FOLDER]

Each learns simulated hadrons and night sky alone, and judges others, and gammas; then real events
of the FACT telescope, and FACT's own simulated gammas and muons, where the folder that SKFLOW_DATA
names has them. An illustration, no figure of merit: the simulator is a toy, and FACT's few events
were taken at other zenith angles. Writes telescope_views.md, what share of each sample is flagged
and how far the views agree, and telescope-views.png, the images that each finds most anomalous
with the place that FastFlow finds so.
"""

import argparse
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from images import BOUNDARY_THRESHOLD, PICTURE_THRESHOLD, Sample, fetch_fact, simulate
from localisation import FAINTEST, stable
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer

from skflow import RealNVPOutlierDetector
from skflow.hillas import CameraGeometry, HillasTransformer
from skflow.images import FastFlowDetector, HexToSquare, MoCoTransformer

#: Share of held-out bulk that each view flags.
FALSE_ALARMS = 0.05
N_SHOWN = 4


def make_views(geometry: CameraGeometry, seed: int, **options: Any) -> dict[str, Pipeline]:
    """The three pipelines; options are those of the two that train networks on images."""
    hillas = HillasTransformer(
        geometry, picture_threshold=PICTURE_THRESHOLD, boundary_threshold=BOUNDARY_THRESHOLD
    )
    square = make_pipeline(FunctionTransformer(stable), HexToSquare(geometry))
    camera = ("island", "arc", "dead", "hot")
    return {
        "Hillas + flow": make_pipeline(
            hillas, RealNVPOutlierDetector(nan_policy="omit", random_state=seed)
        ),
        "MoCo + flow": make_pipeline(
            square,
            MoCoTransformer(random_state=seed, **options),
            Normalizer(),
            RealNVPOutlierDetector(noise=0.1, random_state=seed),
        ),
        "FastFlow": make_pipeline(
            square,
            FastFlowDetector(anomalies=camera, faintest=FAINTEST, random_state=seed, **options),
        ),
    }


def judge(views: dict[str, Pipeline], bulk: np.ndarray, samples: list[Sample]) -> pd.DataFrame:
    """Anomaly scores of every event by every view, and whether it is flagged.

    The threshold comes from `bulk`, simulated events that did not train. An event that does not
    survive cleaning has no Hillas parameters, and no score there.
    """
    tables = []
    for name, view in views.items():
        threshold = np.nanquantile(-view.score_samples(bulk), 1 - FALSE_ALARMS)
        for sample in samples:
            score = -view.score_samples(sample.images)
            columns = {"view": name, "sample": sample.name, "event": np.arange(len(score))}
            flagged = np.where(np.isnan(score), np.nan, score > threshold)
            tables.append(pd.DataFrame(columns | {"score": score, "flagged": flagged}))
    return pd.concat(tables, ignore_index=True)


def describe(table: pd.DataFrame) -> str:
    """Shares that are flagged, and rank correlations."""
    by_sample = table.groupby(["sample", "view"], sort=False)
    share = (100 * by_sample["flagged"].mean()).unstack()
    share.insert(0, "events", by_sample["event"].count().unstack().iloc[:, 0])
    share["with Hillas parameters"] = by_sample["flagged"].count().unstack()["Hillas + flow"]
    by_view = table.pivot(index=["sample", "event"], columns="view", values="score")
    agreement = by_view.groupby("sample", sort=False).apply(_correlations)
    return "\n\n".join(
        [
            f"Percent of each sample that is flagged, at {100 * FALSE_ALARMS:g} % of simulated "
            "bulk; Hillas parameters: of the events that survive cleaning.",
            share.to_markdown(floatfmt=".0f"),
            "Spearman's rank correlation of two views' scores, over the events that all score:",
            agreement.dropna().to_markdown(floatfmt=".2f"),
            "**The simulator is a toy, and FACT's files are few: no physics may rest on this.**",
        ]
    )


def _correlations(scores: pd.DataFrame) -> pd.Series:
    matrix = scores.dropna().corr("spearman")
    pairs = [(a, b) for i, a in enumerate(matrix) for b in list(matrix)[i + 1 :]]
    return pd.Series({f"{a}, {b}": matrix.loc[a, b] for a, b in pairs})


def draw(views: dict[str, Pipeline], sample: Sample) -> plt.Figure:
    """The most anomalous images of a sample by each view, and FastFlow's map of them."""
    figure, axes = plt.subplots(
        len(views), 2 * N_SHOWN, figsize=(13, 2.1 * len(views)), layout="constrained"
    )
    fastflow = views["FastFlow"]
    for (name, view), line in zip(views.items(), axes, strict=True):
        score = -view.score_samples(sample.images)
        top = np.argsort(np.where(np.isnan(score), -np.inf, score))[::-1][:N_SHOWN]
        images = fastflow[:-1].transform(sample.images[top])
        maps = fastflow[-1].anomaly_map(images)
        shape = fastflow[0][-1].image_shape_
        for i, row in enumerate(top):
            for ax, picture, colours in (
                (line[2 * i], images[i].reshape(shape), "gray"),
                (line[2 * i + 1], maps[i].reshape(shape), "inferno"),
            ):
                ax.imshow(picture, cmap=colours, origin="lower")
                ax.set_axis_off()
            line[2 * i].set_title(f"{sample.labels[row]}", fontsize=8)
        line[0].text(-0.1, 0.5, name, transform=line[0].transAxes, rotation=90, va="center")
    figure.suptitle(f"Most anomalous of {sample.name} by each view; right, FastFlow's map")
    return figure


def main() -> None:
    """Fit the three, judge all samples, write and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=2000, help="simulated hadrons that train")
    parser.add_argument("--steps", type=int, help="optimiser steps of MoCo and FastFlow")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/telescope_views"))
    options = parser.parse_args()
    geometry, real = fetch_fact()
    hadrons, sky, _ = simulate(geometry, options.events, 1, 2 * options.seed)
    n_test = options.events // 2
    held_out = simulate(geometry, n_test, n_test, 2 * options.seed + 1)
    bulk = np.concatenate([hadrons.images, sky.images])
    views = make_views(
        geometry, options.seed, **({} if options.steps is None else {"max_iter": options.steps})
    )
    for name, view in views.items():
        view.fit(bulk)
        print(f"{name}: fitted", flush=True)
    # Every second event sets the threshold, the others are judged.
    limits = np.concatenate([sample.images[::2] for sample in held_out[:2]])
    judged = [Sample(s.name, s.images[1::2], s.labels[1::2]) for s in held_out] + real
    text = describe(judge(views, limits, judged)) + "\n"
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "telescope_views.md").write_text(text, encoding="utf-8")
    shown = next((sample for sample in real if "physics" in sample.name), judged[0])
    draw(views, shown).savefig(options.output / "telescope-views.png", dpi=110)
    print(f"\n{text}")


if __name__ == "__main__":
    main()
