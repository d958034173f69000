"""What a report says, as plain data: every figure of the Markdown and the HTML page."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from ._curves import learning_curves
from ._features import FITTED_TO
from ._plain import plain
from ._statistics import (
    against_best,
    critical_difference,
    friedman,
    mean_interval,
    paired_tests,
    pareto_front,
    rank_groups,
    ranks,
)

#: Columns of the results and what they are called.
METRICS = {
    "auroc": "AUROC",
    "average_precision": "AP",
    "tpr_at_1pct_fpr": "TPR at 1 % FPR",
    "ap_1_to_1": "AP at 1:1",
    "ap_1_to_100": "AP at 1:100",
}
COST = ("seconds", "peak_memory_mib")
SIZES = ["n_train", "n_test", "n_features", "n_anomalies", "repeated", "twins"]
#: Start of the names and classes of our own detectors.
OURS = r"skflow\.|RealNVP|Flow|Contrastive|Autoencoder|Mahalanobis"

RULES = [
    "AUROC, average precision of the anomaly class (AP; restated for one or a hundred bulk rows "
    "per anomaly where it says so) and the true-positive rate at 1 % false positives are in "
    "percent. A data set counts with its mean over seeds, every data set alike.",
    "A failed fit (an error, or over its time or memory limit) counts as chance: AUROC 50, the "
    "share of anomalies for average precision, 1 for the true-positive rate. Where all seeds "
    "fail, the detector ranks behind all that finished. Leaving failures out would reward "
    'failing on hard data; "if finished" is that other mean, over each detector\'s own '
    "finished fits, and must not be compared between detectors that failed on different data.",
    "Means, ranks and tests are over the splits (data sets and seeds) that all compared detectors "
    "have tried, of data sets that at least one finished. A detector that tried less than half of "
    "the most splits that any tried is not compared.",
    "Intervals are 95 % percentile intervals of 9,999 bootstrap draws of data sets with "
    "replacement. They hold for data sets like these; tables that share rows make them too short.",
    "Rank 1 is best; ties share their mean rank. Wins are data sets where no other detector is "
    "better, ties included. Friedman's test (tie-corrected; Iman and Davenport's F) asks whether "
    "all detectors are alike; mean ranks closer than Nemenyi's critical difference at the 5 % "
    "level are joined by a bar (Demsar, JMLR 7, 2006).",
    "Paired tests are two-sided Wilcoxon signed-rank tests over data sets with Holm's correction. "
    "A reference that was chosen because it is best looks better than it is. Against the best "
    "other detector of each data set, tests and intervals are over its splits, which share rows: "
    "they are those of the corrected resampled t-test (Nadeau and Bengio, Machine Learning 52, "
    "2003), with Holm's correction over data sets. That other one was chosen on these very splits, "
    "which flatters it.",
    "Seconds are the median over compared splits of fit and score together, without the choice of "
    "a threshold; a fit over its time limit counts with that limit, another failure not at all. "
    "Memory is the median growth of the process at its peak. Detectors on the Pareto front are "
    "those that no cheaper one equals.",
]

EXPLANATIONS = {
    "one-class": "Half of the normal rows train; the other half and every anomaly test. Equal "
    "normal rows stay on one side, so no normal test row has a twin in training.",
    "contaminated": "Detectors train on all rows, anomalies included, without labels. The same "
    "rows are then scored.",
    "rare-event": "Half of the bulk and {} labelled rare rows train. The other halves of both "
    "classes test, the same for every number of labels. A percentage, 200:1, is the share of "
    "unlabelled rare rows among what trains as bulk.",
    "auxiliary": "As one class; the normal rows of {}, but those equal to a row here, train as "
    "anomalies. A percentage is the share of the bulk among them.",
    "published": "The split of the published tables, in which small tables are resampled with "
    "replacement before the split, so that test rows have twins in training. It serves only the "
    "comparison with published figures.",
    "published-contaminated": "Detectors train on and score all rows of the published tables, of "
    "which small ones are resampled with replacement. It serves only the comparison with "
    "published figures.",
}


def summarize(results: Any, *, reference: str | None = None) -> dict[str, Any]:
    """All figures of a report, by protocol.

    Parameters
    ----------
    results : pandas.DataFrame
        One row a fit.
    reference : str, default=None
        Detector that the paired tests compare with the others; the best mean rank by default.

    Returns
    -------
    summary : dict
        Plain lists, strings and numbers, None for a figure that does not exist.

    Raises
    ------
    ValueError
        If there is no fit, or no protocol compares the reference.
    """
    if results.empty:
        raise ValueError("results must hold at least one fit; got none")
    fits = _prepare(results)
    # Files of earlier versions lack some; a figure that only some fits have compares nothing.
    finished = fits[~fits["failed"]]
    metrics = [key for key in METRICS if finished[f"finished_{key}"].notna().all()]
    protocols = sorted(fits["protocol"].unique(), key=_protocol_order)
    summaries = [
        _protocol(fits[fits["protocol"] == name], name, reference, metrics) for name in protocols
    ]
    compared = {d["name"] for p in summaries for d in p["detectors"] if d["compared"]}
    if reference is not None and reference not in compared:
        raise ValueError(f"reference must be one of {sorted(compared)}; got {reference!r}")
    return {
        "metrics": [{"key": key, "title": METRICS[key]} for key in metrics],
        "rules": RULES,
        "protocols": summaries,
        "curves": {key: learning_curves(summaries, key, reference) for key in metrics},
    }


def _prepare(results: Any) -> Any:
    """Failed fits with the figures of chance, and one name for each setting of a detector."""
    fits = results.copy()
    fits["failed"] = fits["error"].notna()
    fits["seconds"] = fits["fit_seconds"] + fits["score_seconds"]
    for setting in ("use", "params"):
        text = fits[setting].map(lambda value: json.dumps(value, sort_keys=True))
        several = text.groupby(fits["detector"]).transform("nunique") > 1
        fits["detector"] = fits["detector"].where(~several, fits["detector"] + " " + text)
    # A table cut to another number of rows is another table, and so are features of its rows.
    cap = fits["max_rows"].map(lambda rows: "all rows" if np.isnan(rows) else f"{rows:.0f} rows")
    features = fits["features"].fillna("the data").str.partition(FITTED_TO)[0]
    for kind in (cap, features):
        several = kind.groupby([fits["dataset"], fits["protocol"]]).transform("nunique") > 1
        fits["dataset"] = fits["dataset"].where(~several, fits["dataset"] + ", " + kind)
    prevalence = fits["n_anomalies"] / fits["n_test"]
    # A fit that failed early may not know its test rows; other detectors had the same.
    known = prevalence.groupby([fits["dataset"], fits["protocol"]]).transform("mean")
    chance = {
        "auroc": 0.5,
        "average_precision": prevalence.fillna(known).fillna(0.0),
        "tpr_at_1pct_fpr": 0.01,
        "ap_1_to_1": 1 / 2,
        "ap_1_to_100": 1 / 101,
    }
    for metric, value in chance.items():
        fits[f"finished_{metric}"] = fits[metric]
        fits[metric] = fits[f"finished_{metric}"].mask(fits["failed"], value)
    return fits


def _protocol_order(name: str) -> tuple[int, str, int, str]:
    kind, _, argument = name.partition(":")
    n_rare, _, percent = argument.partition(":")
    known = list(EXPLANATIONS)
    number = int(n_rare) if n_rare.isdigit() else 0
    return known.index(kind) if kind in known else len(known), kind, number, percent


def _protocol(
    fits: Any, name: str, reference: str | None, metrics: Sequence[str]
) -> dict[str, Any]:
    kind, _, n_rare = name.partition(":")
    grouped = fits.groupby(["dataset", "detector"])
    tried = grouped.size().unstack(fill_value=0)
    n_failed = grouped["failed"].sum().unstack(fill_value=0)
    detectors, datasets = list(tried.columns), list(tried.index)
    names = [d for d in detectors if tried[d].sum() >= tried.sum().max() / 2]
    # Only splits that all of them have tried: others would compare other rows.
    candidates = fits[fits["detector"].isin(names)]
    n_tried = candidates.groupby(["dataset", "seed"])["detector"].transform("nunique")
    compared = candidates[n_tried == len(names)]
    some_finished = ~compared.groupby("dataset")["failed"].transform("all").astype(bool)
    compared = compared[some_finished]
    shared = sorted(compared["dataset"].unique())
    matched = compared.groupby(["dataset", "detector"])

    by_detector = fits.groupby("detector")
    is_ours = fits["detector"].str.match(OURS) | fits["use"].astype(str).str.match(OURS)
    ours = set(fits["detector"][is_ours])
    cost = by_detector[list(COST)].median()
    cost.update(compared.groupby("detector")[list(COST)].median())
    count = by_detector["failed"].agg(["size", "sum"])
    sizes = fits.groupby("dataset")[SIZES].mean().round(4)
    sizes_compared = compared.groupby("dataset")[["n_test", "n_train"]].mean()
    test_per_train = (sizes_compared["n_test"] / sizes_compared["n_train"]).to_dict()
    cells = {metric: grouped[metric].mean().unstack().round(12) for metric in metrics}
    errors = fits[fits["failed"]].groupby(["detector", "error"])["dataset"]
    return {
        "name": name,
        "explanation": EXPLANATIONS.get(kind, "").format(n_rare),
        "n_seeds": int(fits["seed"].nunique()),
        "n_fits": len(fits),
        "n_failures": int(fits["failed"].sum()),
        "n_compared": len(shared),
        "detectors": [
            {
                "name": detector,
                "ours": detector in ours,
                "compared": detector in names,
                "fits": int(count["size"][detector]),
                "failures": int(count["sum"][detector]),
                "seconds": plain(cost["seconds"][detector]),
                "memory": plain(cost["peak_memory_mib"][detector]),
            }
            for detector in detectors
        ],
        "datasets": [
            {"name": dataset, "compared": dataset in shared}
            | {column: plain(sizes[column][dataset]) for column in SIZES}
            for dataset in datasets
        ],
        "failed": [[int(n) for n in row] for row in n_failed.to_numpy()],
        "tried": tried.to_numpy().tolist(),
        "cells": {metric: plain(cells[metric].to_numpy()) for metric in metrics},
        "comparisons": {
            metric: _compare(
                {
                    name: of_one.pivot(index="seed", columns="detector", values=metric)
                    for name, of_one in compared.groupby("dataset")
                },
                test_per_train,
                matched["failed"].all().unstack().to_numpy(),
                matched[f"finished_{metric}"].mean().unstack().mean().to_numpy(),
                cost.loc[names, "seconds"].to_numpy(),
                reference if reference in names else None,
            )
            for metric in metrics
            if shared
        },
        "errors": [
            {"detector": detector, "error": error, "fits": len(group), "datasets": group.nunique()}
            for (detector, error), group in errors
        ],
    }


def _compare(
    scores: dict[str, Any],
    test_per_train: dict[str, float],
    failed: np.ndarray,
    finished: np.ndarray,
    seconds: np.ndarray,
    reference: str | None,
) -> dict[str, Any]:
    """Means, ranks and tests of one metric; `scores` has a frame of seeds by detectors each."""
    names = list(next(iter(scores.values())).columns)
    values = np.array([frame.mean().to_numpy() for frame in scores.values()]).round(12)
    rank = ranks(values, failed)
    mean, (low, high), mean_rank = values.mean(axis=0), mean_interval(values), rank.mean(axis=0)
    own = np.where(failed, -np.inf, values)
    wins = own == own.max(axis=1, keepdims=True)
    order = np.lexsort((-mean, mean_rank))
    test = friedman(rank)
    distance = critical_difference(len(names), len(values)) if len(names) > 1 else None
    reference = reference or names[order[0]]
    timed = np.flatnonzero(np.isfinite(seconds))
    front = timed[pareto_front(seconds[timed], mean[timed])]
    return {
        "rows": [
            {
                "detector": names[j],
                "mean": plain(mean[j]),
                "low": plain(low[j]),
                "high": plain(high[j]),
                "finished": plain(finished[j]),
                "rank": plain(mean_rank[j]),
                "wins": int(wins[:, j].sum()),
                "pareto": j in front,
            }
            for j in order
        ],
        "friedman": test and {key: plain(value) for key, value in test._asdict().items()},
        "critical_difference": plain(distance),
        "groups": [[names[j] for j in group] for group in rank_groups(mean_rank, distance or 0.0)],
        "reference": reference,
        "tests": [
            {key: plain(value) for key, value in test._asdict().items()}
            for test in paired_tests(values[:, order], [names[j] for j in order], reference)
        ],
        "detectors": names,
        "by_dataset": dict(zip(scores, plain(values), strict=True)),
        "against_best": [
            {"dataset": dataset} | {key: plain(value) for key, value in test._asdict().items()}
            for dataset, test in against_best(scores, names, reference, test_per_train).items()
        ]
        if len(names) > 1
        else [],
    }
