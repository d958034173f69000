"""Learning curves of a report: figures against the number of labelled rare rows."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.integrate import trapezoid

from ._plain import plain
from ._statistics import PairedTest, paired_tests


def learning_curves(
    protocols: Sequence[Mapping[str, Any]], metric: str, reference: str | None
) -> list[dict[str, Any]]:
    """Means against the number of labelled rare rows: of all data sets, families, and each one.

    A curve has all numbers that any of its data sets has, and is over those that are compared at
    all of them, each with its mean over the splits that all compared detectors have tried. Its
    area is its mean height from the first to the last number of labels above zero, on a
    logarithmic axis; tests compare areas of data sets.

    Parameters
    ----------
    protocols : sequence of mapping
        Summaries of all protocols.
    metric : str
        Column of the results.
    reference : str or None
        Detector whose area is compared with the others'; None is the one of the largest area.

    Returns
    -------
    curves : list of dict
        Empty where fewer than two protocols differ only by their number of labels.
    """
    levels = {
        p["name"]: p["comparisons"][metric]
        for p in protocols
        if re.fullmatch(r"rare-event:\d+", p["name"]) and metric in p["comparisons"]
    }
    if len(levels) < 2:
        return []
    values = {  # (number of labels, detector, data set) -> mean over the splits all have tried
        (name, detector, dataset): value
        for name, comparison in levels.items()
        for dataset, row in comparison["by_dataset"].items()
        for detector, value in zip(comparison["detectors"], row, strict=True)
    }
    datasets = sorted({dataset for _, _, dataset in values})
    detectors = sorted(set.intersection(*(set(c["detectors"]) for c in levels.values())))
    families: dict[str, list[str]] = {"All data sets": datasets}
    for dataset in datasets:
        families.setdefault(dataset.split("/")[0] + "/*", []).append(dataset)
    families |= {dataset: [dataset] for dataset in datasets}
    curves = []
    for family, members in families.items():
        tried = {key[0] for key in values if key[2] in members}
        own = [name for name in levels if name in tried]
        shared = [
            d for d in members if all((name, n, d) in values for name in own for n in detectors)
        ]
        if len(own) < 2 or not shared or not detectors:
            continue
        labels = [int(name.split(":")[1]) for name in own]
        heights = np.array([[[values[k, n, d] for n in detectors] for k in own] for d in shared])
        areas = _area(labels, heights)
        means = [heights.mean(axis=0)[:, j] for j in range(len(detectors))]
        best_first = sorted(range(len(detectors)), key=lambda j: (-means[j][-1], detectors[j]))
        curves.append(
            {
                "name": family,
                "n_datasets": len(shared),
                "labels": labels,
                "lines": [
                    {
                        "detector": detectors[j],
                        "values": plain(means[j]),
                        "area": None if areas is None else plain(areas[:, j].mean()),
                    }
                    for j in best_first
                ],
                "tests": _tests(areas, detectors, reference),
            }
        )
    return curves


def _area(labels: Sequence[int], heights: np.ndarray) -> np.ndarray | None:
    """Mean heights of (data set, number of labels, detector); None below two numbers."""
    labelled = np.flatnonzero(labels)
    if len(labelled) < 2:
        return None
    x = np.log(np.asarray(labels)[labelled])
    return trapezoid(heights[:, labelled], x, axis=1) / (x[-1] - x[0])


def _tests(
    areas: np.ndarray | None, detectors: list[str], reference: str | None
) -> list[dict[str, Any]]:
    """Paired tests of areas over data sets, those that need them most first."""
    if areas is None or len(areas) < 2:
        return []
    if reference not in detectors:
        reference = detectors[areas.mean(axis=0).argmax()]
    tests: list[PairedTest] = paired_tests(areas, detectors, reference)
    return [
        {"reference": reference} | {key: plain(value) for key, value in test._asdict().items()}
        for test in sorted(tests, key=lambda test: test.difference)
    ]
