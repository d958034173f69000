"""ContrastiveFlowDetector: the known optimum, its three sources of contrast, metadata routing."""

import numpy as np
import pytest
from known_optimum import contrastive_optimum, total_variation
from scipy.stats import multivariate_normal
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skflow import ContrastiveFlowDetector, RealNVPOutlierDetector
from skflow.metrics import get_scorer, roc_auc_score


@pytest.fixture
def quick():
    return ContrastiveFlowDetector(max_iter=120, n_blocks=4, random_state=0)


def test_learns_the_known_optimum_in_two_dimensions():
    """p = N(0, I), q = N((1.5, 0), 0.7^2 I), c = 0.5: the density is the design's formula."""
    p, q = multivariate_normal([0, 0]), multivariate_normal([1.5, 0], 0.49 * np.eye(2))
    rng = np.random.RandomState(0)
    detector = ContrastiveFlowDetector(
        contrast_weight=0.5,
        clamp_margin=4.0,
        noise=0.0,
        contrast_noise=0.0,
        max_iter=1200,
        batch_size=512,
        early_stopping=False,
        n_blocks=6,
        random_state=0,
    )
    detector.fit(rng.normal(size=(20_000, 2)), X_contrast=q.rvs(20_000, random_state=rng))
    axis, width = np.linspace(-6, 6, 241, retstep=True)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    density = np.exp(detector.score_samples(grid))
    expected = contrastive_optimum(p.pdf(grid), q.pdf(grid), 0.5, detector.clamp_, width**2)
    # The clamp is the median of the bulk's -log p after the warm-up plus the margin.
    assert detector.clamp_ == pytest.approx(np.log(2 * np.pi) + np.log(2) + 4.0, abs=0.1)
    assert density.sum() * width**2 == pytest.approx(1.0, abs=0.02)
    assert total_variation(density, expected, width**2) < 0.07
    assert total_variation(p.pdf(grid), expected, width**2) > 0.15


def test_finds_rare_events_that_are_not_improbable(quick):
    rng = np.random.RandomState(0)
    bulk, rare = rng.normal(size=(1500, 3)), 0.8 + 0.2 * rng.normal(size=(900, 3))
    X, y = np.vstack([bulk[:1000], rare[:100]]), np.repeat([1, -1], [1000, 100])
    X_test, y_test = np.vstack([bulk[1000:], rare[100:]]), np.repeat([1, -1], [500, 800])
    plain = RealNVPOutlierDetector(random_state=0).fit(X, y)
    assert roc_auc_score(y_test, plain.anomaly_score(X_test)) < 0.45
    quick.fit(X, y)
    assert roc_auc_score(y_test, quick.anomaly_score(X_test)) > 0.9
    assert quick.history_["phase"][0] == "warm-up"
    assert quick.history_["phase"][-1] == "contrast"


def test_labels_and_auxiliary_rows_are_both_contrasted(quick, bulk):
    high, low = bulk + [3e3, 0, 0], bulk - [3e3, 0, 0]
    X, y = np.vstack([bulk, high[:100]]), np.repeat([1, -1], [400, 100])
    both = quick.fit(X, y, X_contrast=low[:100]).score_samples(np.vstack([high, low, bulk]))
    high_score, low_score, bulk_score = np.split(both, 3)
    for score in (high_score, low_score):
        assert np.median(score) < np.median(bulk_score) - 5


def test_labelled_rows_are_the_same_as_auxiliary_rows(quick, labelled):
    X, y = labelled
    by_label = quick.fit(X, y).score_samples(X)
    by_sample = quick.fit(X[y == 1], X_contrast=X[y == -1]).score_samples(X)
    np.testing.assert_array_equal(by_label, by_sample)


def test_weighs_an_auxiliary_sample_by_how_much_of_it_is_bulk():
    rng = np.random.RandomState(0)
    bulk, mixed = rng.normal(size=(1200, 3)), rng.normal(size=(600, 3))
    near, far = 3 + rng.normal(size=(2, 600, 3))
    detector = ContrastiveFlowDetector(max_iter=2, early_stopping=False, random_state=0)
    half = np.vstack([mixed, near])

    def weight(X, y=None, X_contrast=None, **params):
        fitted = clone(detector).set_params(**params).fit(X, y, X_contrast=X_contrast)
        return fitted.contrast_weight_

    assert weight(bulk) == weight(bulk, X_contrast=near) == 3
    assert weight(bulk, X_contrast=half) == pytest.approx(1.0, abs=0.2)
    assert weight(bulk, X_contrast=half, contrast_weight=2.0) == 2
    assert weight(bulk, X_contrast=half, objective="exposure") is None
    assert weight(bulk, X_contrast=half, objective="bulk_rare") == 1
    # Known rare events are none of the bulk, and halve the share of those that are.
    y = np.repeat([1, -1], [1200, 1200])
    assert weight(np.vstack([bulk, half]), y) == 3
    X, y = np.vstack([bulk, far]), np.repeat([1, -1], [1200, 600])
    assert weight(X, y, X_contrast=half) == pytest.approx(2.0, abs=0.4)


