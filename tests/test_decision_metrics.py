"""Metrics of decisions: efficiencies, quality factor, significance, cuts in bins, intervals."""

import numpy as np
import pytest
from scipy.stats import kstest, norm

from skflow.metrics import (
    acceptance_flatness,
    average_precision_score,
    binned_cuts,
    bootstrap_interval,
    li_ma_significance,
    paired_difference,
    precision_score,
    quality_factor_score,
    roc_auc_score,
    roc_curve,
    significance_improvement_curve,
    tpr_at_fpr_score,
)

WEIGHTED = [
    average_precision_score,
    quality_factor_score,
    roc_auc_score,
    lambda y, score, **options: average_precision_score(y, score, prevalence=0.01, **options),
    lambda y, score, **options: precision_score(y, np.where(score > 1, -1, 1), **options),
    lambda y, score, **options: roc_auc_score(y, score, max_fpr=0.1, **options),
    lambda y, score, **options: tpr_at_fpr_score(y, score, max_fpr=0.1, **options),
]


@pytest.fixture
def ranking():
    rng = np.random.RandomState(0)
    y = np.where(rng.uniform(size=600) < 0.3, -1, 1)
    return y, np.round(rng.normal(size=600) + 1.5 * (y == -1), 1)  # with ties


@pytest.mark.parametrize("metric", WEIGHTED)
def test_a_weight_is_as_many_rows(metric, ranking):
    y, score = ranking
    weight = np.random.RandomState(1).randint(0, 4, size=len(y))
    repeated = metric(np.repeat(y, weight), np.repeat(score, weight))
    assert metric(y, score, sample_weight=weight) == pytest.approx(repeated, rel=1e-12)
    assert metric(y, score, sample_weight=0.1 * weight) == pytest.approx(repeated, rel=1e-12)
    assert metric(y, score, sample_weight=np.ones(len(y))) == pytest.approx(metric(y, score))


def test_roc_curve_by_hand():
    fpr, tpr, thresholds = roc_curve([1, 1, -1, -1, -1, 1], [0, 2, 2, 3, np.nan, np.nan])
    np.testing.assert_array_equal(thresholds, [np.inf, 3, 2, 0])
    np.testing.assert_allclose(tpr, [0, 1 / 3, 2 / 3, 2 / 3])  # the lost one is never found
    np.testing.assert_allclose(fpr, [0, 0, 1 / 3, 2 / 3])


def test_precision_by_hand():
    y, predicted = np.repeat([1, -1], [1000, 10]), np.ones(1010)
    predicted[[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]] = -1  # 1 % of the bulk
    predicted[-8:] = -1  # 80 % of the anomalies
    assert precision_score(y, predicted) == pytest.approx(8 / 18)
    at = [precision_score(y, predicted, prevalence=p) for p in (0.01, 0.001)]
    expected = [0.008 / (0.008 + 0.0099), 0.0008 / (0.0008 + 0.00999)]
    np.testing.assert_allclose(at, expected)
    assert precision_score(y, np.zeros(1010)) == 0.0  # nothing judged, nothing flagged
    with pytest.raises(ValueError, match="prevalence must be between 0 and 1; got 0"):
        precision_score(y, predicted, prevalence=0)


def test_quality_factor_by_hand():
    y = np.repeat([1, -1], [100, 10])
    score = np.r_[np.arange(100), [np.nan], np.full(9, 95.0)]
    # Cuts: 95 passes 9 of 10 gammas and 5 hadrons, 90 as many gammas and 10 hadrons.
    assert quality_factor_score(y, score, min_background=1) == pytest.approx(0.9 / 0.05**0.5)
    assert quality_factor_score(y, score) == pytest.approx(0.9 / 0.1**0.5)
    assert quality_factor_score(y, score, threshold=80) == pytest.approx(0.9 / 0.2**0.5)
    assert quality_factor_score(y, score, threshold=79.5) == pytest.approx(0.9 / 0.2**0.5)
    curve = significance_improvement_curve(y, score, min_background=20)
    assert (curve.thresholds[0], curve.thresholds[-1]) == (80, 0)
    np.testing.assert_allclose(curve.improvement[[0, -1]], [0.9 / 0.2**0.5, 0.9])
    for options in ({"threshold": 90.5}, {"threshold": 1e9}, {"min_background": 101}):
        with pytest.raises(ValueError, match="rows of the background must pass"):
            quality_factor_score(y, score, **options)
    with pytest.raises(ValueError, match="min_background must be at least 1; got 0"):
        significance_improvement_curve(y, score, min_background=0)


