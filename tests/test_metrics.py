"""Ranking figures against scikit-learn and by hand, labels, ties, lost rows, scorers."""

import numpy as np
import pytest
from sklearn import metrics as sk
from sklearn.ensemble import IsolationForest
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold, cross_val_score
from sklearn.neighbors import LocalOutlierFactor

import skflow.metrics
from skflow import MahalanobisDetector
from skflow.metrics import (
    average_precision_score,
    get_scorer,
    get_scorer_names,
    precision_at_n_score,
    roc_auc_score,
    tpr_at_fpr_score,
)

METRICS = [average_precision_score, precision_at_n_score, roc_auc_score, tpr_at_fpr_score]


@pytest.fixture
def ranking():
    rng = np.random.RandomState(0)
    y = np.where(rng.uniform(size=500) < 0.3, -1, 1)
    return y, np.round(rng.normal(size=500) + (y == -1), 1)  # with ties


@pytest.fixture
def labelled():
    """Normal rows and rows far from them, in random order."""
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(400, 3)), np.where(rng.uniform(size=400) < 0.1, -1, 1)
    X[y == -1, 0] += 6
    return X, y


def test_agree_with_scikit_learn(ranking):
    y, score = ranking
    assert roc_auc_score(y, score) == sk.roc_auc_score(y == -1, score)
    assert average_precision_score(y, score) == sk.average_precision_score(y == -1, score)
    for max_fpr in (0.01, 0.1, 0.5):
        fpr, tpr, _ = sk.roc_curve(y == -1, score, drop_intermediate=False)
        expected = tpr[fpr <= max_fpr].max()
        assert tpr_at_fpr_score(y, score, max_fpr=max_fpr) == pytest.approx(expected)


def test_average_precision_at_another_prevalence(ranking):
    y, score = ranking
    share = np.mean(y == -1)
    same = average_precision_score(y, score, prevalence=share)
    assert same == pytest.approx(average_precision_score(y, score))
    # Nine copies of every bulk row are what a ninth of the odds look like.
    copies = np.where(y == -1, 1, 9)
    expected = average_precision_score(np.repeat(y, copies), np.repeat(score, copies))
    prevalence = share / (share + 9 * (1 - share))
    assert average_precision_score(y, score, prevalence=prevalence) == pytest.approx(expected)
    with pytest.raises(ValueError, match="prevalence must be between 0 and 1; got 1"):
        average_precision_score(y, score, prevalence=1)


def test_by_hand():
    y, score = [1, -1, 1, -1, 1, 1], [5, 4, 3, 2, 1, 0]
    assert tpr_at_fpr_score(y, score, max_fpr=0.25) == 0.5
    assert tpr_at_fpr_score(y, score, max_fpr=0.5) == 1.0
    assert tpr_at_fpr_score(y, score, max_fpr=0.01) == 0.0
    assert precision_at_n_score(y, score) == 0.5
    assert precision_at_n_score(y, score, n=1) == 0.0
    assert precision_at_n_score(y, score, n=4) == 0.5
    # Two anomalies and one bulk row share the last of two places: their expectation.
    assert precision_at_n_score([1, -1, -1, 1], [2, 1, 1, 1], n=2) == pytest.approx(1 / 3)


@pytest.mark.parametrize("metric", METRICS)
def test_any_increasing_function_of_the_score_will_do(metric, ranking):
    y, score = ranking
    assert metric(y, score) == metric(y, 1e300 * np.exp(score))
    assert metric(y, np.where(score == score.max(), np.inf, score)) == metric(y, score)


@pytest.mark.parametrize("metric", METRICS)
def test_lost_rows_never_help(metric, ranking):
    y, score = ranking
    anomalies = np.flatnonzero(y == -1)
    lost = score.copy()
    lost[anomalies[:50]] = np.nan
    assert metric(y, lost) < metric(y, score)
    # As if they ranked last.
    assert metric(y, lost) == metric(y, np.where(np.isnan(lost), -1e9, lost))
    assert metric(y, np.full(500, np.nan)) <= 0.5


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0, 1, 1], r"must hold only -1 \(anomaly\) and \+1 \(bulk\); got \[0, 1\]"),
        ([1, 1, 1], r"got only \+1.*StratifiedKFold"),
        ([-1, -1, -1], r"got only -1.*StratifiedKFold"),
        (["a", "b", "a"], "must hold only -1"),
    ],
)
def test_bad_labels(metric, y, message):
    with pytest.raises(ValueError, match=message):
        metric(y, [0.1, 0.2, 0.3])


def test_bad_options(ranking):
    with pytest.raises(ValueError, match="max_fpr must be between 0 and 1; got 1"):
        tpr_at_fpr_score(*ranking, max_fpr=1)
    with pytest.raises(ValueError, match="n must be between 1 and the 500 rows; got 501"):
        precision_at_n_score(*ranking, n=501)
    with pytest.raises(ValueError, match=r"roc_auc has no option \['n'\]"):
        get_scorer("roc_auc", n=5)
    y = np.repeat([1, -1], [100, 1])
    assert tpr_at_fpr_score(y, np.r_[np.ones(29), np.zeros(71), 0.5], max_fpr=0.29) == 1.0
    with pytest.raises(ValueError, match=r"name must be one of .*'roc_auc'.*; got 'auc'"):
        get_scorer("auc")


@pytest.mark.parametrize("name", get_scorer_names())
def test_scorers_rank_any_outlier_detector(name, labelled):
    X, y = labelled
    for detector in (
        MahalanobisDetector(),
        IsolationForest(random_state=0),
        LocalOutlierFactor(novelty=True),
    ):
        detector.fit(X[y == 1])
        score = detector.predict(X) if name == "precision" else -detector.score_samples(X)
        metric = getattr(skflow.metrics, f"{name}_score")
        assert get_scorer(name)(detector, X, y) == metric(y, score)
        if name != "precision_at_n":
            weight = np.arange(len(y))
            weighted = get_scorer(name)(detector, X, y, sample_weight=weight)
            assert weighted == metric(y, score, sample_weight=weight)


def test_scorer_options(labelled):
    X, y = labelled
    detector = MahalanobisDetector().fit(X, y)
    expected = tpr_at_fpr_score(y, detector.anomaly_score(X), max_fpr=0.3)
    assert get_scorer("tpr_at_fpr", max_fpr=0.3)(detector, X, y) == expected


def test_one_class_in_a_fold_says_what_to_do(labelled):
    X, y = labelled
    order = np.argsort(y)
    with pytest.raises(ValueError, match="StratifiedKFold keeps both"):
        cross_val_score(
            MahalanobisDetector(),
            X[order],
            y[order],
            cv=KFold(10),
            scoring=get_scorer("roc_auc"),
            error_score="raise",
        )


def test_several_scorers_in_a_parallel_search(labelled):
    search = GridSearchCV(
        MahalanobisDetector(),
        {"covariance": ["full", "diagonal"]},
        scoring={name: get_scorer(name) for name in get_scorer_names()},
        refit="average_precision",
        cv=StratifiedKFold(3),
        n_jobs=2,
    ).fit(*labelled)
    assert search.best_score_ > 0.8
