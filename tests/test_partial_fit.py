"""partial_fit: batches in any order teach what all rows at once teach."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone

import skflow
from skflow import AutoencoderDetector, ContrastiveFlowDetector, RealNVPOutlierDetector
from skflow.metrics import roc_auc_score

DETECTORS = [
    RealNVPOutlierDetector(n_blocks=2, hidden_features=16, random_state=0),
    AutoencoderDetector(hidden_features=16, random_state=0),
    ContrastiveFlowDetector(n_blocks=2, hidden_features=16, random_state=0),
]
each = pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: type(detector).__name__)


def curve(n, seed, width=0.1):
    """Rows near a parabola, in the order of its first coordinate."""
    rng = np.random.RandomState(seed)
    t = np.sort(rng.uniform(-2, 2, n))
    return np.column_stack([t, t**2]) * [1e3, 1] + rng.normal(size=(n, 2)) * [1e3 * width, width]


def learned(detector, X, y=None, size=200):
    for start in range(0, len(X), size):
        rows = slice(start, start + size)
        detector.partial_fit(X[rows], None if y is None else y[rows])
    return detector


@each
def test_rows_in_order_teach_as_much_as_all_at_once(detector):
    """Anomalies off the curve; rare events, where they are labelled, on a part of it."""
    rng = np.random.RandomState(1)
    X, fresh = curve(2000, 0), curve(1000, 2)
    y = np.ones(len(X))
    if isinstance(detector, ContrastiveFlowDetector):
        rare = curve(4000, 3)
        rare = rare[(rare[:, 0] > 0.5e3) & (rare[:, 0] < 1e3)]
        labelled, anomalies = rare[::10], rare[1::2]
        # Some in every batch.
        places = np.linspace(0, len(X), len(labelled)).astype(int)
        X, y = np.insert(X, places, labelled, axis=0), np.insert(y, places, -1)
        fresh = fresh[(fresh[:, 0] < 0.3e3) | (fresh[:, 0] > 1.2e3)]
    else:
        anomalies = rng.uniform([-2e3, 0], [2e3, 4], size=(1000, 2))
        anomalies = anomalies[np.abs(anomalies[:, 1] - (anomalies[:, 0] / 1e3) ** 2) > 0.5]

    def auroc(fitted):
        truth = np.repeat([1, -1], [len(fresh), len(anomalies)])
        return roc_auc_score(truth, fitted.anomaly_score(np.concatenate([fresh, anomalies])))

    whole, streamed = clone(detector).fit(X, y), learned(clone(detector), X, y, size=500)
    assert auroc(whole) > 0.8
    assert auroc(streamed) > auroc(whole) - 0.03
    assert (streamed.predict(fresh) == -1).mean() < 0.12


@each
def test_equal_calls_give_equal_bits_and_go_on_from_files(detector, labelled, tmp_path):
    X, y = labelled
    first = learned(clone(detector), X[:400], y[:400])
    skflow.save(first, tmp_path / "model.skflow")
    copies = [
        learned(clone(detector), X[:400], y[:400]),
        pickle.loads(pickle.dumps(first)),
        skflow.load(tmp_path / "model.skflow"),
    ]
    first.partial_fit(X[400:], y[400:])
    for copy in copies:
        copy.partial_fit(X[400:], y[400:])
        np.testing.assert_array_equal(copy.score_samples(X), first.score_samples(X))
        assert copy.offset_ == first.offset_


def test_held_out_rows_never_train(monkeypatch):
    """A row that judges in one call is not trained on in any other."""
    detector = RealNVPOutlierDetector(n_blocks=1, hidden_features=4, random_state=0)
    trained, judged = set(), set()
    original = RealNVPOutlierDetector._split

    def split(self, *args):
        rows, held_out = original(self, *args)
        trained.update(map(tuple, rows.bulk.tolist()))
        judged.update(map(tuple, held_out.bulk.tolist()))
        return rows, held_out

    monkeypatch.setattr(RealNVPOutlierDetector, "_split", split)
    learned(detector, np.random.RandomState(0).normal(size=(3000, 2)), size=500)
    # A share of the rows is held out, so where it ends moves with the rows.
    assert 280 < len(judged) < 340
    assert len(trained & judged) < 0.1 * len(judged)


def test_starts_anew_when_the_rows_have_grown():
    """Whatever the first batch was like, the standardisation is that of all rows."""
    detector = RealNVPOutlierDetector(n_blocks=1, hidden_features=4, random_state=0)
    rng = np.random.RandomState(0)
    detector.partial_fit(rng.normal(size=(50, 2)))
    first, n_iter = detector.weights_["standardize.mean"], detector.n_iter_
    detector.partial_fit(rng.normal(size=(60, 2)))
    np.testing.assert_array_equal(detector.weights_["standardize.mean"], first)
    assert n_iter < detector.n_iter_ <= n_iter + 4  # 105 steps for 110 rows, less 100
    for shift, n in ((0, 90), (50, 200)):  # four times the rows, and elsewhere
        n_seen = detector._passed.bulk.n_seen
        detector.partial_fit(rng.normal(shift, 1, size=(n, 2)))
        expected = detector._passed.bulk.rows.mean(axis=0)
        np.testing.assert_allclose(detector.weights_["standardize.mean"], expected, atol=3)
        assert (detector.weights_["standardize.mean"] != first).all()
        assert detector.n_iter_ <= 10 * np.sqrt(n_seen + n)  # counted anew


def test_small_steps_where_learning_goes_on():
    """A cycle of full steps would first undo what was learned; contrast rows are learned anew."""
    X, y = curve(550, 0), np.where(np.arange(550) % 10, 1, -1)
    detector = ContrastiveFlowDetector(n_blocks=2, hidden_features=8, random_state=0)
    largest = []
    for rows in (slice(0, 500), slice(500, 550)):
        n = len(getattr(detector, "history_", {"step": []})["step"])
        detector.partial_fit(X[rows], y[rows])
        history = detector.history_
        found = list(zip(history["phase"], history["learning_rate"], strict=True))[n:]
        largest.append({phase: max(r for p, r in found if p == phase) for phase, _ in found})
    first, later = largest
    assert set(first) == set(later) == {"warm-up", "contrast"}
    assert later["warm-up"] < 0.4 * first["warm-up"]
    assert later["contrast"] > 0.9 * first["contrast"]


def test_goes_on_after_fit(bulk):
    detector = RealNVPOutlierDetector(n_blocks=2, hidden_features=16, random_state=0).fit(bulk)
    before, n_iter, mean = detector.score(bulk), detector.n_iter_, detector.weights_
    moved = bulk + [1.5e3, 0, 0]
    far = detector.score(moved)
    detector.partial_fit(moved[:200])
    assert detector.n_iter_ > n_iter
    assert detector.score(moved[200:]) > far + 0.1
    name = "standardize.mean"
    np.testing.assert_array_equal(detector.weights_[name], mean[name])
    assert detector.fit(bulk).score(bulk) == before  # nothing is left of the batches


@each
def test_a_failed_call_loses_nothing(detector, bulk):
    detector = learned(clone(detector), bulk)
    before = vars(detector).copy()
    for X, message in [
        (bulk[:, :2], "X has 2 features"),
        (np.full((3, 3), np.nan), "contains NaN"),
        (bulk[:0], "Found array with 0 sample"),
    ]:
        with pytest.raises(ValueError, match=message):
            detector.partial_fit(X)
        assert vars(detector) == before
    with pytest.raises(ValueError, match="partial_fit goes on with a network of"):
        detector.set_params(hidden_features=8).partial_fit(bulk[:40])
    with pytest.raises(ValueError, match="needs at least 2 bulk rows; got 1"):
        clone(detector).partial_fit(bulk[:1])


@each
def test_labels_must_go_together_in_all_calls(detector, bulk):
    detector = clone(detector).partial_fit(bulk, np.repeat([0, 2], 200))
    with pytest.raises(ValueError, match=r"must be \+1 \(bulk\), in all batches; got 0 as well"):
        detector.partial_fit(bulk, np.repeat([-1, 1], 200))
    assert detector.partial_fit(bulk).n_iter_


def test_rows_with_nan_and_known_anomalies(labelled):
    X, y = labelled
    X = X.copy()
    X[::50, 0] = np.nan
    detector = RealNVPOutlierDetector(
        n_blocks=1, hidden_features=4, nan_policy="omit", random_state=0
    )
    learned(detector, X, y)
    assert detector.n_omitted_ == len(X[::50])
    assert detector._passed.bulk.n_seen == (y[~np.isnan(X[:, 0])] == 1).sum()
    assert np.isnan(detector.score_samples(X)).sum() == detector.n_omitted_
    n_iter = detector.n_iter_
    rare = X[(y == -1) & ~np.isnan(X[:, 0])]
    detector.partial_fit(rare, np.full(len(rare), -1))  # no bulk row among them
    assert detector.n_iter_ == n_iter + 1


def test_new_values_of_a_discrete_column():
    rng = np.random.RandomState(0)
    X = np.column_stack([rng.randint(2, 5, 300), rng.normal(size=300)]).astype(float)
    detector = RealNVPOutlierDetector(
        n_blocks=1, hidden_features=4, discrete_features=[0], random_state=0
    )
    detector.partial_fit(X).partial_fit(X[:30] - [1, 0])
    assert detector.architecture_["discrete"] == {0: (2.0, 1.0)}
    assert set(np.unique(detector.sample(2000)[:, 0])) >= {1.0, 2.0, 3.0, 4.0}


def test_without_rows_held_out(bulk):
    """Judged by its own rows: a copy could not go on from rows that are gone."""
    detector = RealNVPOutlierDetector(
        n_blocks=1, hidden_features=4, early_stopping=False, random_state=0
    )
    learned(detector, bulk)
    assert (detector.predict(bulk) == -1).mean() == pytest.approx(0.05, abs=0.01)