def test_significance_of_li_and_ma():
    # Values of pyirf 0.13, whose significance of a deficit is zero.
    counts = [10, 20, 3, 100], [15, 20, 0, 300], [0.2, 1, 0.3, 0.2]
    expected = [2.76663202, 0.0, 2.96614605, 4.22808612]
    np.testing.assert_allclose(li_ma_significance(*counts), expected, rtol=1e-8, atol=1e-12)
    # By hand: 2 (10 ln(1.2 / .2 * 10 / 25) + 15 ln(1.2 * 15 / 25)).
    by_hand = np.sqrt(2 * (10 * np.log(2.4) + 15 * np.log(0.72)))
    assert li_ma_significance(10, 15, 0.2) == pytest.approx(by_hand)
    # As many on as off are no signal, and a deficit is a signal's mirror image.
    assert li_ma_significance(4, 8, 0.5) == 0.0
    assert li_ma_significance(0, 0, 1.0) == 0.0
    assert li_ma_significance(5, 9, 1.0) == pytest.approx(-li_ma_significance(9, 5, 1.0))
    for bad, message in [((-1, 3, 1), "must not be negative"), ((1, 3, 0), "alpha must be above")]:
        with pytest.raises(ValueError, match=message):
            li_ma_significance(*bad)


def test_significance_is_standard_normal_without_a_signal():
    rng = np.random.RandomState(0)
    significance = li_ma_significance(rng.poisson(60, 20_000), rng.poisson(300, 20_000), 0.2)
    assert significance.mean() == pytest.approx(0, abs=0.05)
    assert significance.std() == pytest.approx(1, abs=0.02)


def test_flatness_of_a_flat_cut():
    """The p-value is uniform: the chi-square test has its level, with weights as well."""
    rng = np.random.RandomState(0)
    p_values, weighted = [], []
    for _ in range(300):
        energy, score = rng.uniform(size=(2, 2000))
        weight = rng.choice([1.0, 3.0], size=2000)
        p_values.append(acceptance_flatness(score > 0.7, energy).p_value)
        flat = acceptance_flatness(score > 0.7, energy, bins=[0, 0.5, 0.8, 1], sample_weight=weight)
        weighted.append(flat.p_value)
    assert kstest(p_values, "uniform").pvalue > 0.001
    assert kstest(weighted, "uniform").pvalue > 0.001
    assert flat.dof == 2


def test_flatness_by_hand():
    energy = np.repeat([1.0, 10.0, 99.0], [10, 20, 5])
    passes = np.r_[np.repeat([1, 0], [4, 6]), np.repeat([1, 0], [2, 18]), np.ones(5)]
    edges, acceptance, error, chi_square, dof, p_value = acceptance_flatness(
        passes, energy, bins=[0, 5, 20]
    )
    np.testing.assert_allclose(acceptance, [0.4, 0.1])
    np.testing.assert_allclose(error, np.sqrt([0.024, 0.0045]))
    variance = 0.2 * 0.8 / np.array([10, 20])
    assert chi_square == pytest.approx(np.sum((acceptance - 0.2) ** 2 / variance))
    assert (dof, list(edges)) == (1, [0, 5, 20])
    assert p_value == pytest.approx(2 * norm.sf(chi_square**0.5))
    assert acceptance_flatness(np.ones(35), energy, bins=1).p_value == 1
    with pytest.raises(ValueError, match="every bin must hold rows; got none from 20 to 30"):
        acceptance_flatness(passes, energy, bins=[0, 20, 30, 100])
    with pytest.raises(ValueError, match="edges of bins must rise"):
        acceptance_flatness(passes, energy, bins=[0, 0, 3])
    with pytest.raises(ValueError, match="bins must be at least 1, or edges; got 0"):
        acceptance_flatness(passes, energy, bins=0)
    with pytest.raises(ValueError, match="passes must be true or false for every row"):
        acceptance_flatness(energy, energy)


def test_cuts_in_bins_keep_the_efficiency():
    rng = np.random.RandomState(0)
    energy = rng.uniform(0, 3, size=3000)
    score = rng.normal(size=3000) - energy
    cuts = binned_cuts(score, energy, efficiency=0.8, bins=[0, 1, 2, 3])
    assert np.all(np.diff(cuts.cuts) < 0)
    passes = cuts.passes(score, energy)
    for low in (0, 1, 2):
        own = (energy >= low) & (energy < low + 1)
        assert passes[own].mean() == pytest.approx(0.8, abs=1 / own.sum())
    # Outside of all bins, and without a score, nothing passes.
    assert not cuts.passes([9, 9, np.nan], [-0.1, 3.1, 1.5]).any()
    assert cuts.passes([9, 9], [0.0, 3.0]).all()
    # Five bins of as many rows each.
    assert np.ptp(np.histogram(energy, binned_cuts(score, energy).edges)[0]) <= 1


