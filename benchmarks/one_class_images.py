"""Tables 1 to 3 and figures 1 and 4 of arXiv:2208.14024, on digits and letters.

    for name in images images_pixels images_networks images_sets; do
        PYTHONPATH=benchmarks python -m skflow.benchmark run benchmarks/configs/$name.toml; done
    python benchmarks/one_class_images.py [--folder RESULTS] [--pictures FOLDER]

Writes results.md: AUROC of every digit as the bulk and of sets of digits and letters, the
contrastive flow's paired differences to every other detector, and its AUROC against each digit.
With --pictures it trains the features and one contrastive flow again, and draws how it scores every
digit, and which images it finds most and least anomalous. Needs the sets of images.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from auxiliary import make_table

from skflow.benchmark import auroc_matrix, load_table, make_trial, read_results
from skflow.benchmark._config import read_config
from skflow.benchmark._features import fitted_features
from skflow.benchmark._fit import anomaly_scores, build, fit_model
from skflow.benchmark._markdown import _table

FOLDER = Path("benchmarks/results/one_class_images")
OURS = "contrastive"
SAMPLE = "auxiliary:images/notmnist"
#: Titles of the tables with detectors that see pixels, by their results file.
PIXELS = {"pixels": "With detectors that see pixels", "networks": "With networks that see pixels"}
#: A digit that others are hard to tell from, and how many images of a kind to show.
DIGIT, N_SHOWN = 4, 10
#: Of the axis of scores.
LINEAR_WIDTH = 20.0


def report(folder: Path) -> str:
    """All tables, of the results files that there are in a folder."""
    features = read_results(folder / "features.jsonl")
    tables = {"One digit against the rest": of_sample(features, SAMPLE)}
    for percent in (10, 50):
        name = f"The same, {percent} % of the letters are images of the bulk"
        tables[name] = of_sample(features, f"{SAMPLE}:{percent}")
    for file, title in PIXELS.items():
        if (others := folder / f"{file}.jsonl").exists():
            both = read_results(folder / "features.jsonl", others)
            tables[title] = of_sample(both, SAMPLE)
    if (sets := folder / "sets.jsonl").exists():
        tables["Sets of digits and letters"] = read_results(sets)
    parts = [f"### {name}\n\n{make_table(results, OURS)}" for name, results in tables.items()]
    matrix = auroc_matrix(of_sample(features, SAMPLE), OURS)
    names = matrix.index.get_level_values("dataset").str.removeprefix("images/")
    rows = [[name, *map(_percent, row)] for name, row in zip(names, matrix.to_numpy(), strict=True)]
    parts.append("### The contrastive flow of each digit against each other digit")
    parts.append(_table(["Bulk", *matrix], rows))
    return "\n\n".join(parts) + "\n"


def of_sample(results, protocol):
    """Fits with one auxiliary sample."""
    return results[results["protocol"] == protocol]


def _percent(value: float) -> str:
    return "" if np.isnan(value) else f"{100 * value:.1f}"


def draw(config: Path, folder: Path) -> None:
    """Scores of all classes, and images at both ends of two classes."""
    wanted = read_config(config)
    trial = make_trial(load_table(f"images/mnist-{DIGIT}"), SAMPLE, seed=0)
    transform = fitted_features(wanted.features).transform
    encoded = trial._replace(X_train=transform(trial.X_train), X_test=transform(trial.X_test))
    [ours] = [detector for detector in wanted.detectors if detector.name == OURS]
    model = build(ours, seed=0, n_features=encoded.X_train.shape[1])
    fit_model(model, encoded, labelled=True)
    scores, classes = anomaly_scores(model, encoded.X_test), trial.test_classes
    side = int(np.sqrt(trial.X_test.shape[1]))
    folder.mkdir(parents=True, exist_ok=True)
    histograms(scores, classes).savefig(folder / "one-class-scores.png", dpi=150)
    extremes(scores, trial.y_test, trial.X_test.reshape(-1, side, side)).savefig(
        folder / "one-class-extremes.png", dpi=150
    )


def histograms(scores: np.ndarray, classes: np.ndarray) -> plt.Figure:
    """Anomaly scores of every digit: figure 1 of the paper."""
    figure, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
    # Linear near zero and logarithmic beyond: scores of other digits go on into the thousands.
    ends = np.arcsinh(np.quantile(scores, [0.001, 0.999]) / LINEAR_WIDTH)
    edges = LINEAR_WIDTH * np.sinh(np.linspace(*ends, 60))
    ax.set_xscale("asinh", linear_width=LINEAR_WIDTH)
    for kind in np.unique(classes):
        is_bulk, of_kind = kind == DIGIT, scores[classes == kind]
        ax.hist(
            of_kind,
            edges,
            weights=np.full(len(of_kind), 1 / len(of_kind)),
            histtype="stepfilled" if is_bulk else "step",
            color="0.75" if is_bulk else f"C{kind}",
            label=f"{kind} (bulk)" if is_bulk else str(kind),
        )
    title = f"Contrastive flow of the digit {DIGIT}"
    ax.set(xlabel="anomaly score", ylabel="share of a digit", title=title)
    ticks = [-10, 0, 10, 30, 100, 300, 1000, 3000]
    ax.set_xticks([tick for tick in ticks if edges[0] < tick < edges[-1]])
    ax.set_xticks([], minor=True)
    ax.xaxis.set_major_formatter("{x:g}")
    figure.legend(loc="outside right upper", frameon=False)
    return figure


def extremes(scores: np.ndarray, y: np.ndarray, images: np.ndarray) -> plt.Figure:
    """Least and most anomalous images of the bulk and of the rest: figure 4 of the paper."""
    figure, axes = plt.subplots(4, N_SHOWN, figsize=(N_SHOWN * 0.8, 4.6), layout="constrained")
    row = iter(axes)
    for label, name in ((1, "bulk"), (-1, "others")):
        order = np.flatnonzero(y == label)[np.argsort(scores[y == label])]
        for rows, which in ((order[:N_SHOWN], "least"), (order[::-1][:N_SHOWN], "most")):
            line = next(row)
            line[N_SHOWN // 2].set_title(f"{name}: {which} anomalous", fontsize=10, x=0)
            for ax, image in zip(line, images[rows], strict=True):
                ax.imshow(image, cmap="gray_r", vmin=0, vmax=1)
                ax.set_axis_off()
    return figure


def main() -> None:
    """Write the tables, and draw if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--config", type=Path, default=Path("benchmarks/configs/images.toml"))
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    text = report(options.folder)
    (options.folder / "results.md").write_text(text, encoding="utf-8")
    print(text)
    if options.pictures:
        draw(options.config, options.pictures)


if __name__ == "__main__":
    main()
