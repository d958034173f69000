"""The detector contract: what every detector promises, tested on each of them."""

import copy
import logging
import pickle

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from pyod.models.knn import KNN
from sklearn.base import clone

from skflow import (
    AutoencoderDetector,
    ClassConditionalFlowDetector,
    ContrastiveFlowDetector,
    DensityRatioDetector,
    FlowNeighborsDetector,
    MahalanobisDetector,
    RareEventDetector,
    RealNVPOutlierDetector,
)
from skflow.interop import PyODDetector

TORCH = [
    AutoencoderDetector(max_iter=40, random_state=0),
    ClassConditionalFlowDetector(max_iter=40, n_blocks=2, random_state=0),
    ContrastiveFlowDetector(max_iter=40, n_blocks=2, random_state=0),
    RealNVPOutlierDetector(max_iter=40, n_blocks=2, random_state=0),
]
DETECTORS = [
    *TORCH,
    DensityRatioDetector(TORCH[-1], MahalanobisDetector(), random_state=0),
    FlowNeighborsDetector(TORCH[-1], random_state=0),
    MahalanobisDetector(),
    RareEventDetector(MahalanobisDetector(), random_state=0),
    PyODDetector(KNN(), random_state=0),
]


def name(detector):
    return type(detector).__name__


each = pytest.mark.parametrize("detector", DETECTORS, ids=name, indirect=True)
each_torch = pytest.mark.parametrize("detector", TORCH, ids=name, indirect=True)


@pytest.fixture
def detector(request):
    """A copy for each test: what one test sets, no other one sees."""
    return clone(request.param)


def fitted(detector, X, y=None):
    return clone(detector).fit(X, y)


@each
def test_scores_decisions_and_labels_agree(detector, bulk):
    detector = fitted(detector, bulk)
    far = np.vstack([bulk[:50], bulk[:50] + [2e4, 0, 0]])
    scores = detector.score_samples(far)
    assert scores.dtype == np.float64
    assert scores[:50].min() > scores[50:].max()
    np.testing.assert_array_equal(detector.anomaly_score(far), -scores)
    np.testing.assert_array_equal(detector.decision_function(far), scores - detector.offset_)
    labels = detector.predict(far)
    np.testing.assert_array_equal(labels, np.where(scores < detector.offset_, -1, 1))
    assert (labels[50:] == -1).all()


@each
def test_contamination(detector, bulk):
    flagged = (fitted(detector.set_params(contamination=0.2), bulk).predict(bulk) == -1).mean()
    assert flagged == pytest.approx(0.2, abs=0.01)


@each
@pytest.mark.parametrize("n", [30, 60, 300])
def test_automatic_threshold_holds_on_fresh_rows(detector, n):
    """At most 5 % of fresh bulk rows are flagged, in the mean over draws, and not none."""
    rng = np.random.RandomState(0)
    rates = []
    for _ in range(6):
        X = rng.normal(size=(n + 2000, 3)) * [1, 10, 0.1]
        rates.append((fitted(detector, X[:n]).predict(X[n:]) == -1).mean())
    # Fewer than 190 rows hold too few out to tell 5 %.
    low, high = (0.02, 0.09) if n == 300 else (0.005, 0.2)
    assert low < np.mean(rates) < high


@each
def test_scores_do_not_depend_on_the_batch(detector, bulk):
    detector = fitted(detector, bulk)
    whole = detector.score_samples(bulk)
    single = np.concatenate([detector.score_samples(row[None]) for row in bulk[:20]])
    np.testing.assert_allclose(single, whole[:20], rtol=1e-9, atol=1e-9)
    many = np.tile(bulk, (25, 1))  # more than one chunk
    np.testing.assert_allclose(detector.score_samples(many)[-400:], whole, rtol=1e-9, atol=1e-9)


@each
def test_refit_is_equal_bit_for_bit_and_globals_are_untouched(detector, labelled):
    X, y = labelled
    states = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    first = fitted(detector, X, y)
    scores, offset = first.score_samples(X), first.offset_
    np.testing.assert_array_equal(first.fit(X, y).score_samples(X), scores)
    np.testing.assert_array_equal(fitted(detector, X, y).score_samples(X), scores)
    assert first.offset_ == offset
    assert torch.random.get_rng_state().equal(states[0])
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])


@each_torch
def test_other_seed_other_detector(detector, bulk):
    scores = fitted(detector, bulk).score_samples(bulk)
    other = fitted(detector.set_params(random_state=1), bulk).score_samples(bulk)
    assert not np.allclose(scores, other)
    a, b = (fitted(detector.set_params(random_state=None), bulk) for _ in range(2))
    assert not np.allclose(a.score_samples(bulk), b.score_samples(bulk))