def test_lost_rows_and_weights_of_cuts():
    score, energy = [np.nan, 1.0, 2.0, 3.0], np.ones(4)
    assert binned_cuts(score, energy, efficiency=0.75, bins=[0, 2]).cuts == [1.0]
    weight = [1, 1, 1, 5]
    assert binned_cuts(score, energy, efficiency=0.6, bins=[0, 2], sample_weight=weight).cuts == [3]
    with pytest.raises(ValueError, match=r"between 0 and 2 must have a score; 1 of 4 are NaN"):
        binned_cuts(score, energy, efficiency=0.8, bins=[0, 2])
    with pytest.raises(ValueError, match="efficiency must be between 0 and 1; got 1"):
        binned_cuts(score, energy, efficiency=1)


def gap(y_true, anomaly_score):
    """A metric that is quick to compute and has a known value: the distance of the means."""
    return anomaly_score[y_true == -1].mean() - anomaly_score[y_true == 1].mean()


def test_bootstrap_intervals_cover():
    """In about 90 % of repeats the interval holds the true value."""
    rng = np.random.RandomState(0)
    truth, covered = 1.0, []
    y = np.repeat([1, -1], [80, 40])
    for seed in range(150):
        score = rng.normal(size=120) + (y == -1)
        _, low, high = bootstrap_interval(
            gap, y, score, n_resamples=100, confidence_level=0.9, random_state=seed
        )
        covered.append(low <= truth <= high)
    assert 0.83 <= np.mean(covered) <= 0.97


def test_bootstrap_keeps_classes_and_weights(ranking):
    y, score = ranking
    seen = []

    def metric(y, score, sample_weight):
        seen.append((np.sum(y == -1), np.unique(sample_weight[y == -1]).tolist()))
        return roc_auc_score(y, score, sample_weight=sample_weight)

    weight = np.where(y == -1, 3.0, 1.0)
    first, second = (
        bootstrap_interval(
            metric, y, score, sample_weight=weight, n_resamples=20, random_state=seed
        )
        for seed in (0, 0)
    )
    assert first == second
    assert first.value == roc_auc_score(y, score, sample_weight=weight)
    assert set(map(str, seen)) == {str((np.sum(y == -1), [3.0]))}
    with pytest.raises(ValueError, match="confidence_level must be between 0 and 1; got 95"):
        bootstrap_interval(roc_auc_score, y, score, confidence_level=95)
    with pytest.raises(ValueError, match="n_resamples must be at least 2; got 1"):
        bootstrap_interval(roc_auc_score, y, score, n_resamples=1)


def test_paired_differences():
    """Two detectors that are alike differ at the 5 % level in about 5 % of repeats."""
    rng = np.random.RandomState(0)
    y = np.repeat([1, -1], [100, 50])
    p_values = []
    for seed in range(120):
        shared = rng.normal(size=150) + (y == -1)
        one, two = (shared + 0.5 * rng.normal(size=150) for _ in range(2))
        result = paired_difference(gap, y, one, two, n_resamples=100, random_state=seed)
        p_values.append(result.p_value)
    assert np.mean(np.asarray(p_values) < 0.05) < 0.12
    assert np.mean(p_values) > 0.35
    # Shared difficulty cancels: the interval is far shorter than each one's own.
    own = bootstrap_interval(roc_auc_score, y, one, random_state=0)
    slightly = paired_difference(roc_auc_score, y, one, one + 0.01 * two, random_state=0)
    assert slightly.high - slightly.low < 0.2 * (own.high - own.low)
    same = paired_difference(roc_auc_score, y, one, one, n_resamples=50)
    assert same == (0, 0, 0, 1)
    weight = np.ones(150)
    assert paired_difference(
        roc_auc_score, y, one, two, sample_weight=weight, n_resamples=20, random_state=0
    ) == paired_difference(roc_auc_score, y, one, two, n_resamples=20, random_state=0)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([1, 1, -1], "sample_weight must be finite and not negative; got -1"),
        ([1, np.nan, 1], "sample_weight must be finite and not negative; got nan"),
        ([0, 0, 1], r"positive somewhere in each class; \+1 \(bulk\) has 0"),
        ([1, 1, 0], r"positive somewhere in each class; -1 \(anomaly\) has 0"),
        ([1, 1], "inconsistent numbers of samples"),
    ],
)
def test_bad_weights(weight, message):
    for metric in (roc_auc_score, roc_curve, quality_factor_score):
        with pytest.raises(ValueError, match=message):
            metric([1, 1, -1], [0, 1, 2], sample_weight=weight)