def test_half_bulk_in_the_auxiliary_sample_hurts_nothing():
    """What is left is p - c q / 2 with the bulk in it: a flow that still knows its bulk."""
    rng = np.random.RandomState(0)
    bulk, other = rng.normal(size=(2400, 4)), rng.normal(size=(1, 4)) * 0.2 + 2.5
    rare = other + 0.5 * rng.normal(size=(900, 4))
    sample = np.vstack([bulk[1000:1500], rare[:500]])
    X_test, y_test = np.vstack([bulk[1500:], rare[500:]]), np.repeat([1, -1], [900, 400])
    detector = ContrastiveFlowDetector(random_state=0).fit(bulk[:1000], X_contrast=sample)
    plain = RealNVPOutlierDetector(random_state=0).fit(bulk[:1000])
    with_sample, without = (
        roc_auc_score(y_test, fitted.anomaly_score(X_test)) for fitted in (detector, plain)
    )
    assert with_sample > without
    # The bulk that was in the sample is no more anomalous than other bulk.
    hidden = roc_auc_score(
        np.repeat([1, -1], [900, 500]),
        detector.anomaly_score(np.vstack([bulk[1500:], sample[:500]])),
    )
    assert hidden < 0.6


@pytest.mark.parametrize(
    ("contrast", "message"),
    [
        (np.zeros((5, 2)), "X_contrast does not match X: .*expecting 3 features"),
        (np.zeros((0, 3)), r"X_contrast does not match X: .*0 sample"),
        (np.full((5, 3), np.nan), "Input X_contrast contains NaN at row 0, column 0"),
    ],
)
def test_bad_contrast_is_refused(quick, bulk, contrast, message):
    with pytest.raises(ValueError, match=message):
        quick.fit(bulk, X_contrast=contrast)


def test_one_contrast_row_is_enough(quick, bulk):
    quick.fit(bulk, X_contrast=bulk[:1])
    assert np.isfinite(quick.score_samples(bulk)).all()


def test_has_no_score_method(quick):
    with pytest.raises(AttributeError) as info:
        quick.score  # noqa: B018
    assert "pass scoring=" in str(info.value.__cause__)


def test_auxiliary_rows_pass_through_a_pipeline(quick, bulk):
    """The contrast is scaled by the scaler that the bulk was fitted on."""
    contrast = bulk + [3e3, 0, 0]
    with config_context(enable_metadata_routing=True):
        pipeline = Pipeline(
            [("scale", StandardScaler()), ("flow", quick)], transform_input=["X_contrast"]
        )
        pipeline.fit(bulk, X_contrast=contrast)
    scaler = StandardScaler().fit(bulk)
    expected = quick.score_samples(scaler.transform(bulk))
    by_hand = quick.fit(scaler.transform(bulk), X_contrast=scaler.transform(contrast))
    np.testing.assert_allclose(by_hand.score_samples(scaler.transform(bulk)), expected)


def test_auxiliary_rows_in_a_search(quick):
    """Rows with y = -1 and fold -1 train in every split and test in none."""
    rng = np.random.RandomState(0)
    # Each fold has its own kind of rare rows within the bulk; only auxiliary rows show both.
    X, sign = rng.normal(size=(1000, 2)), np.where(np.arange(300) % 2, -1, 1)[:, None]
    auxiliary = sign + 0.2 * rng.normal(size=(300, 2))
    X[:20] = sign[:20] + 0.2 * rng.normal(size=(20, 2))
    y = np.where(np.arange(1000) < 20, -1, 1)

    def best_score(X, y, folds):
        search = GridSearchCV(
            make_pipeline(StandardScaler(), quick),
            {"contrastiveflowdetector__contrast_weight": [0.001, 3.0]},
            scoring=get_scorer("roc_auc"),
            cv=PredefinedSplit(folds),
            error_score="raise",
        ).fit(X, y)
        return search.best_params_["contrastiveflowdetector__contrast_weight"], search.best_score_

    X_all = np.vstack([X, auxiliary])
    y_all = np.concatenate([y, np.full(len(auxiliary), -1)])
    folds = np.concatenate([np.arange(len(X)) % 2, np.full(len(auxiliary), -1)])
    weight, score = best_score(X_all, y_all, folds)
    assert weight == 3.0
    assert score > 0.8
    assert score > 0.2 + best_score(X, y, folds[:1000])[1]


def test_all_contrast_rows_lost_is_an_error(quick, bulk):
    quick.set_params(nan_policy="omit")
    with pytest.raises(ValueError, match=r"all 5 contrast rows .* contain NaN"):
        quick.fit(bulk, X_contrast=np.full((5, 3), np.nan))
    quick.fit(bulk, X_contrast=np.vstack([bulk[:20], np.full((5, 3), np.nan)]))
    assert quick.n_omitted_ == 5
