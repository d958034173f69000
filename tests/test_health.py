"""Checks without labels: each finds what is planted, and is silent where all is well."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skflow import MahalanobisDetector, RealNVPOutlierDetector
from skflow.calibration import ConformalDetector
from skflow.datasets import make_shower_images
from skflow.hillas import CameraGeometry, HillasTransformer
from skflow.inspection import domain_check, health_check


@pytest.fixture(scope="module")
def rows():
    return np.random.RandomState(0).normal(size=(3000, 3))


@pytest.fixture(scope="module")
def flow(rows):
    return RealNVPOutlierDetector(random_state=0).fit(rows[:2000])


def part(checks, name):
    return checks[checks["check"] == name].set_index("of")


def test_all_is_well(flow, rows):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checks = health_check(flow, rows[2000:], X_train=rows[:2000])
    assert checks["passed"].all()
    assert checks["passed"].dtype == bool
    assert (
        checks["check"].tolist()
        == ["latent"] * 4 + ["saturation"] * 2 + ["leakage"] + ["drift"] * 3
    )
    assert checks["p_value"].isna().tolist() == [False] * 4 + [True] * 3 + [False] * 3


def test_false_alarms_of_the_tests(rows):
    """A detector that is exactly right fails about as often as the level says."""
    exact = MahalanobisDetector()  # has no latent space: drift alone
    failed = 0
    for seed in range(60):
        X = np.random.RandomState(seed).normal(size=(400, 8))
        exact.fit(X[:200])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            checks = health_check(exact, X[200:], X_train=X[:200])
        failed += not part(checks, "drift")["passed"].all()
    assert failed <= 8  # 3 expected at most; 9 and more have a chance of less than 1 %


def test_latent_space(flow, rows):
    """Bulk that the flow does not describe."""
    with pytest.warns(UserWarning, match="the latent space is not normal.*conformal ones do"):
        checks = health_check(flow, rows[2000:] * 1.5)
    assert not part(checks, "latent")["passed"]["radius"]
    assert "drift" not in set(checks["check"])
    # Radius alone: each coordinate is normal, but all have one common factor.
    sign = np.random.RandomState(1).choice([-1, 1], size=(1000, 3))
    with pytest.warns(UserWarning, match="latent space"):
        checks = health_check(flow, np.abs(rows[2000:, [0]]) * sign)
    assert not part(checks, "latent")["passed"]["radius"]


def test_saturation(rows):
    class Saturated(IsolationForest):
        def score_samples(self, X):
            score = np.maximum(super().score_samples(X), -0.45)
            score[0] = -np.inf
            return score

    forest = Saturated(random_state=0).fit(rows)
    with pytest.warns(UserWarning, match="scores are saturated.*tied"):
        checks = part(health_check(forest, rows), "saturation")
    score = IsolationForest(random_state=0).fit(rows).score_samples(rows)
    # An infinite score is none: it is counted as lost and not as tied.
    share = np.mean(score[1:] <= -0.45) * 2999 / 3000
    assert checks["statistic"]["tied"] == pytest.approx(share, abs=0.01)
    assert checks["statistic"]["lost"] == pytest.approx(1 / 3000)
    assert not checks["passed"].any()
    # Equal rows have equal scores and say nothing.
    twice = np.repeat(rows[:500], 2, axis=0)
    checks = health_check(MahalanobisDetector().fit(rows), twice)
    assert checks["passed"].all()


def test_leakage(rows):
    detector = MahalanobisDetector().fit(rows[:2000])
    mixed = np.concatenate([rows[2000:2900], rows[:100]])
    with pytest.warns(UserWarning, match=r"10\.0% of the rows are training rows"):
        checks = health_check(detector, mixed, X_train=rows[:2000])
    assert part(checks, "leakage")["statistic"]["rows"] == pytest.approx(0.1)
    # Counts repeat by themselves.
    counts = np.random.RandomState(0).poisson(2, size=(4000, 2)).astype(float)
    detector = MahalanobisDetector().fit(counts[:2000])
    checks = health_check(detector, counts[2000:], X_train=counts[:2000])
    leakage = part(checks, "leakage")
    assert leakage["statistic"]["rows"] > 0.9
    assert leakage["passed"].all()


def test_drift_in_a_pipeline_with_names_and_nan(rows):
    names = ["width", "length", "size"]
    X = pd.DataFrame(rows, columns=names)
    pipeline = make_pipeline(
        StandardScaler().set_output(transform="pandas"), MahalanobisDetector(nan_policy="omit")
    ).fit(X[:2000])
    new = X[2000:].copy()
    new["length"] += 0.3
    new.iloc[0, 0] = np.nan
    with pytest.warns(UserWarning, match="1 features are not distributed .*most of all length"):
        checks = part(health_check(pipeline, new, X_train=X[:2000]), "drift")
    assert checks["passed"].to_dict() == {"width": True, "length": False, "size": True}


def test_bad_arguments(flow, rows):
    with pytest.raises(ValueError, match="level must be between 0 and 1; got 2"):
        health_check(flow, rows, level=2)
    with pytest.raises(ValueError, match="at least two rows without NaN; got 1"):
        health_check(flow, rows[:1])


def test_domains_that_agree(rows):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        domains = domain_check(rows[:1000], rows[1000:2000], random_state=0)
    assert len(domains) == 1
    assert 0.45 < domains["auroc"][0] < 0.55
    assert domains["low"][0] < domains["auroc"][0] < domains["high"][0]
    assert "flagged_simulated" not in domains


def test_domains_that_differ_in_their_dependence(rows):
    """No feature alone tells them apart."""
    observed = rows[:1000].copy()
    observed[:, 1] = 0.9 * observed[:, 0] + np.sqrt(1 - 0.81) * observed[:, 1]
    with pytest.warns(UserWarning, match="simulated bulk can be told from observed bulk"):
        domains = domain_check(rows[1000:2000], observed, random_state=0)
    assert domains["auroc"][0] > 0.75
    assert domains["feature_auroc"][0] < 0.55
    # A linear classifier is blind to that.
    domains = domain_check(
        rows[1000:2000], observed, classifier=LogisticRegression(), random_state=0
    )
    assert domains["auroc"][0] < 0.6


def test_shifted_simulations():
    """Observed images have 30 % more light: the test says so, and that a factor mends it."""
    camera = CameraGeometry.hexagonal(10)
    images = make_shower_images(2400, camera, kind="hadron", random_state=0)
    simulated, observed = images[:800], 1.3 * images[800:1600]
    pipeline = make_pipeline(
        HillasTransformer(camera, features=["hillas", "intensity"]),
        MahalanobisDetector(nan_policy="omit", contamination=0.05),
    ).fit(images[1600:])
    kept = simulated.copy()
    with pytest.warns(UserWarning, match=r"nearest with charge_scale=1\.3 and night_sky=0 "):
        domains = domain_check(
            simulated,
            observed,
            estimator=pipeline,
            charge_scale=(1.0, 1.3),
            night_sky=(0.0, 8.0),
            random_state=0,
        )
    np.testing.assert_array_equal(simulated, kept)
    table = domains.set_index(["charge_scale", "night_sky"])
    assert len(table) == 4
    assert table["auroc"][1.3, 0.0] < 0.55 < table["auroc"][1.0, 0.0] < table["auroc"][1.3, 8.0]
    assert set(table["feature"]) <= set(pipeline[0].get_feature_names_out())
    flagged = (pipeline.predict(observed) == -1).sum() / (pipeline.predict(observed) != 0).sum()
    assert table["flagged_observed"].unique() == pytest.approx([flagged])
    # A transformer alone has nothing to flag.
    with pytest.warns(UserWarning, match="can be told"):
        alone = domain_check(simulated, observed, estimator=pipeline[0], random_state=0)
    assert alone["auroc"][0] == pytest.approx(table["auroc"][1.0, 0.0], abs=0.05)
    assert "flagged_simulated" not in alone


def test_arrival_times_are_not_scaled():
    camera = CameraGeometry.hexagonal(10)
    images = make_shower_images(600, camera, times=True, random_state=0)
    hillas = HillasTransformer(camera, timing=True, features=["timing", "intensity"]).fit(images)
    observed = images[300:].copy()
    observed[:, : camera.n_pixels] *= 2
    domains = domain_check(
        images[:300], observed, estimator=hillas, charge_scale=(2.0,), random_state=0
    )
    assert domains["auroc"][0] < 0.6


def test_order_in_memory_of_images_does_not_matter():
    rng = np.random.RandomState(0)
    images = rng.exponential(size=(400, 4, 5))
    flat = FunctionTransformer(lambda X: np.asarray(X).reshape(len(X), -1), validate=False)
    found = [
        domain_check(
            simulated,
            2 * images[200:],
            estimator=flat.fit(images),
            charge_scale=(2.0,),
            random_state=0,
        )["auroc"][0]
        for simulated in (images[:200], np.asfortranarray(images[:200]))
    ]
    assert found[0] == found[1]
    assert max(found) < 0.65


def test_tables_keep_their_columns_when_they_are_shifted(rows):
    X = pd.DataFrame(np.abs(rows), columns=["a", "b", "c"]).assign(constant=1.0)
    detector = MahalanobisDetector(covariance="ledoit_wolf").fit(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        domains = domain_check(
            X[:1000] / 2, X[1000:2000], estimator=detector, charge_scale=(2.0,), random_state=0
        )
    assert domains["auroc"][0] < 0.55
    assert domains["feature"][0] != "constant"


def test_resampled_simulations(rows):
    """Rows that were drawn several times must not be known from another fold."""
    simulated = np.repeat(rows[:200], 5, axis=0)
    domains = domain_check(simulated, rows[1000:2000], random_state=0)
    assert domains["auroc"][0] < 0.6


def test_tables_with_other_columns(rows):
    with pytest.raises(ValueError, match=r"the same columns; got shapes \(3000, 3\) and \(3000, 2"):
        domain_check(rows, rows[:, :2])
    with pytest.raises(
        ValueError, match="at least cv=5 simulated and observed rows; got 4 and 3000"
    ):
        domain_check(rows[:4], rows)
    X = pd.DataFrame(rows, columns=["a", "b", "c"])
    turned = X[["b", "a", "c"]]
    with pytest.raises(ValueError, match=r"in the same order; got .*'b', 'a', 'c'"):
        domain_check(X, turned)
    detector = MahalanobisDetector().fit(X)
    with pytest.raises(ValueError, match=r"in the same order; got .*'b', 'a', 'c'"):
        health_check(detector, X, X_train=turned)
    lost = X.assign(a=np.nan)
    with pytest.raises(ValueError, match="X_train must hold at least two rows without NaN; got 0"):
        health_check(detector, X, X_train=lost)


def test_leakage_has_few_false_alarms():
    """Counts repeat alike within training and from it."""
    warned = 0
    for seed in range(40):
        counts = np.random.RandomState(seed).poisson(20, size=(2000, 2)).astype(float)
        detector = MahalanobisDetector().fit(counts[:1000])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            checks = health_check(detector, counts[1000:], X_train=counts[:1000])
        warned += not part(checks, "leakage")["passed"].all()
    assert warned <= 2


def test_names_inside_other_detectors(rows):
    X = pd.DataFrame(rows, columns=["width", "length", "size"])
    pipeline = make_pipeline(StandardScaler(), MahalanobisDetector())
    around = ConformalDetector(pipeline, random_state=0).fit(X[:2000])
    checks = health_check(around, X[2000:], X_train=X[:2000])
    assert part(checks, "drift").index.tolist() == list(X.columns)
    # A transformer that cannot say what it returns.
    silent = make_pipeline(FunctionTransformer(np.sinh), MahalanobisDetector()).fit(rows[:2000])
    checks = health_check(silent, rows[2000:], X_train=rows[:2000])
    assert part(checks, "drift").index.tolist() == ["x0", "x1", "x2"]