@each
def test_copies_and_pickles_score_the_same(detector, bulk, tmp_path):
    detector = fitted(detector, bulk)
    scores = detector.score_samples(bulk)
    joblib.dump(detector, tmp_path / "detector.joblib")
    for other in (
        copy.deepcopy(detector),
        pickle.loads(pickle.dumps(detector)),
        joblib.load(tmp_path / "detector.joblib"),
        joblib.load(tmp_path / "detector.joblib", mmap_mode="r"),
    ):
        np.testing.assert_array_equal(other.score_samples(bulk), scores)


def _fit_and_score(detector, X):
    torch.set_num_threads(1)
    return clone(detector).fit(X).score_samples(X)


def test_the_same_bits_in_joblib_workers(bulk):
    detector = TORCH[-1]
    here = _fit_and_score(detector, bulk)
    for there in joblib.Parallel(n_jobs=2)(
        joblib.delayed(_fit_and_score)(detector, bulk) for _ in range(2)
    ):
        np.testing.assert_array_equal(there, here)


@each_torch
def test_fitted_state_is_plain_data(detector, bulk):
    def is_plain(value):
        if isinstance(value, dict):
            return all(isinstance(k, str) and is_plain(v) for k, v in value.items())
        if isinstance(value, list):
            return all(map(is_plain, value))
        return isinstance(value, np.ndarray | float | int | str)

    detector = fitted(detector, bulk)
    learned = {name: v for name, v in vars(detector).items() if name.endswith("_")}
    assert all(map(is_plain, learned.values()))
    assert {"weights_", "history_", "offset_", "n_iter_"} <= set(learned)
    assert set(vars(detector)) == set(learned) | set(detector.get_params())


@each
def test_parameters_may_change_after_fit(detector, bulk):
    detector = fitted(detector, bulk)
    scores = detector.score_samples(bulk)
    for name in ("n_blocks", "hidden_features", "latent_features"):
        if name in detector.get_params():
            detector.set_params(**{name: 3})
    np.testing.assert_array_equal(detector.score_samples(bulk), scores)


# Rules for y


@each
def test_known_anomalies_are_no_bulk(detector, labelled):
    X, y = labelled
    if not detector._uses_contrast:
        with_labels = fitted(detector, X, y).score_samples(X)
        np.testing.assert_array_equal(with_labels, fitted(detector, X[y == 1]).score_samples(X))
    assert (detector.fit_predict(X, y)[y == 1] == 1).mean() > 0.8


@each
@pytest.mark.parametrize(
    "y", [np.ones(400), np.arange(400) % 3, np.full(400, "bulk"), np.linspace(0, 2, 400)]
)
def test_labels_without_minus_one_change_nothing(detector, bulk, y):
    scores = fitted(detector, bulk).score_samples(bulk)
    np.testing.assert_array_equal(fitted(detector, bulk, y).score_samples(bulk), scores)


@each
def test_zero_one_labels_warn_and_change_nothing(detector, bulk):
    with pytest.warns(UserWarning, match=r"np\.where\(y == 1, -1, 1\)"):
        scores = fitted(detector, bulk, np.arange(400) % 2).score_samples(bulk)
    np.testing.assert_array_equal(scores, fitted(detector, bulk).score_samples(bulk))


@each
@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.repeat([-1, 0], 200), r"every other label must be \+1 \(bulk\); got \[0\]"),
        (np.repeat([-1, 2], 200), r"got \[2\]"),
        (np.full(400, -1), "needs at least 2 bulk rows; got 0 of 400 rows .400 labelled -1"),
        (np.ones(399), "inconsistent numbers of samples"),
        (np.where(np.arange(400) < 5, "-1", "1"), "the number -1; got the text"),
        (np.full(400, np.nan), "y must not contain NaN; got NaN at row 0"),
    ],
)
def test_bad_labels_are_refused(detector, bulk, y, message):
    with pytest.raises(ValueError, match=message):
        detector.fit(bulk, y)


# Bad input


@each
def test_nan_and_infinity_are_refused_with_their_places(detector, bulk):
    frame = pd.DataFrame(bulk, columns=["size", "width", "length"])
    detector.fit(frame)
    frame.iloc[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"contains NaN at row 3, column 'width'\. .*nan_policy"):
        detector.score_samples(frame)
    X = bulk.copy()
    X[5, 2] = -np.inf
    with pytest.raises(ValueError, match=r"Input X contains infinity at row 5, column 2\."):
        detector.fit(X)
    X[:, 0] = np.inf
    with pytest.raises(ValueError, match=r"row 4, column 0 and 396 more\."):
        detector.fit(X)


