"""Statistics of comparisons against worked examples of the literature, and their invariances."""

import math

import numpy as np
import pytest
from scipy import stats

from skflow.benchmark._statistics import (
    against_best,
    critical_difference,
    friedman,
    holm,
    mean_interval,
    paired_tests,
    pareto_front,
    rank_groups,
    ranks,
)

#: Demsar (2006), table 6: AUC of C4.5, +m, +cf and +m+cf on 14 data sets. Voting's third value is
#: .975 in print, tied with the fourth; the ranks in print, 2 and 3, come from unrounded values.
DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975],
        [0.957, 0.978, 0.946, 0.970],
    ]
)
NAMES = ["C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf"]
NONE_FAILED = np.zeros(DEMSAR.shape, dtype=bool)


def test_demsar_ranks():
    means = ranks(DEMSAR, NONE_FAILED).mean(axis=0)
    np.testing.assert_allclose(means, [3.143, 2.000, 2.893, 1.964], atol=5e-4)


def test_demsar_friedman():
    """The paper's 9.28 and F 3.69 have no correction for ties, ours have."""
    table = ranks(DEMSAR, NONE_FAILED)
    result = friedman(table)
    ties = sum((n**3 - n) for row in table for n in np.unique(row, return_counts=True)[1])
    correction = 1 - ties / (14 * (4**3 - 4))
    assert round(result.chi_square * correction, 2) == 9.28
    assert result.f == pytest.approx(13 * result.chi_square / (14 * 3 - result.chi_square))
    assert result.p_value == pytest.approx(stats.f.sf(result.f, 3, 39))
    chi_square = result.chi_square * correction
    assert 13 * chi_square / (14 * 3 - chi_square) == pytest.approx(3.69, abs=5e-3)


@pytest.mark.parametrize(
    ("k", "q"), [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (6, 2.850), (10, 3.164)]
)
def test_nemenyi_table(k, q):
    """Table 5a of Demsar (2006), whose third decimal is rounded down now and then."""
    unit = math.sqrt(k * (k + 1) / 6)
    assert critical_difference(k, 1) / unit == pytest.approx(q, abs=1.1e-3)
    assert critical_difference(k, 4) == pytest.approx(critical_difference(k, 1) / 2)


def test_demsar_groups():
    """Critical difference 1.25 at 5 %: no two of the four are further apart."""
    means = ranks(DEMSAR, NONE_FAILED).mean(axis=0)
    assert round(critical_difference(4, 14), 2) == 1.25
    assert rank_groups(means, 1.25) == [[3, 1, 2, 0]]
    assert rank_groups(means, 1.15) == [[3, 1, 2], [1, 2, 0]]
    assert rank_groups(means, 1.10) == [[3, 1, 2], [2, 0]]
    assert rank_groups(means, 0.1) == [[3, 1]]
    assert rank_groups(means, 0.01) == []


def test_demsar_wilcoxon():
    """Table 2: C4.5+m against C4.5, R+ = 93 and R- = 12, z = -2.54."""
    test = paired_tests(DEMSAR[:, :2], NAMES[:2], "C4.5+m")[0]
    assert test.detector == "C4.5"
    assert (test.wins, test.ties, test.losses) == (10, 2, 2)
    assert test.p_value == pytest.approx(2 * stats.norm.sf(2.54), abs=2e-4)
    assert test.p_holm == test.p_value
    assert test.difference == pytest.approx((DEMSAR[:, 1] - DEMSAR[:, 0]).mean())
    assert test.low < test.difference < test.high


def test_paired_tests_of_equal_and_of_swapped_detectors():
    same = paired_tests(np.column_stack([DEMSAR[:, 0]] * 2), ["a", "b"], "a")[0]
    assert same.p_value == 1.0
    assert (same.wins, same.ties, same.losses) == (0, 14, 0)
    forth = paired_tests(DEMSAR, NAMES, "C4.5")[0]
    back = next(t for t in paired_tests(DEMSAR, NAMES, "C4.5+m") if t.detector == "C4.5")
    assert forth.p_value == back.p_value
    assert forth.difference == -back.difference
    assert (forth.wins, forth.losses) == (back.losses, back.wins)
    assert paired_tests(DEMSAR[:, :1], NAMES[:1], "C4.5") == []


def test_failures_rank_last():
    scores = [[0.3, 0.5, 0.9, 0.5], [0.5, 0.5, 0.2, 0.1]]
    failed = [[False, True, False, True], [False] * 4]
    np.testing.assert_array_equal(ranks(scores, failed), [[2, 3.5, 1, 3.5], [1.5, 1.5, 3, 4]])


