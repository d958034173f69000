"""Does an anomaly map find what was planted? Digits and telescope images with faint defects.

    python benchmarks/localisation.py [--steps 1000] [--seed 0] [--output FOLDER]

Half of the images of a kind train, without any defect; in the other half spots, squares, lines and
gaps are planted, of 2, 3 and 4 standard deviations of the noise of a pixel. None of these kinds is
among those that `FastFlowDetector` plants in training. Reported: how well pixels inside are told
from those outside (of all defective images), and defective images from the same images without
defects. Digits come from MNIST where the folder that SKFLOW_DATA names has it (one class, with
noise of a tenth of the full scale), else from scikit-learn; telescope images are simulated, put on
a square grid, and stabilised so that the noise is one everywhere. Writes localisation.md and
pictures.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_digits

from skflow import AutoencoderDetector
from skflow.datasets import make_shower_images
from skflow.hillas import CameraGeometry
from skflow.images import FastFlowDetector, HexToSquare
from skflow.metrics import roc_auc_score

CONTRASTS = (2.0, 3.0, 4.0)
#: Standard deviation of the noise that digits get, in parts of their full scale.
DIGIT_NOISE = 0.1
DIGIT = 3
N_SHOWN = 6
#: Strength down to which anomalies are planted, chosen on halves of the training images.
FAINTEST = 0.25
Maps = Callable[[np.ndarray], np.ndarray]


def digits(rng: np.random.RandomState) -> np.ndarray:
    """Images of one digit with noise, in standard deviations of the noise."""
    folder = os.environ.get("SKFLOW_DATA")
    path = Path(folder or ".") / "images" / "mnist_t10k.npz"
    if path.is_file():
        with np.load(path, allow_pickle=False) as archive:
            images, y = archive["X"] / 255.0, archive["y"]
    else:
        print(f"no {path}: scikit-learn's smaller digits are taken instead", flush=True)
        bunch = load_digits()
        images, y = bunch.images / 16.0, bunch.target
    images = images[y == DIGIT]
    return images / DIGIT_NOISE + rng.normal(size=images.shape)


def stable(images: np.ndarray) -> np.ndarray:
    """Charges whose noise is about one, bright or faint: Anscombe 1948."""
    return 2 * np.sqrt(np.maximum(images, 0) + 3 / 8)


def showers(rng: np.random.RandomState, n_images: int = 2000) -> np.ndarray:
    """Simulated gammas on a square grid, with the noise of every pixel about one."""
    camera = CameraGeometry.hexagonal(12)
    images = make_shower_images(
        n_images, camera, night_sky=2.0, random_state=rng.randint(2**31 - 1)
    )
    square = HexToSquare(camera).fit(images)
    # The simulator takes the night sky off.
    return square.transform(stable(images + 2.0)).reshape(-1, *square.image_shape_)


def spot(shape: tuple[int, int], rng: np.random.RandomState) -> np.ndarray:
    centre = [rng.uniform(0.15, 0.85) * size for size in shape]
    offset = np.indices(shape) - np.array(centre)[:, None, None]
    return np.hypot(*offset) < 0.11 * min(shape)


def box(shape: tuple[int, int], height: int, width: int, rng: np.random.RandomState) -> np.ndarray:
    mask = np.zeros(shape, dtype=bool)
    row, column = rng.randint(shape[0] - height + 1), rng.randint(shape[1] - width + 1)
    mask[row : row + height, column : column + width] = True
    return mask


def square(shape: tuple[int, int], rng: np.random.RandomState) -> np.ndarray:
    side = max(round(min(shape) * rng.uniform(0.14, 0.25)), 2)
    return box(shape, side, side, rng)


def line(shape: tuple[int, int], rng: np.random.RandomState) -> np.ndarray:
    sides = max(round(min(shape) / 14), 1), round(min(shape) / 2)
    return box(shape, *(sides if rng.rand() < 0.5 else sides[::-1]), rng)


#: Where, and whether brighter or darker.
DEFECTS = {"spot": (spot, 1), "square": (square, 1), "line": (line, 1), "gap": (square, -1)}


def plant(
    images: np.ndarray, kind: str, contrast: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Images with a defect each, and where it is."""
    rng = np.random.RandomState(seed)
    shape, sign = DEFECTS[kind]
    masks = np.stack([shape(images.shape[1:], rng) for _ in images])
    return images + sign * contrast * masks, masks


