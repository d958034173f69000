"""condition=: the density of some columns given others."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skflow import ContrastiveFlowDetector, FlowEnsemble, RealNVPOutlierDetector


def make_night(n, seed=0):
    """Size of a shower that shrinks with the zenith angle; and its log-density."""
    rng = np.random.RandomState(seed)
    zenith = rng.uniform(0, 60, n)
    mean, sigma = 5 - zenith / 20, 0.2 + zenith / 100
    size = rng.normal(mean, sigma)
    width = rng.normal(0, 0.1, n)
    frame = pd.DataFrame({"size": size, "zd_deg": zenith, "width": width})
    return frame, norm(mean, sigma).logpdf(size) + norm(0, 0.1).logpdf(width)


@pytest.fixture(scope="module")
def night():
    return make_night(3000)[0]


def test_learns_the_conditional_density(night):
    fresh, log_density = make_night(1000, seed=1)
    detector = RealNVPOutlierDetector(condition=["zd_deg"], random_state=0).fit(night)
    assert np.mean(log_density - detector.score_samples(fresh)) == pytest.approx(0.03, abs=0.06)
    # The density of the condition itself plays no part: a rare angle is no anomaly.
    steep = pd.DataFrame({"size": [5.0, 2.0], "zd_deg": [60.0, 60.0], "width": [0.0, 0.0]})
    assert detector.predict(steep).tolist() == [-1, 1]
    drawn = detector.sample(4000, 0, condition=[60.0])
    assert (drawn[:, 1] == 60).all()
    assert drawn[:, 0].mean() == pytest.approx(2.0, abs=0.15)
    each = detector.sample(3, 0, condition=[[0.0], [30.0], [60.0]])
    assert each[:, 1].tolist() == [0, 30, 60]
    Z = detector.transform(night)
    assert Z.shape == (3000, 2)
    assert abs(np.corrcoef(Z[:, 0], night["zd_deg"])[0, 1]) < 0.1
    assert len(detector.get_feature_names_out()) == 2


def test_inside_a_pipeline_and_a_search(night):
    scaler = StandardScaler().set_output(transform="pandas")
    flow = RealNVPOutlierDetector(condition=["zd_deg"], max_iter=60, random_state=0)
    pipeline = Pipeline([("scale", scaler), ("flow", flow)])
    search = GridSearchCV(pipeline, {"flow__condition": [None, ["zd_deg"]]}, cv=2).fit(night)
    assert search.best_estimator_.score_samples(night).shape == (3000,)
    pipeline.fit(night)
    np.testing.assert_allclose(
        pipeline.score_samples(night.iloc[:5]), pipeline.score_samples(night)[:5], rtol=1e-9
    )


@pytest.mark.parametrize("Detector", [RealNVPOutlierDetector, ContrastiveFlowDetector])
def test_names_positions_and_masks_are_the_same(Detector, night):
    scores = [
        Detector(condition=condition, max_iter=20, random_state=0).fit(night).score_samples(night)
        for condition in (["zd_deg"], [1], [-2], np.array([False, True, False]))
    ]
    for other in scores[1:]:
        np.testing.assert_array_equal(other, scores[0])


def test_a_class_label_as_condition():
    """One-hot columns: one flow with shared weights for both classes."""
    rng = np.random.RandomState(0)
    kind = rng.choice(["muon", "ring"], 2000)
    x = np.where(kind == "muon", rng.normal(-3, 1, 2000), rng.normal(3, 0.3, 2000))
    encode = ColumnTransformer(
        [("kind", OneHotEncoder(sparse_output=False), ["kind"])],
        remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    flow = RealNVPOutlierDetector(condition=["kind_muon", "kind_ring"], random_state=0)
    pipeline = Pipeline([("encode", encode), ("flow", flow)])
    pipeline.fit(pd.DataFrame({"kind": kind, "x": x}))
    asked = pd.DataFrame({"kind": ["muon", "ring", "ring"], "x": [-3.0, 3.0, -3.0]})
    scores = pipeline.score_samples(asked)
    expected = [norm(-3, 1).logpdf(-3), norm(3, 0.3).logpdf(3)]
    np.testing.assert_allclose(scores[:2], expected, atol=0.25)
    assert scores[2] < -8


def test_refits_inside_know_the_names(night):
    """The second fit for the threshold, and an ensemble's members."""
    alone = RealNVPOutlierDetector(condition=["zd_deg"], max_iter=10, early_stopping=False)
    assert np.isfinite(alone.fit(night).offset_)
    ensemble = FlowEnsemble(alone, n_estimators=2).fit(night)
    assert np.isfinite(ensemble.score_samples(night)).all()


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (["zenith"], r"condition must be columns of X; got \['zenith'\], and X has \['size'"),
        ([3], "condition must be positions within the 3 columns of X; got"),
        ([1, -2], "condition must not repeat a column"),
        ([True, False], "condition must have one bool for each of the 3 columns; got 2"),
        ([0, 1, 2], "condition must leave a column of X to score; got all 3"),
        ([0.5], "condition must be a list of column names, positions or bools"),
    ],
)
def test_wrong_conditions(condition, message, night):
    with pytest.raises(ValueError, match=message):
        RealNVPOutlierDetector(condition=condition).fit(night)


def test_names_need_names(night):
    with pytest.raises(ValueError, match="X must be a DataFrame, or columns chosen by position"):
        RealNVPOutlierDetector(condition=["zd_deg"]).fit(night.to_numpy())


def test_wrong_conditions_of_samples(night):
    plain = RealNVPOutlierDetector(max_iter=5).fit(night)
    with pytest.raises(ValueError, match="condition must be None; got"):
        plain.sample(3, condition=[1.0])
    given = RealNVPOutlierDetector(max_iter=5, condition=[1]).fit(night)
    with pytest.raises(ValueError, match="condition must be values of 1 columns; got None"):
        given.sample(3)
    with pytest.raises(ValueError, match=r"condition must have shape \(1,\) or \(3, 1\)"):
        given.sample(3, condition=[1.0, 2.0])