@each
def test_nan_policy_omit(detector, bulk, caplog):
    X = bulk.copy()
    X[:40, 1] = np.nan
    detector.set_params(nan_policy="omit")
    with caplog.at_level(logging.INFO, logger="skflow"):
        omitting = fitted(detector, X)
    assert "left 40 of 400 rows with NaN out" in caplog.text
    assert omitting.n_omitted_ == 40
    reference = fitted(detector, bulk[40:])
    scores = omitting.score_samples(X)
    assert np.isnan(scores[:40]).all()
    np.testing.assert_array_equal(scores[40:], reference.score_samples(bulk[40:]))
    labels = omitting.predict(X)
    assert (labels[:40] == 0).all()
    assert set(labels[40:]) <= {-1, 1}
    assert np.isnan(omitting.score_samples(X[:3])).all()
    X[0, 0] = np.inf
    with pytest.raises(ValueError, match="infinity at row 0"):
        omitting.score_samples(X)


@each
def test_failed_fit_leaves_the_detector_as_it_was(detector, bulk, monkeypatch):
    detector.fit(bulk)
    before = copy.deepcopy(vars(detector))
    scores = detector.score_samples(bulk)
    with pytest.raises(ValueError, match="contains NaN"):
        detector.fit(np.full((20, 2), np.nan))

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(type(detector), "_threshold", interrupted)
    with pytest.raises(KeyboardInterrupt):
        detector.fit(pd.DataFrame(bulk[:, :2], columns=["a", "b"]))
    monkeypatch.undo()
    assert vars(detector).keys() == before.keys()
    np.testing.assert_array_equal(detector.score_samples(bulk), scores)


@each
def test_column_names_are_checked(detector, bulk):
    for frame in (
        pd.DataFrame(bulk, columns=["a", "b", "c"]),
        pl.DataFrame(bulk, schema=["a", "b", "c"]),
    ):
        named = fitted(detector, frame)
        assert list(named.feature_names_in_) == ["a", "b", "c"]
        np.testing.assert_array_equal(
            named.score_samples(frame), fitted(detector, bulk).score_samples(bulk)
        )
        with pytest.raises(ValueError, match="feature names should match"):
            named.score_samples(frame[["b", "a", "c"]])
    with pytest.raises(ValueError, match="expecting 3 features"):
        detector.fit(bulk).score_samples(bulk[:, :2])


# Edges


@each
def test_extreme_finite_rows_have_finite_low_scores(detector, bulk):
    if isinstance(detector, PyODDetector):
        pytest.skip("PyOD's distances overflow; that is theirs")
    detector.fit(bulk)
    far = np.vstack([bulk[:5], np.full((1, 3), 1e308), [[-1e308, 1e308, 0.0]]])
    with np.errstate(all="raise", under="ignore"):
        scores = detector.score_samples(far)
    assert np.isfinite(scores).all()
    assert scores[5:].max() < scores[:5].min()
    extreme = bulk * [1e302, 1e-300, 1.0]
    assert np.isfinite(fitted(detector, extreme).score_samples(extreme)).all()


@each
@pytest.mark.parametrize("shape", [(2, 1), (2, 3), (7, 1), (30, 1), (9, 40)])
def test_small_tables(detector, shape):
    if isinstance(detector, PyODDetector):
        detector.set_params(estimator=KNN(n_neighbors=1))
    X = np.random.RandomState(0).normal(size=shape)
    detector.fit(X)
    assert np.isfinite(detector.score_samples(X)).all()
    assert detector.predict(X).shape == (shape[0],)


@each
@pytest.mark.parametrize("shape", [(30, 1), (30, 2), (2, 3), (200, 5)])
def test_rows_that_are_all_equal(detector, shape):
    if isinstance(detector, PyODDetector):
        detector.set_params(estimator=KNN(n_neighbors=1))
    scores = detector.fit(np.full(shape, 3.0)).score_samples([[3.0] * shape[1], [9.0] * shape[1]])
    assert np.isfinite(scores).all()
    if not isinstance(detector, AutoencoderDetector):
        assert scores[1] < scores[0]


@each
def test_constant_and_duplicate_columns(detector):
    rng = np.random.RandomState(0)
    X = np.column_stack([rng.normal(size=300), np.full(300, 7.0), np.zeros(300)])
    X = np.column_stack([X, X[:, 0]])
    detector.fit(X)
    scores = detector.score_samples(np.vstack([X[:20], X[:1] + [0, 3, 0, 0]]))
    assert np.isfinite(scores).all()
    if not isinstance(detector, AutoencoderDetector):  # which may reconstruct the constant
        assert scores[20] < scores[:20].min()


