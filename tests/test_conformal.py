"""ConformalDetector: what it promises about false alarms and false discoveries, counted."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta, betabinom, kstest, norm
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skflow import MahalanobisDetector, RareEventDetector, RealNVPOutlierDetector
from skflow.calibration import ConformalDetector, ThresholdDetector
from skflow.calibration._p_values import conditional_p_values, count_below, weighted_selection
from skflow.metrics import get_scorer


class FirstColumn(OutlierMixin, BaseEstimator):
    """Scores rows by their first column; there is nothing to learn but how it was fitted."""

    def fit(self, X, y=None, **params):
        self.X_, self.y_, self.params_ = X, y, params
        return self

    def score_samples(self, X):
        return np.asarray(X, dtype=float)[:, 0]


def calibrated(scores, **options):
    """A detector whose calibration scores are these."""
    frozen = FrozenEstimator(FirstColumn().fit(None))
    return ConformalDetector(frozen, **options).fit(np.asarray(scores, dtype=float)[:, None])


def column(scores):
    return np.asarray(scores, dtype=float)[:, None]


def test_p_values_by_hand():
    detector = calibrated(np.arange(1, 20), alpha=0.1)
    p = detector.p_values(column([0, 1, 1.5, 19, 30, np.nan]))
    np.testing.assert_allclose(p, [1 / 20, 2 / 20, 2 / 20, 1, 1, np.nan])
    assert detector.offset_ == 2
    np.testing.assert_array_equal(detector.predict(column([0, 1, 2, np.nan])), [-1, -1, 1, 0])
    # Another level needs no other fit.
    detector.set_params(alpha=0.05)
    np.testing.assert_array_equal(detector.predict(column([0, 1, 2])), [-1, 1, 1])
    # A level that rounding puts just below a count: 0.29 * 100 = 28.999...
    detector = calibrated(np.arange(99), alpha=0.29)
    assert (detector.predict(column(np.arange(99))) == -1).sum() == 28
    assert np.sum(detector.p_values(column(np.arange(99))) <= 0.29) == 28


def test_false_alarm_rates_follow_the_law():
    """Given the calibration rows, the rate is Beta(k, n + 1 - k), whose mean is alpha."""
    rng = np.random.RandomState(0)
    rates = [norm.cdf(calibrated(rng.normal(size=99), alpha=0.1).offset_) for _ in range(400)]
    assert np.mean(rates) == pytest.approx(0.1, abs=0.005)
    assert kstest(rates, beta(10, 90).cdf).pvalue > 0.01


def test_random_ties_have_the_law_of_no_ties():
    """Scores of five values: the number flagged is beta-binomial, where conservative flags none."""
    rng = np.random.RandomState(0)
    draw = lambda n: rng.randint(5, size=n)  # noqa: E731
    law, places, p, conservative = betabinom(40, 4, 36), [], [], []
    for _ in range(300):
        calibration, new = draw(39), column(draw(40))
        detector = calibrated(calibration, alpha=0.1, ties="random", random_state=rng)
        found = int(np.sum(detector.predict(new) == -1))
        places.append(rng.uniform(law.cdf(found - 1), law.cdf(found)))
        p.append(detector.p_values(new[:1])[0] * 40)
        conservative.append(np.mean(calibrated(calibration).p_values(new) <= 0.1))
    assert kstest(places, "uniform").pvalue > 0.01
    assert kstest(np.asarray(p) - rng.uniform(size=300), "uniform", args=(0, 40)).pvalue > 0.01
    assert np.mean(conservative) < 0.02
    # Rows that come one at a time have draws of their own, and a refit has the same.
    alone = []
    for seed in range(5):
        detector = calibrated(draw(999), alpha=0.1, ties="random", random_state=seed)
        alone += [detector.predict([[score]])[0] == -1 for score in draw(200)]
    assert np.mean(alone) == pytest.approx(0.1, abs=0.04)
    rows = column(draw(40))
    first, second = (
        clone(detector).fit(column(detector.calibration_scores_[0])).p_values(rows)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)
    # Scores that tie with none, and rows without one.
    between = detector.p_values(column([-1, 0.5, 9, np.nan]))
    plain = calibrated(detector.calibration_scores_[0]).p_values(column([-1, 0.5, 9, np.nan]))
    np.testing.assert_array_equal(between, plain)


def test_conditional_guarantee():
    """With a chance of 1 - delta the rate is at most alpha, for all alpha at once."""
    rng = np.random.RandomState(0)
    n, delta = 200, 0.2
    counts = np.arange(1, n + 2)
    raised = conditional_p_values(counts / (n + 1), n, delta)
    assert (np.diff(raised) >= 0).all()
    assert (raised >= counts / (n + 1)).all()
    assert raised[-1] == 1
    held, marginal_held = [], []
    for _ in range(600):
        uniform = np.sort(rng.uniform(size=n))
        # p of count i or less has the true chance of lying below the i-th calibration score.
        held.append((uniform <= raised[:-1]).all())
        marginal_held.append((uniform <= counts[:-1] / (n + 1)).all())
    assert np.mean(held) > 1 - delta - 2 * np.sqrt(delta * (1 - delta) / 600)
    assert np.mean(marginal_held) < 0.2
    detector = calibrated(rng.normal(size=n), guarantee="conditional", delta=delta)
    plain = (
        clone(detector)
        .set_params(guarantee="marginal")
        .fit(detector.calibration_scores_[0][:, None])
    )
    rows = column(rng.normal(size=50))
    np.testing.assert_allclose(
        detector.p_values(rows),
        raised[np.rint(plain.p_values(rows) * (n + 1)).astype(int) - 1],
    )
    with pytest.raises(AttributeError, match="use p_values"):
        detector.offset_  # noqa: B018


def test_bounds_of_the_simes_inequality_by_hand():
    # n = 4, k = 2, i = 4: 1 - sqrt(delta * (4 * 3) / (4 * 3)); i = 3: (3 * 2) / (4 * 3) ...
    expected = [1 - np.sqrt(0.1 * share) for share in (1, 6 / 12, 2 / 12)] + [1, 1]
    np.testing.assert_allclose(conditional_p_values(np.arange(1, 6) / 5, 4, 0.1), expected)


@pytest.mark.parametrize("q", [0.05, 0.1, 0.2])
def test_false_discoveries_in_the_mean(q):
    rng = np.random.RandomState(1)
    shares, found = [], []
    for _ in range(250):
        detector = calibrated(rng.normal(size=1000))
        bulk = np.repeat([True, False], [180, 20])
        selected = detector.select(column(rng.normal(size=200) - 4 * ~bulk), fdr=q)
        shares.append(np.sum(selected & bulk) / max(selected.sum(), 1))
        found.append(np.mean(selected[~bulk]))
    limit = 0.9 * q
    error = np.std(shares) / np.sqrt(len(shares))
    assert np.mean(shares) <= limit + 2 * error
    assert np.mean(shares) >= limit - 3 * error  # and not by finding nothing
    assert np.mean(found) > 0.5


def test_covariate_shift():
    """Calibration rows N(0, 1), new ones N(1, 1): only weights keep the rate."""
    rng = np.random.RandomState(0)
    ratio = lambda X: np.exp(X[:, 0] - 0.5)  # noqa: E731
    p, plain = [], []
    for _ in range(300):
        calibration, new = -rng.normal(size=100), column(-(1 + rng.normal(size=10)))
        shifted = calibrated(calibration, covariate_shift=lambda X: ratio(-X))
        p.append(shifted.p_values(new))
        plain.append(calibrated(calibration).p_values(new))
    p, plain = np.concatenate(p), np.concatenate(plain)
    for alpha in (0.1, 0.3):
        assert np.mean(p <= alpha) <= alpha + 2 * np.sqrt(alpha / len(p))
        assert np.mean(plain <= alpha) > 2 * alpha
    with pytest.raises(ValueError, match=r"must return 5 finite weights above 0; got \[0. 0."):
        calibrated(np.arange(5), covariate_shift=lambda X: np.zeros(len(X)))


def literal_selection(calibration, weights, scores, own, q):
    """Algorithm 1 of Jin and Candes with deterministic pruning, as it is written."""
    m = len(scores)

    def bh(p):
        ranked = np.sort(p)
        passing = np.flatnonzero(ranked <= q * np.arange(1, m + 1) / m)
        return passing.max() + 1 if len(passing) else 0

    p, company = np.empty(m), np.empty(m, dtype=int)
    for j in range(m):
        total = weights.sum() + own[j]
        p[j] = (weights[calibration <= scores[j]].sum() + own[j]) / total
        others = [
            (weights[calibration < scores[k]].sum() + own[j] * (scores[j] < scores[k])) / total
            for k in range(m)
        ]
        others[j] = 0.0
        company[j] = bh(np.array(others))
    first = p <= q * company / m
    best = 0
    for r in range(1, m + 1):
        if np.sum(first & (company <= r)) >= r:
            best = r
    return p, first & (company <= best)


def test_weighted_selection_is_the_algorithm():
    rng = np.random.RandomState(0)
    n_selected = 0
    for _ in range(30):
        calibration, scores = rng.normal(size=200), rng.normal(size=40) - 3 * (np.arange(40) < 15)
        weights, own = np.exp(0.3 * rng.normal(size=200)), np.exp(0.3 * rng.normal(size=40))
        p, expected = literal_selection(calibration, weights, scores, own, 0.2)
        counts = count_below(scores, calibration, weights)
        selected = weighted_selection(p, scores, counts.below, counts.total, own, 0.2)
        np.testing.assert_array_equal(selected, expected)
        n_selected += selected.sum()
    assert n_selected > 100
    # Through the detector, which knows the weights.
    detector = calibrated(calibration, covariate_shift=lambda X: np.exp(0.1 * X[:, 0]))
    p, expected = literal_selection(
        calibration, np.exp(0.1 * calibration), scores, np.exp(0.1 * scores), 0.2
    )
    np.testing.assert_allclose(detector.p_values(column(scores)), p)
    np.testing.assert_array_equal(detector.select(column(scores), fdr=0.2), expected)


def test_weighted_selection_keeps_the_rate():
    rng = np.random.RandomState(0)
    shares = []
    for _ in range(150):
        detector = calibrated(
            rng.normal(size=500), covariate_shift=lambda X: np.exp(-0.5 * X[:, 0])
        )
        bulk = np.repeat([True, False], [80, 20])
        new = rng.normal(-0.5, size=100) - 4 * ~bulk
        selected = detector.select(column(new), fdr=0.2)
        shares.append(np.sum(selected & bulk) / max(selected.sum(), 1))
    assert np.mean(shares) <= 0.2 + 2 * np.std(shares) / np.sqrt(150)
    assert np.mean(shares) > 0.02


def test_groups_have_their_own_rates():
    rng = np.random.RandomState(0)
    group = rng.choice(["MST", "LST"], size=4000)
    scores = rng.normal(size=4000) - 3 * (group == "LST")
    frozen = FrozenEstimator(FirstColumn().fit(None))
    detector = ConformalDetector(frozen, alpha=0.1).fit(
        column(scores[:2000]), calibration_groups=group[:2000]
    )
    labels = detector.predict(column(scores[2000:]), calibration_groups=group[2000:])
    for name in ("MST", "LST"):
        assert np.mean(labels[group[2000:] == name] == -1) == pytest.approx(0.1, abs=0.04)
    alone = (
        ConformalDetector(frozen, alpha=0.1)
        .fit(column(scores[:2000]))
        .predict(column(scores[2000:]))
    )
    assert np.mean(alone[group[2000:] == "MST"] == -1) < 0.01
    assert list(detector.groups_) == ["LST", "MST"]
    new = column([0.0])
    with pytest.raises(ValueError, match="must be given to fit and here; fit got some"):
        detector.p_values(new)
    with pytest.raises(ValueError, match=r"among the 2 groups of fit; got \['SST'\]"):
        detector.p_values(new, calibration_groups=["SST"])
    # Few rows and many: NumPy takes 1 for "1" among few.
    numbers = np.arange(2000) % 40
    counted = ConformalDetector(frozen).fit(column(scores[:2000]), calibration_groups=numbers)
    for n in (2, 2000):
        with pytest.raises(ValueError, match=r"among the 40 groups of fit; got \['0', '1'"):
            counted.p_values(column(scores[:n]), calibration_groups=numbers[:n].astype(str))
    with pytest.raises(ValueError, match="must be given to fit and here; fit got none"):
        calibrated(scores).p_values(new, calibration_groups=["LST"])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        detector.p_values(new, calibration_groups=["LST", "LST"])
    with pytest.warns(UserWarning, match="9 calibration rows of group 'few' are too few"):
        ConformalDetector(frozen, alpha=0.05).fit(
            column(np.arange(109)), calibration_groups=np.repeat(["many", "few"], [100, 9])
        )


def test_cross_conformal_by_hand():
    rng = np.random.RandomState(0)
    X, new = rng.normal(size=(60, 2)), rng.normal(size=(20, 2))
    detector = ConformalDetector(MahalanobisDetector(), cv=3, random_state=1).fit(X)
    folds = KFold(3, shuffle=True, random_state=1).split(X)
    smaller = np.zeros(20)
    for train, out in folds:
        model = MahalanobisDetector().fit(X[train])
        calibration, scores = model.score_samples(X[out]), model.score_samples(new)
        smaller += (calibration[:, None] <= scores).sum(axis=0)
    np.testing.assert_allclose(detector.p_values(new), (smaller + 1) / 61)
    assert (detector.n_calibration_, len(detector.estimators_)) == (60, 3)
    mean = np.mean([model.score_samples(new) for model in detector.estimators_], axis=0)
    np.testing.assert_array_equal(detector.score_samples(new), mean)


def test_cross_conformal_rates_are_near_alpha():
    rng = np.random.RandomState(0)
    rates = []
    for seed in range(40):
        detector = ConformalDetector(MahalanobisDetector(), alpha=0.1, cv=5, random_state=seed)
        labels = detector.fit(rng.normal(size=(60, 3))).predict(rng.normal(size=(200, 3)))
        rates.append(np.mean(labels == -1))
    assert 0.07 < np.mean(rates) < 0.12


def test_known_anomalies_never_calibrate():
    rng = np.random.RandomState(0)
    X = np.concatenate([rng.normal(size=400), 100 + rng.normal(size=40)])[:, None]
    y = np.repeat([1, -1], [400, 40])
    # scikit-learn's detectors would take them for bulk; skflow's know what -1 is.
    other = ConformalDetector(FirstColumn(), random_state=0).fit(X, y)
    assert len(other.estimators_[0].X_) == 300
    assert other.estimators_[0].X_.max() < 50
    assert other.estimators_[0].y_ is None
    assert other.calibration_scores_[0].max() < 50
    learner = RareEventDetector(MahalanobisDetector(), cv=2)
    ours = ConformalDetector(make_pipeline(StandardScaler(), learner), random_state=0).fit(X, y)
    assert ours.estimators_[0][-1].part_names_[1] == "trees"
    assert ours.n_calibration_ == 100
    with pytest.raises(ValueError, match="every other label must be"):
        ConformalDetector(FirstColumn()).fit(X, np.where(y == 1, 2, -1))
    with pytest.warns(UserWarning, match="y holds 0 and 1"):
        ConformalDetector(FirstColumn()).fit(X, (y == -1).astype(int))


@pytest.mark.parametrize(
    "estimator",
    [
        IsolationForest(n_estimators=20, random_state=0),
        LocalOutlierFactor(novelty=True),
        RealNVPOutlierDetector(max_iter=50, random_state=0),
    ],
)
def test_any_detector(estimator):
    rng = np.random.RandomState(0)
    X = pd.DataFrame(rng.normal(size=(600, 3)), columns=["size", "width", "length"])
    detector = ConformalDetector(estimator, alpha=0.1, random_state=0).fit(X[:400])
    assert list(detector.feature_names_in_) == list(X.columns)
    assert detector.n_features_in_ == 3
    assert np.mean(detector.predict(X[400:]) == -1) < 0.2
    far = X[400:430] + 20
    assert detector.select(pd.concat([far, X[430:]]))[:30].all()
    decision = detector.decision_function(far)
    np.testing.assert_allclose(decision, detector.score_samples(far) - detector.offset_)


def test_search_through_it():
    rng = np.random.RandomState(0)
    X = np.concatenate(
        [rng.normal(size=(300, 2)) * [1, 5], [[8, 0]] * 20 + rng.normal(size=(20, 2))]
    )
    y = np.repeat([1, -1], [300, 20])
    order = rng.permutation(320)
    search = GridSearchCV(
        ConformalDetector(MahalanobisDetector(), random_state=0),
        {"estimator__covariance": ["full", "spherical"]},
        scoring=get_scorer("roc_auc"),
        cv=3,
    ).fit(X[order], y[order])
    assert search.best_params_ == {"estimator__covariance": "full"}


def test_rows_without_a_score():
    scores = np.append(np.arange(40.0), [np.nan] * 5)
    detector = calibrated(scores)
    assert detector.n_calibration_ == 40
    assert np.isnan(detector.p_values(column([np.nan])))
    selected = detector.select(column(np.append([-1.0] * 9, [np.nan] * 500)), fdr=0.1)
    np.testing.assert_array_equal(selected, np.arange(509) < 9)
    assert not detector.select(column([np.nan])).any()
    with pytest.raises(ValueError, match="calibration rows must have scores; got NaN for all"):
        calibrated([np.nan, np.nan])


def test_too_few_calibration_rows():
    message = r"18 calibration rows are too few for alpha=0.05: the smallest p-value is 0\.0526,"
    with pytest.warns(UserWarning, match=message):
        detector = calibrated(np.arange(18))
    assert detector.offset_ == -np.inf
    assert (detector.predict(column([-1e9])) == 1).all()
    with pytest.warns(UserWarning, match="40 calibration rows are too few for alpha=0.05"):
        calibrated(np.arange(40), guarantee="conditional")
    message = "with 99 calibration rows fewer than 10 of 100 rows never are at fdr=0.1"
    with pytest.warns(UserWarning, match=message):
        selected = calibrated(np.arange(99)).select(column(np.append(np.full(91, 50), [-1.0] * 9)))
    assert not selected.any()
    assert (
        calibrated(np.arange(99)).select(column(np.append(np.full(90, 50), [-1.0] * 10))).sum()
        == 10
    )


def test_bad_options():
    X = column(np.arange(50))
    for options in ({"covariate_shift": len}, {"guarantee": "conditional"}):
        with pytest.raises(ValueError, match="need cv=None"):
            ConformalDetector(FirstColumn(), cv=3, **options).fit(X)
    for options in ({"guarantee": "conditional"}, {"ties": "random"}):
        with pytest.raises(ValueError, match="weighted p-values are not known to hold with these"):
            ConformalDetector(FirstColumn(), covariate_shift=len, **options).fit(X)
    with pytest.raises(ValueError, match="weighted p-values are not known to hold with these"):
        ConformalDetector(FirstColumn(), covariate_shift=len).fit(
            X, calibration_groups=np.arange(50) % 2
        )
    with pytest.raises(ValueError, match="a FrozenEstimator needs cv=None; got cv=3"):
        ConformalDetector(FrozenEstimator(FirstColumn().fit(X)), cv=3).fit(X)
    with pytest.raises(ValueError, match="fdr must be between 0 and 1; got 1"):
        calibrated(np.arange(50)).select(X, fdr=1)
    with pytest.raises(ValueError, match="'alpha' parameter"):
        ConformalDetector(FirstColumn(), alpha=1.5).fit(X)


def test_parameters_set_after_fit():
    X = column(np.arange(50))
    detector = calibrated(np.arange(50))
    for options in ({"cv": 5}, {"covariate_shift": lambda X: np.ones(len(X))}):
        changed = calibrated(np.arange(50)).set_params(**options)
        with pytest.raises(ValueError, match="a change of cv or covariate_shift needs another fit"):
            changed.predict(X)
    with pytest.raises(ValueError, match="'alpha' parameter"):
        detector.set_params(alpha=1.5).predict(X)
    folds = ConformalDetector(MahalanobisDetector(), cv=5, alpha=0.2).fit(X)
    with pytest.raises(ValueError, match="need cv=None"):
        folds.set_params(guarantee="conditional").predict(X)
    with pytest.raises(AttributeError, match="estimator_ is there after fit with cv=None"):
        folds.estimator_  # noqa: B018


def test_weights_of_lost_rows_are_not_asked_for():
    X = np.random.RandomState(0).normal(size=(400, 1))
    X[::7] = np.nan
    detector = ConformalDetector(
        MahalanobisDetector(nan_policy="omit"),
        covariate_shift=lambda X: np.exp(X[:, 0]),
        random_state=0,
    ).fit(X)
    assert np.isnan(detector.p_values(X)[::7]).all()
    assert np.isfinite(detector.p_values(X)[1:7]).all()
    assert not detector.select(X)[::7].any()
    assert (detector.predict(X[::7]) == 0).all()


def test_infinite_scores():
    detector = calibrated(np.append(np.arange(40.0), [-np.inf] * 3), alpha=0.05)
    np.testing.assert_array_equal(detector.predict(column([-np.inf, 0.0, np.inf])), [1, 1, 1])
    assert detector.set_params(alpha=0.1).predict([[-np.inf]]) == [-1]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([None, "a"] * 50, r"must be of one kind, none missing; got \['NoneType', 'str'\]"),
        (np.array([1, "a"] * 50, dtype=object), "must be of one kind, none missing; got"),
        ([np.nan, 1.0] * 50, "must be of one kind, none missing; got"),
        (["a"] * 99 + ["b"], r"every group must have calibration rows; got none of \['b'\]"),
    ],
)
def test_bad_groups(groups, message):
    with pytest.raises(ValueError, match=message):
        ConformalDetector(FirstColumn(), random_state=0).fit(
            column(np.arange(100)), calibration_groups=groups
        )


def test_labels_reach_a_detector_inside_others():
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(400, 2)), np.tile([-1, 1, 1, 1], 100)
    learner = ThresholdDetector(RareEventDetector(MahalanobisDetector(), cv=2))
    detector = ConformalDetector(learner, random_state=0).fit(X, y)
    assert detector.estimator_.estimator_.part_names_[1] == "trees"


def test_sample_weights_stay_with_their_rows():
    """A row of weight 0 is as good as none, wherever it stands."""
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(200, 2)), np.tile([-1, 1, 1, 1], 50)
    X[1::8] += 100  # bulk rows that must not count
    weight = np.where(np.arange(200) % 8 == 1, 0.0, 1.0)
    learner = RareEventDetector(MahalanobisDetector(), cv=2, random_state=0)
    detector = ConformalDetector(learner, random_state=0).fit(X, y, sample_weight=weight)
    assert np.abs(detector.estimator_.mean_).max() < 1
    kept = ThresholdDetector(learner).fit(X, y, sample_weight=weight)
    assert np.abs(kept.estimator_.mean_).max() < 1


def test_a_failed_fit_loses_nothing():
    detector = calibrated(np.arange(50))
    before = dict(vars(detector))
    detector.set_params(estimator=MahalanobisDetector())
    with pytest.raises(ValueError, match="infinity"):
        detector.fit([[1.0], [np.inf], [2.0], [3.0]])
    assert detector.n_calibration_ == 50
    assert {k: v for k, v in vars(detector).items() if k != "estimator"} == {
        k: v for k, v in before.items() if k != "estimator"
    }


def test_further_arguments_of_fit():
    X = column(np.arange(40))
    detector = ConformalDetector(FirstColumn(), alpha=0.1, random_state=0)
    detector.fit(X, X_contrast=X[:3])
    np.testing.assert_array_equal(detector.estimators_[0].params_["X_contrast"], X[:3])
    labels = clone(detector).fit_predict(X)
    np.testing.assert_array_equal(labels, detector.predict(X))
