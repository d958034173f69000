"""Synthetic negatives: what each kind makes, and what detectors make of them."""

import numpy as np
import pytest

from skflow import ContrastiveFlowDetector
from skflow.detectors._negatives import inflated_box, local_noise, make_negatives, permuted_subsets


@pytest.fixture
def quick():
    return ContrastiveFlowDetector(max_iter=120, n_blocks=4, random_state=0)


@pytest.fixture
def rng():
    return np.random.RandomState(0)


def test_permuted_subsets_break_rows_but_keep_margins(rng):
    bulk = np.arange(3000.0).reshape(1000, 3)
    negatives = permuted_subsets(bulk, rng)
    kept = (negatives == bulk).sum(axis=1)
    assert (kept >= 1).all()
    assert (kept == 3).mean() < 0.02  # a donor may happen to be the row itself
    for k in range(3):
        assert set(negatives[:, k].tolist()) <= set(bulk[:, k].tolist())


def test_local_noise_has_many_scales_and_keeps_constant_features(rng):
    bulk = rng.normal(size=(5000, 3)) * [1, 100, 0]
    moved = local_noise(bulk, rng) - bulk
    assert (moved[:, 2] == 0).all()
    scale = np.abs(moved[:, :2]) / [1, 100]
    # Of a normal with a scale from 0.1 to 3, evenly on a log scale: E|x| is 0.80 E[scale].
    mean_scale = (3 - 0.1) / np.log(3 / 0.1)
    assert scale.mean() == pytest.approx(np.sqrt(2 / np.pi) * mean_scale, rel=0.05)
    # One scale a row: far in one feature is far in the other.
    assert np.corrcoef(scale.T)[0, 1] > 0.2


def test_inflated_box_is_a_tenth_wider_on_every_side(rng):
    bulk = rng.uniform(size=(5000, 2)) * [1, 50] + [0, 100]
    negatives = inflated_box(bulk, rng)
    low, high = bulk.min(axis=0), bulk.max(axis=0)
    margin = 0.1 * (high - low)
    assert ((negatives >= low - margin) & (negatives <= high + margin)).all()
    outside = ((negatives < low) | (negatives > high)).mean(axis=0)
    np.testing.assert_allclose(outside, 0.2 / 1.2, atol=0.03)


def test_permuted_negatives_flag_broken_dependence(quick, rng):
    t = rng.normal(size=1500)
    X = np.column_stack([t, t + 0.3 * rng.normal(size=1500)])
    broken = np.column_stack([X[:500, 0], rng.permutation(X[:500, 1])])
    quick.set_params(negatives="permuted").fit(X[:1000])
    assert np.median(quick.score_samples(broken)) < np.quantile(quick.score_samples(X), 0.05)


def test_without_contrast_rows_it_is_a_flow_of_the_bulk(quick, bulk):
    quick.fit(bulk)
    assert set(quick.history_["phase"]) == {"warm-up"}


def test_a_callable_makes_negatives_beside_other_contrast_rows(quick, bulk):
    seen = []

    def shifted(X, rng):
        seen.append(X.copy())
        return X[rng.permutation(len(X))[:50]] + [3e3, 0, 0]

    labelled = bulk[:100] - [3e3, 0, 0]
    X, y = np.vstack([bulk, labelled]), np.repeat([1, -1], [400, 100])
    quick.set_params(negatives=shifted).fit(X, y, X_contrast=bulk[:100] + [0, 0, 50.0])
    np.testing.assert_array_equal(seen[0], bulk)
    typical = np.median(quick.score_samples(bulk))
    for shift in ([3e3, 0, 0], [-3e3, 0, 0], [0, 0, 50.0]):
        assert np.median(quick.score_samples(bulk + shift)) < typical - 5


def test_a_callable_may_work_in_place(quick, bulk):
    def in_place(X, rng):
        X += [3e3, 0, 0]
        return X

    before = bulk.copy()
    quick.set_params(negatives=in_place).fit(bulk)
    np.testing.assert_array_equal(bulk, before)
    mean = quick.weights_["standardize.mean"][0]
    assert mean == pytest.approx(bulk[:, 0].mean(), abs=300)


@pytest.mark.parametrize("kind", ["box", "noise"])
def test_negatives_that_overflow_are_refused(quick, kind):
    X = np.array([[-1.7e308, 0.0], [1.7e308, 1.0]] * 10)
    with pytest.raises(ValueError, match="must return finite rows"):
        quick.set_params(negatives=kind).fit(X)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (np.zeros((5, 2)), r"rows of 3 columns, one at least; got an array of shape \(5, 2\)"),
        (np.zeros((0, 3)), r"one at least; got an array of shape \(0, 3\)"),
        (np.full((5, 3), np.inf), "must return finite rows"),
    ],
)
def test_bad_negatives_are_refused(quick, bulk, made, message):
    with pytest.raises(ValueError, match=message):
        quick.set_params(negatives=lambda X, rng: made).fit(bulk)


def test_one_feature_has_no_subset_to_permute(quick, rng):
    with pytest.raises(ValueError, match="needs at least 2 features; got 1"):
        quick.set_params(negatives="permuted").fit(rng.normal(size=(50, 1)))


def test_kinds_by_name(rng):
    bulk = rng.normal(size=(50, 2))
    for kind in ("permuted", "noise", "box"):
        assert make_negatives(kind, bulk, rng).shape == (50, 2)