@each_torch
def test_many_features(detector):
    X = np.random.RandomState(0).normal(size=(60, 1500))
    detector.set_params(max_iter=4).fit(X)
    assert np.isfinite(detector.score_samples(X)).all()


# Training


@each_torch
def test_history(detector, bulk):
    detector = fitted(detector, bulk)
    history = detector.history_
    assert {len(values) for values in history.values()} == {len(history["step"])}
    assert history["step"][-1] == detector.n_iter_ <= 40
    assert np.isfinite(history["validation_loss"]).all()
    detector.set_params(early_stopping=False).fit(bulk)
    assert np.isnan(detector.history_["validation_loss"]).all()
    assert detector.n_iter_ == 40


@each_torch
def test_warm_start_goes_on(detector, bulk):
    detector.set_params(warm_start=True, early_stopping=False, max_iter=20).fit(bulk)
    name = next(name for name in detector.weights_ if name.endswith("standardize.mean"))
    first = detector.weights_[name]
    trained = detector.weights_
    detector.set_params(learning_rate=1e-12).fit(bulk)
    assert detector.n_iter_ == 40
    assert detector.history_["step"][-1] == 40
    for key, weight in detector.weights_.items():
        np.testing.assert_allclose(weight, trained[key], atol=1e-8)
    np.testing.assert_array_equal(detector.weights_[name], first)
    with pytest.raises(ValueError, match="warm_start=True goes on from a fit on 3 features"):
        detector.fit(bulk[:, :2])
    with pytest.raises(ValueError, match="warm_start=True goes on with a network"):
        detector.set_params(hidden_features=5).fit(bulk)


@each_torch
def test_fit_inside_no_grad(detector, bulk):
    with torch.no_grad():
        inside = fitted(detector, bulk).score_samples(bulk)
    np.testing.assert_array_equal(inside, fitted(detector, bulk).score_samples(bulk))


@each_torch
def test_device(detector, bulk):
    assert detector.set_params(device="cpu").fit(bulk).score_samples(bulk).shape == (400,)
    with pytest.raises(ValueError, match="device must be 'auto' or a torch device"):
        detector.set_params(device="gpu please").fit(bulk)
    with pytest.raises(ValueError, match="device must be a CPU or CUDA device; got 'mps'"):
        detector.set_params(device="mps").fit(bulk)
    if not torch.cuda.is_available():
        # What was trained on a GPU scores here as well.
        assert detector.set_params(device="cuda").score_samples(bulk).shape == (400,)
        with pytest.raises(ValueError, match="needs CUDA"):
            detector.set_params(device="cuda").fit(bulk)


@each_torch
def test_mixed_precision(detector, bulk):
    if "flow" in detector.get_params():
        detector.set_params(flow="spline")  # which has no fast form with its own arithmetic
    exact = fitted(detector, bulk)
    losses, exact = exact.history_["loss"], exact.score_samples(bulk)
    mixed = detector.set_params(mixed_precision=True).fit(bulk)
    assert mixed.history_["loss"] != losses
    assert {w.dtype.name for w in mixed.weights_.values()} <= {"float32", "float64", "int64"}
    scores = mixed.score_samples(bulk)
    assert np.isfinite(scores).all()
    assert np.median(np.abs(scores - exact)) < 0.2 * exact.std()


@each_torch
def test_more_rows_at_once_on_a_gpu(detector):
    on_cpu, on_gpu = (detector._rows_at_once(torch.device(name)) for name in ("cpu", "cuda"))
    assert on_gpu > on_cpu > 0


@each_torch
def test_verbose_goes_through_logging(detector, bulk, capfd, monkeypatch):
    detector.fit(bulk)
    assert capfd.readouterr() == ("", "")
    # pytest's own handlers count as set-up logging; take them away for once.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    detector.set_params(verbose=1).fit(bulk)
    out, err = capfd.readouterr()
    assert out == ""
    assert "step 40 of 40" in err or "step 20 of 20" in err
    assert logging.getLogger("skflow").handlers == []


@each_torch
def test_lasting_non_finite_loss_is_an_error(detector, bulk):
    with pytest.raises(FloatingPointError, match="lower learning_rate"):
        detector.set_params(learning_rate=1e30, early_stopping=False).fit(bulk)


@each
@pytest.mark.parametrize("contamination", ["auto", 0.1])
def test_rows_at_the_threshold_keep_their_label(detector, bulk, contamination):
    """A row's label is the same alone and in company, also where it set the threshold."""
    detector.set_params(contamination=contamination).fit(bulk[:201])
    alone = np.concatenate([detector.predict(row[None]) for row in bulk[:201]])
    np.testing.assert_array_equal(alone, detector.predict(bulk[:201]))