def test_ranks_see_order_only():
    table = ranks(DEMSAR, NONE_FAILED)
    np.testing.assert_array_equal(ranks(np.exp(5 * DEMSAR), NONE_FAILED), table)
    np.testing.assert_array_equal(ranks(DEMSAR[:, ::-1], NONE_FAILED), table[:, ::-1])
    assert friedman(table[::-1, ::-1]).f == pytest.approx(friedman(table).f)


def test_friedman_at_its_limits():
    assert friedman(np.array([[1.0, 2.0]] * 5)) is None
    assert friedman(np.array([[1.0, 2.0, 3.0]])) is None
    assert friedman(np.full((5, 3), 2.0)) is None
    certain = friedman(np.array([[1.0, 2.0, 3.0]] * 5))
    assert certain.f == math.inf
    assert certain.p_value == 0.0


def test_holm():
    """Worked example: .01, .02, .03, .04 and .05 times 5, 4, 3, 2 and 1, never falling."""
    np.testing.assert_allclose(holm([0.01, 0.02, 0.03, 0.04, 0.05]), [0.05, 0.08, 0.09, 0.09, 0.09])
    np.testing.assert_allclose(holm([0.05, 0.001]), [0.05, 0.002])
    np.testing.assert_allclose(holm([0.9, 0.8]), [1.0, 1.0])
    assert len(holm([])) == 0


def test_mean_interval():
    rng = np.random.RandomState(0)
    values = rng.normal(size=(400, 2)) + [0.0, 5.0]
    low, high = mean_interval(values)
    error = 1.96 * values.std(axis=0) / 20
    np.testing.assert_allclose(low, values.mean(axis=0) - error, atol=0.02)
    np.testing.assert_allclose(high, values.mean(axis=0) + error, atol=0.02)
    np.testing.assert_array_equal(mean_interval(values), (low, high))
    np.testing.assert_allclose(mean_interval(values + 3), (low + 3, high + 3))
    np.testing.assert_array_equal(mean_interval([0.5] * 4), (0.5, 0.5))
    assert np.isnan(mean_interval([0.5])).all()


def test_pareto_front():
    assert pareto_front([3, 1, 2, 2, 4], [0.9, 0.5, 0.6, 0.7, 0.9]) == [1, 3, 0]
    assert pareto_front([], []) == []


@pytest.mark.parametrize("ours", [0.5, 0.7])
def test_one_data_set_proves_nothing(ours):
    (test,) = paired_tests([[ours, 0.5]], ["ours", "theirs"], "ours")
    assert test.p_value == 1


def test_splits_of_one_table_are_not_independent():
    """Two detectors that are equally good differ significantly on few tables.

    Their scores are fixed; each split takes half of the rows of one table.
    """
    found = 0
    for seed in range(60):
        rng = np.random.RandomState(seed)
        gains = rng.normal(size=200)
        halves = [rng.permutation(200)[:100] for _ in range(10)]
        scores = {"a": [[gains[half].mean(), 0.0] for half in halves]}
        test = against_best(scores, ["ours", "theirs"], "ours", {"a": 1.0})["a"]
        assert test.low < test.difference < test.high
        found += test.p_value < 0.05
    assert found <= 6


def test_corrected_resampled_t_test_by_hand():
    scores = {"a": [[0.9, 0.8], [0.8, 0.6], [0.7, 0.7]], "b": [[0.5, 0.5]]}
    tests = against_best(scores, ["ours", "theirs"], "ours", {"a": 2.0, "b": 1.0})
    error = np.sqrt((1 / 3 + 2) * 0.01)  # differences .1, .2, 0
    p_value = 2 * stats.t.sf(0.1 / error, 2)
    assert tests["a"].p_value == pytest.approx(p_value)
    assert tests["a"].p_holm == pytest.approx(min(2 * p_value, 1))
    half = stats.t.ppf(0.975, 2) * error
    assert (tests["a"].low, tests["a"].high) == pytest.approx((0.1 - half, 0.1 + half))
    assert tests["a"][4:7] == (2, 1, 0)
    assert np.isnan(tests["b"].low)
    assert tests["b"].p_value == 1.0
    same = {"a": [[0.6, 0.5], [0.6, 0.5]]}
    assert against_best(same, ["ours", "theirs"], "ours", {"a": 1.0})["a"].p_value == 0.0