def fitted_maps(train: np.ndarray, steps: int, seed: int) -> dict[str, tuple[Maps, float]]:
    """Anomaly maps of every method, and its seconds of training."""
    common = {"random_state": seed, "contamination": 0.05}
    flows = {
        "FastFlow, contrastive": FastFlowDetector(
            objective="contrastive", faintest=FAINTEST, max_iter=steps, **common
        ),
        "FastFlow, likelihood": FastFlowDetector(objective="likelihood", max_iter=steps, **common),
    }
    maps: dict[str, tuple[Maps, float]] = {}
    for name, detector in flows.items():
        start = time.perf_counter()
        maps[name] = detector.fit(train).anomaly_map, time.perf_counter() - start
    start = time.perf_counter()
    autoencoder = AutoencoderDetector(architecture="conv", max_iter=steps, **common).fit(train)

    def errors(images: np.ndarray) -> np.ndarray:
        rows = images.reshape(len(images), -1)
        squared = -autoencoder._feature_contributions(rows)[0].reshape(images.shape)
        return gaussian_filter(squared, 1.0, axes=(1, 2))

    maps["convolutional autoencoder"] = errors, time.perf_counter() - start
    mean, std = train.mean(axis=0), train.std(axis=0) + 1e-9

    def deviations(images: np.ndarray) -> np.ndarray:
        return gaussian_filter(((images - mean) / std) ** 2, 1.0, axes=(1, 2))

    maps["every pixel alone"] = deviations, 0.0
    return maps


def rate(test: np.ndarray, maps: Maps, seed: int) -> dict[str, float]:
    """Pixel and image AUROC of every contrast, means over the kinds of defects, in percent."""
    plain = maps(test).max(axis=(1, 2))
    figures: dict[str, list[float]] = {}
    for contrast in CONTRASTS:
        for kind in DEFECTS:
            images, masks = plant(test, kind, contrast, seed)
            where = maps(images)
            y = np.where(masks.ravel(), -1, 1)
            pixel = roc_auc_score(y, where.ravel())
            labels = np.repeat([1, -1], len(test))
            image = roc_auc_score(labels, np.append(plain, where.max(axis=(1, 2))))
            figures.setdefault(f"pixels, {contrast:g} sigma", []).append(pixel)
            figures.setdefault(f"images, {contrast:g} sigma", []).append(image)
    return {name: round(100 * float(np.mean(values)), 1) for name, values in figures.items()}


def draw(test: np.ndarray, maps: dict[str, tuple[Maps, float]], path: Path, seed: int) -> None:
    """Defective images, what was planted, and the maps."""
    parts = [plant(test[i : i + 1], kind, 4.0, seed + i) for i, kind in enumerate(DEFECTS)]
    images, masks = (np.concatenate(part) for part in zip(*parts, strict=True))
    rows = {"image": images, "planted": masks}
    rows.update({name: of(images) for name, (of, _) in maps.items()})
    size = (1.6 * len(images) + 1.6, 1.6 * len(rows))
    figure, axes = plt.subplots(len(rows), len(images), figsize=size, squeeze=False)
    for line_of_axes, (name, pictures) in zip(axes, rows.items(), strict=True):
        for axis, picture in zip(line_of_axes, pictures, strict=True):
            axis.imshow(picture, cmap="gray" if name in ("image", "planted") else "magma")
            axis.set(xticks=[], yticks=[])
        line_of_axes[0].set_ylabel(name.replace(", ", "\n").replace(" auto", "\nauto"), fontsize=8)
    for axis, kind in zip(axes[0], DEFECTS, strict=True):
        axis.set_title(f"{kind}, 4 sigma", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/localisation"))
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    rng = np.random.RandomState(args.seed)
    parts = []
    for name, images in {"digits": digits(rng), "showers": showers(rng)}.items():
        images = images[rng.permutation(len(images))]
        train, test = np.array_split(images, 2)
        maps = fitted_maps(train, args.steps, args.seed)
        table = pd.DataFrame(
            [
                {"method": method, **rate(test, of, args.seed + 1), "fit, s": round(seconds)}
                for method, (of, seconds) in maps.items()
            ]
        )
        shape = " x ".join(map(str, images.shape[1:]))
        parts.append(
            f"### {name}: {len(train)} images of {shape} train, {len(test)} test\n\n"
            + table.to_markdown(index=False)
        )
        print(parts[-1], flush=True)
        draw(test, maps, args.output / f"{name}.png", args.seed)
    (args.output / "localisation.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
