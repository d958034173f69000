"""Statistics of a comparison of detectors over data sets: intervals, ranks, paired tests.

`scores` and `ranks` have shape (n_datasets, n_detectors); higher scores are better, rank 1 is best.

References
----------
.. [1] Demsar, "Statistical Comparisons of Classifiers over Multiple Data Sets", JMLR 7, 2006.
.. [2] Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6, 1979.
.. [3] Nadeau and Bengio, "Inference for the Generalization Error", Machine Learning 52, 2003.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

N_RESAMPLES = 9999


class Friedman(NamedTuple):
    """Friedman's chi-square (corrected for ties), Iman and Davenport's F, and F's p-value."""

    chi_square: float
    f: float
    p_value: float


class PairedTest(NamedTuple):
    """The reference against a detector: mean difference with its interval, counts, p-values."""

    detector: str
    difference: float
    low: float
    high: float
    wins: int
    ties: int
    losses: int
    p_value: float
    p_holm: float


def mean_interval(values: Any) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the 95 % bootstrap interval of the mean over axis 0, the data sets.

    The percentile method, because the BCa interval does not exist where all values are equal. The
    draws are seeded and the same for all columns. NaN for fewer than two data sets.

    >>> low, high = mean_interval([0.7, 0.8, 0.9, 0.8])
    >>> print(f"{low:.2f} {high:.2f}")
    0.73 0.88
    """
    values = np.asarray(values, dtype=np.float64)
    if len(values) < 2:
        return np.full(values.shape[1:], np.nan), np.full(values.shape[1:], np.nan)
    interval = stats.bootstrap(
        (values,),
        np.mean,
        axis=0,
        n_resamples=N_RESAMPLES,
        batch=500,  # bounds the memory
        method="percentile",
        random_state=np.random.default_rng(0),
    ).confidence_interval
    return interval.low, interval.high


def ranks(scores: Any, failed: Any) -> np.ndarray:
    """Ranks in every data set; ties share their mean rank, failures rank behind all others.

    >>> ranks([[0.9, 0.8, 0.8], [0.4, 0.5, 0.6]], [[False] * 3, [False, True, False]])
    array([[1. , 2.5, 2.5],
           [2. , 3. , 1. ]])
    """
    return stats.rankdata(np.where(failed, np.inf, -np.asarray(scores)), axis=1)


def friedman(ranks: np.ndarray) -> Friedman | None:
    """Friedman's test of whether all detectors perform alike [1]_.

    None where there is no test: fewer than three detectors or two data sets, or only ties.

    >>> result = friedman(np.array([[1, 2, 3], [1, 2, 3], [1, 3, 2], [2, 1, 3]]))
    >>> print(f"{result.chi_square:.1f} {result.f:.1f} {result.p_value:.3f}")
    4.5 3.9 0.084
    """
    n_datasets, n_detectors = ranks.shape
    if n_detectors < 3 or n_datasets < 2 or np.all(ranks == ranks[:, :1]):
        return None
    chi_square = float(stats.friedmanchisquare(*ranks.T).statistic)
    left = n_datasets * (n_detectors - 1) - chi_square
    f = (n_datasets - 1) * chi_square / left if left > 1e-9 else math.inf
    p_value = stats.f.sf(f, n_detectors - 1, (n_detectors - 1) * (n_datasets - 1))
    return Friedman(chi_square, f, float(p_value))


def critical_difference(n_detectors: int, n_datasets: int) -> float:
    """Nemenyi's difference of mean ranks that is significant at the 5 % level [1]_.

    >>> round(critical_difference(4, 14), 2)
    1.25
    """
    q = stats.studentized_range.ppf(0.95, n_detectors, np.inf) / math.sqrt(2)
    return float(q * math.sqrt(n_detectors * (n_detectors + 1) / (6 * n_datasets)))


def rank_groups(mean_ranks: Any, difference: float) -> list[list[int]]:
    """Largest groups of detectors whose mean ranks are at most `difference` apart, best first.

    >>> rank_groups([3.0, 1.0, 1.5, 2.4], 1.0)
    [[1, 2], [2, 3], [3, 0]]
    """
    mean_ranks = np.asarray(mean_ranks)
    order = np.argsort(mean_ranks, kind="stable")
    # A little more than the difference: sums of ranks carry rounding errors.
    limits = mean_ranks[order] + difference + 1e-9
    groups, covered = [], 0
    for start, end in enumerate(np.searchsorted(mean_ranks[order], limits)):
        if end > covered and end - start > 1:
            groups.append(order[start:end].tolist())
        covered = max(covered, end)
    return groups


def holm(p_values: Any) -> np.ndarray:
    """P-values corrected for their number by Holm's step-down method [2]_.

    >>> holm([0.01, 0.04, 0.03, 0.005]).round(3)
    array([0.03, 0.06, 0.06, 0.02])
    """
    p_values = np.asarray(p_values)
    order = np.argsort(p_values)
    steps = p_values[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected


def paired_tests(scores: Any, detectors: list[str], reference: str) -> list[PairedTest]:
    """Wilcoxon's two-sided signed-rank test of the reference against every other detector.

    Zero differences are shared between both signs, as in [1]_.

    >>> scores = [[0.9, 0.8], [0.8, 0.6], [0.7, 0.7], [0.6, 0.3]]
    >>> paired_tests(scores, ["ours", "theirs"], "ours")[0][4:7]
    (3, 1, 0)
    """
    # Rounded, so that differences which are equal tie in spite of rounding errors.
    scores = np.asarray(scores)
    others = [j for j, name in enumerate(detectors) if name != reference]
    gains = np.round(scores[:, [detectors.index(reference)]] - scores[:, others], 12)
    if not gains.size:
        return []
    # One data set proves nothing, and SciPy refuses one that ties.
    p_values = [
        float(stats.wilcoxon(gain, zero_method="zsplit").pvalue) if len(gain) > 1 else 1.0
        for gain in gains.T
    ]
    columns = [
        [detectors[j] for j in others],
        gains.mean(axis=0).tolist(),
        *(end.tolist() for end in mean_interval(gains)),
        *((np.sign(gains) == sign).sum(axis=0).tolist() for sign in (1, 0, -1)),
        p_values,
        holm(p_values).tolist(),
    ]
    return [PairedTest(*row) for row in zip(*columns, strict=True)]


def against_best(
    scores: Mapping[str, Any],
    detectors: list[str],
    reference: str,
    test_per_train: Mapping[str, float],
) -> dict[str, PairedTest]:
    """The reference against the best other detector of every data set, over its splits.

    `scores` has an array of shape (n_splits, n_detectors) for each data set, `test_per_train` the
    number of test rows for each training row. Splits of one data set share rows, so that their
    differences are not independent: the interval and the p-value are those of the corrected
    resampled t-test [3]_, and Holm's correction is for the number of data sets.

    >>> scores = {"a": [[0.9, 0.8, 0.7], [0.8, 0.6, 0.8]], "b": [[0.5, 0.6, 0.7], [0.5, 0.6, 0.8]]}
    >>> ratio = {"a": 1.0, "b": 1.0}
    >>> found = against_best(scores, ["ours", "theirs", "others"], "ours", ratio)
    >>> [(name, test.detector, round(test.difference, 2)) for name, test in found.items()]
    [('a', 'others', 0.1), ('b', 'others', -0.25)]
    """
    tests = {}
    at = detectors.index(reference)
    for dataset, values in scores.items():
        mean = np.delete(np.mean(values, axis=0), at)
        best = np.delete(np.arange(len(detectors)), at)[mean.argmax()]
        gain = np.round(np.asarray(values)[:, at] - np.asarray(values)[:, best], 12)
        wins, ties, losses = (int(np.sum(np.sign(gain) == sign)) for sign in (1, 0, -1))
        low = high = math.nan
        p_value = 1.0
        if len(gain) > 1:
            error = math.sqrt((1 / len(gain) + test_per_train[dataset]) * gain.var(ddof=1))
            half = stats.t.ppf(0.975, len(gain) - 1) * error
            low, high = gain.mean() - half, gain.mean() + half
            if error > 0:
                p_value = 2 * stats.t.sf(abs(gain.mean()) / error, len(gain) - 1)
            elif gain.any():
                p_value = 0.0
        tests[dataset] = PairedTest(
            detectors[best], float(gain.mean()), low, high, wins, ties, losses, float(p_value), 1.0
        )
    corrected = holm([test.p_value for test in tests.values()])
    return {
        dataset: test._replace(p_holm=float(p))
        for (dataset, test), p in zip(tests.items(), corrected, strict=True)
    }


def pareto_front(costs: Any, values: Any) -> list[int]:
    """Indices of the points that no other beats in both cost and value, cheapest first.

    >>> pareto_front([1.0, 2.0, 3.0, 3.0], [0.8, 0.7, 0.9, 0.6])
    [0, 2]
    """
    front: list[int] = []
    for i in np.lexsort((-np.asarray(values), costs)).tolist():
        if not front or values[i] > values[front[-1]]:
            front.append(i)
    return front
