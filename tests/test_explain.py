"""Explanations: contributions that add up, planted causes, and nearest ordinary rows."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skflow import (
    AutoencoderDetector,
    ClassConditionalFlowDetector,
    ContrastiveFlowDetector,
    HillasTransformer,
    MahalanobisDetector,
    RealNVPOutlierDetector,
)
from skflow.calibration import (
    CalibratedDetectorCV,
    ConformalDetector,
    ThresholdDetector,
    TunedThresholdDetectorCV,
)
from skflow.datasets import make_shower_images
from skflow.hillas import CameraGeometry
from skflow.inspection import explain, nearest_normal
from skflow.inspection._shapley import shapley_values


@pytest.fixture(scope="module")
def correlated():
    """Bulk of six features that two numbers make, and a flow of it."""
    rng = np.random.RandomState(0)
    A = rng.normal(size=(6, 2))
    covariance = A @ A.T + 0.05 * np.eye(6)
    scale = np.sqrt(np.diag(covariance))
    covariance /= scale[:, None] * scale
    X = rng.multivariate_normal(np.zeros(6), covariance, 2000)
    new = rng.multivariate_normal(np.zeros(6), covariance, 100)
    return X, new, RealNVPOutlierDetector(random_state=0, max_iter=400).fit(X)


def literal_shapley(score, x, rows):
    """The mean over all orders of the features, as it is defined."""
    d = len(x)

    def value(chosen):
        mixed = rows.copy()
        mixed[:, list(chosen)] = x[list(chosen)]
        return score(mixed).mean()

    values = np.zeros(d)
    for order in itertools.permutations(range(d)):
        for k, j in enumerate(order):
            values[j] += value(order[: k + 1]) - value(order[:k])
    return values / math.factorial(d)


def wavy(X):
    return np.sin(X[:, 0] * X[:, 1]) + X[:, 2] ** 2 * X[:, 3] - X[:, 1]


def test_enumeration_is_the_definition():
    rng = np.random.RandomState(0)
    X, rows = rng.normal(size=(3, 4)), rng.normal(size=(3, 5, 4))
    values, baseline = shapley_values(wavy, X, rows, 16, rng)
    for i in range(3):
        np.testing.assert_allclose(values[i], literal_shapley(wavy, X[i], rows[i]), atol=1e-12)
        assert baseline[i] == pytest.approx(wavy(rows[i]).mean())
    np.testing.assert_allclose(baseline + values.sum(axis=1), wavy(X))
    # Features in another order have their values in that order.
    order = [2, 0, 3, 1]
    inverse = np.argsort(order)
    moved, _ = shapley_values(
        lambda Y: wavy(Y[:, inverse]), X[:, order], rows[:, :, order], 16, rng
    )
    np.testing.assert_allclose(moved, values[:, order], atol=1e-12)


def test_random_orders_add_up_and_converge():
    rng = np.random.RandomState(0)
    X, rows = rng.normal(size=(2, 4)), rng.normal(size=(2, 5, 4))
    exact, _ = shapley_values(wavy, X, rows, 16, rng)
    few, baseline = shapley_values(wavy, X, rows, 15, rng)
    np.testing.assert_allclose(baseline + few.sum(axis=1), wavy(X))
    many = np.mean([shapley_values(wavy, X, rows, 15, rng)[0] for _ in range(400)], axis=0)
    np.testing.assert_allclose(many, exact, atol=0.1)
    # A sum of features, each on its own: any order is exact.
    weights = np.arange(1.0, 13.0)
    X, rows = rng.normal(size=(2, 12)), rng.normal(size=(2, 5, 12))
    values, _ = shapley_values(lambda Y: Y @ weights, X, rows, 10, rng)
    np.testing.assert_allclose(values, weights * (X - rows.mean(axis=1)))


def test_contributions_of_mahalanobis_distance_by_hand():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 3)) * [1, 100, 0.01]
    detector = MahalanobisDetector().fit(X)
    table = explain(detector, X[:20])
    delta = X[:20] - X.mean(axis=0)
    expected = -0.5 * delta * (delta @ np.linalg.inv(np.cov(X.T, bias=True)))
    np.testing.assert_allclose(table[["x0", "x1", "x2"]], expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(table.sum(axis=1), detector.score_samples(X[:20]))
    np.testing.assert_allclose(table["baseline"], detector.score_samples(X.mean(axis=0)[None])[0])


def test_contributions_of_autoencoders():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(600, 1)) + 0.1 * rng.normal(size=(600, 4))
    detector = AutoencoderDetector(random_state=0).fit(X)
    strange = np.zeros((5, 4))
    strange[:, 2] = 3
    table = explain(detector, strange)
    np.testing.assert_allclose(table.sum(axis=1), detector.score_samples(strange))
    assert (table.idxmin(axis=1) == "x2").all()
    assert (table["baseline"] == 0).all()


@pytest.mark.parametrize("given", [False, True])
def test_planted_causes_rank_first(correlated, given):
    """One feature moves within the 1-99 % range of its margin: only the dependence breaks."""
    X, new, flow = correlated
    rng = np.random.RandomState(1)
    low, high = np.quantile(X, [0.01, 0.99], axis=0)
    strange, altered = new.copy(), rng.randint(6, size=len(new))
    for row, j in zip(strange, altered, strict=True):
        values = rng.uniform(low[j], high[j], size=200)
        row[j] = values[np.abs(values - row[j]) > 1.5][0]
    table = explain(flow, strange, background=X if given else None, random_state=0)
    found = table.drop(columns="baseline").to_numpy().argmin(axis=1)
    assert np.mean(found == altered) >= 0.9
    np.testing.assert_allclose(table.sum(axis=1), flow.score_samples(strange), atol=1e-6)


def test_any_detector_in_a_pipeline():
    rng = np.random.RandomState(0)
    X = pd.DataFrame(rng.normal(size=(300, 3)), columns=["size", "width", "length"])
    X.index += 1000
    for scaler in (StandardScaler(), StandardScaler().set_output(transform="pandas")):
        pipeline = make_pipeline(scaler, IsolationForest(n_estimators=30, random_state=0)).fit(X)
        strange = X[:3] + [0, 9, 0]
        table = explain(pipeline, strange, background=X)
        assert list(table.columns) == ["baseline", "size", "width", "length"]
        assert list(table.index) == [1000, 1001, 1002]
        assert (table.idxmin(axis=1)[:3] != "length").all()
        assert (table["width"] < table[["size", "length"]].min(axis=1)).all()
        np.testing.assert_allclose(table.sum(axis=1), pipeline.score_samples(strange))
    frozen = explain(FrozenEstimator(pipeline), strange, background=X)
    pd.testing.assert_frame_equal(frozen, table)
    with pytest.raises(ValueError, match="background must be given: IsolationForest cannot draw"):
        explain(pipeline, X)
    with pytest.raises(ValueError, match="background must hold rows of 3 columns"):
        explain(IsolationForest().fit(X.to_numpy()), X.to_numpy(), background=np.ones((5, 2)))


def test_lists_and_rows_without_a_score():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(200, 2))
    X[:3] = np.nan
    for detector in (
        MahalanobisDetector(nan_policy="omit"),
        RealNVPOutlierDetector(nan_policy="omit", max_iter=20, random_state=0),
    ):
        detector.fit(X)
        table = explain(detector, X[:5].tolist())
        assert table[:3].isna().all(axis=None)
        np.testing.assert_allclose(table[3:].sum(axis=1), detector.score_samples(X[3:5]))
        assert explain(detector, X[:3]).isna().all(axis=None)
        assert explain(detector, X[5:6], background=X).notna().all(axis=None)


def test_columns_of_other_names_are_refused():
    rng = np.random.RandomState(0)
    X = pd.DataFrame(rng.normal(size=(300, 3)) * [1, 10, 100], columns=list("abc"))
    moved = X[["c", "b", "a"]]
    flow = RealNVPOutlierDetector(max_iter=20, random_state=0).fit(X)
    for call in (
        lambda: explain(MahalanobisDetector().fit(X), moved),
        lambda: explain(flow, X[:2], background=moved),
        lambda: nearest_normal(flow, moved),
    ):
        with pytest.raises(ValueError, match="feature names should match"):
            call()


def test_a_detector_inside_others_is_explained():
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(300, 2)), np.repeat([1, -1], [280, 20])
    X[y == -1] += 3
    inner = make_pipeline(StandardScaler(), MahalanobisDetector())
    for outer in (
        ConformalDetector(inner, random_state=0),
        ThresholdDetector(inner),
        TunedThresholdDetectorCV(inner),
        CalibratedDetectorCV(inner),
        GridSearchCV(inner, {"mahalanobisdetector__covariance": ["full"]}, cv=2),
    ):
        outer.fit(X, y)
        table = explain(outer, X[:5])
        assert table.shape == (5, 3)
        fitted = outer.best_estimator_ if isinstance(outer, GridSearchCV) else outer.estimator_
        np.testing.assert_allclose(table.sum(axis=1), fitted.score_samples(X[:5]))
    conditional = RealNVPOutlierDetector(condition=[0], max_iter=20, random_state=0).fit(X)
    with pytest.raises(ValueError, match="or only under a condition"):
        explain(conditional, X[:2])
    assert explain(conditional, X[:2], background=X).notna().all(axis=None)


def test_camera_images_have_names_and_units():
    camera = CameraGeometry.hexagonal(10)
    images = make_shower_images(300, camera, kind="hadron", random_state=0)
    pipeline = make_pipeline(
        HillasTransformer(camera, picture_threshold=8.0, boundary_threshold=4.0),
        MahalanobisDetector(nan_policy="omit"),
    ).fit(images)
    table = explain(pipeline, images[:10])
    names = list(pipeline[:-1].get_feature_names_out())
    assert list(table.columns) == ["baseline", *names]
    assert any(name.endswith("_m") or name.endswith("_deg") or "length" in name for name in names)


def test_nearest_ordinary_rows(correlated):
    X, new, flow = correlated
    strange = new.copy()
    strange[:, 0] += 2.5
    nearest = nearest_normal(flow, strange)
    typical = flow.score_samples(X).mean()
    assert flow.score_samples(strange).mean() < typical - 20
    assert flow.score_samples(nearest.rows.to_numpy()).mean() > typical - 1
    np.testing.assert_allclose(nearest.difference + nearest.rows, strange)
    np.testing.assert_allclose(nearest.deviations * X.std(axis=0), nearest.difference, rtol=0.1)
    lengths = np.linalg.norm(flow.transform(nearest.rows.to_numpy()), axis=1)
    assert lengths.max() <= np.sqrt(chi2.ppf(0.5, 6)) + 1e-6
    # What lies within the radius stays as it is.
    inside = np.linalg.norm(flow.transform(X), axis=1) < np.sqrt(chi2.ppf(0.9, 6))
    kept = nearest_normal(flow, X, quantile=0.9)
    np.testing.assert_array_equal(kept.rows[inside], X[inside])
    assert (kept.difference[inside] == 0).all(axis=None)
    assert 0.8 < inside.mean() < 0.97


def test_nearest_with_a_condition_in_a_pipeline():
    rng = np.random.RandomState(0)
    zenith = rng.uniform(0, 60, size=1500)
    X = pd.DataFrame({"zd_deg": zenith, "size": zenith / 30 + 0.1 * rng.normal(size=1500)})
    flow = RealNVPOutlierDetector(condition=["zd_deg"], max_iter=300, random_state=0).fit(X)
    strange = pd.DataFrame(
        {"zd_deg": [0.0, 60.0, np.nan], "size": [2.0, 0.0, 1.0]}, index=[7, 8, 9]
    )
    flow.set_params(nan_policy="omit")
    nearest = nearest_normal(flow, strange)
    np.testing.assert_array_equal(nearest.rows["zd_deg"][:2], [0, 60])
    np.testing.assert_allclose(nearest.rows["size"][:2], [0, 2], atol=0.3)
    assert (nearest.deviations["zd_deg"][:2] == 0).all()
    assert list(nearest.rows.index) == [7, 8, 9]
    assert all(table[2:].isna().all(axis=None) for table in nearest)


@pytest.mark.parametrize(
    "detector",
    [
        RealNVPOutlierDetector(max_iter=100, random_state=0),
        RealNVPOutlierDetector(flow="spline", n_blocks=2, max_iter=50, random_state=0),
        RealNVPOutlierDetector(condition=[1], max_iter=50, random_state=0),
        ContrastiveFlowDetector(max_iter=50, random_state=0),
        ClassConditionalFlowDetector(max_iter=50, random_state=0),
        ClassConditionalFlowDetector(condition=[2], max_iter=50, random_state=0),
    ],
)
def test_latent_coordinates_and_back(detector):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(300, 3)) * [1, 10, 100]
    y = np.where(X[:, 0] > 1, -1, 1)
    detector.fit(X, y)
    condition = detector.condition
    known = {} if condition is None else {"condition": X[:, condition]}
    Z = detector.transform(X)
    np.testing.assert_allclose(detector.inverse_transform(Z, **known), X, rtol=1e-6, atol=1e-5)
    with pytest.raises(ValueError, match=r"Z must have \d latent coordinates; got 1"):
        detector.inverse_transform(Z[:, :1], **known)
    if known:
        with pytest.raises(ValueError, match="condition must be values of 1 columns; got None"):
            detector.inverse_transform(Z)


def test_nearest_needs_a_latent_space():
    X = np.random.RandomState(0).normal(size=(100, 2))
    for detector in (MahalanobisDetector(), ContrastiveFlowDetector(max_iter=5)):
        with pytest.raises(ValueError, match="must be a flow trained by likelihood alone"):
            nearest_normal(detector.fit(X), X)
    with pytest.raises(ValueError, match="quantile must be between 0 and 1; got 1"):
        nearest_normal(MahalanobisDetector().fit(X), X, quantile=1)
