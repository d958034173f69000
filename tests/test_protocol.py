"""Splits leak nothing: equal rows stay together, draws are nested, test rows are fixed."""

import numpy as np
import pytest

from skflow.benchmark import (
    Table,
    _auxiliary,
    load_table,
    make_trial,
    one_class_split,
    rare_event_split,
)


@pytest.fixture
def table():
    """300 rows, of which many are equal, and 80 anomalies."""
    rng = np.random.RandomState(0)
    X = np.vstack([rng.randint(0, 9, size=(300, 2)), rng.randint(20, 40, size=(80, 2))])
    return X.astype(float), np.repeat([1, -1], [300, 80])


def distinct(rows):
    return {tuple(row) for row in rows}


def test_one_class(table):
    X, y = table
    train, test = one_class_split(X, y, random_state=0)
    assert sorted([*train, *test]) == list(range(380))
    assert (y[train] == 1).all()
    assert 100 < len(train) < 200
    assert not distinct(X[train]) & distinct(X[test])
    other = one_class_split(X, y, random_state=1)
    assert not np.array_equal(other.train, train)


def test_rare_event(table):
    X, y = table
    splits = {n: rare_event_split(X, y, n_rare=n, random_state=0) for n in (0, 5, 20)}
    for n, (train, test) in splits.items():
        assert (y[train] == -1).sum() == n
        np.testing.assert_array_equal(test, splits[0].test)
        assert not distinct(X[train]) & distinct(X[test])
    assert set(splits[0].train) < set(splits[5].train) < set(splits[20].train)
    assert 20 < (y[splits[0].test] == -1).sum() < 60
    with pytest.raises(ValueError, match=r"n_rare must be at most the .* rare rows .*; got 79"):
        rare_event_split(X, y, n_rare=79)


def test_groups_stay_together(table):
    X, y = table
    groups = np.random.RandomState(1).randint(0, 40, size=len(X))
    X = X + np.arange(len(X))[:, None]  # so that only groups tie rows
    train, test = one_class_split(X, y, groups=groups, random_state=0)
    bulk = test[y[test] == 1]
    assert not set(groups[train]) & set(groups[bulk])
    assert 75 < len(train) < 225
    train, test = rare_event_split(X, y, n_rare=5, groups=groups, random_state=0)
    assert not set(groups[train]) & set(groups[test])


def test_groups_and_equal_rows_tie_together():
    """Rows 0 and 1 are equal, 1 and 2 share a group, 2 and 3 are equal: one side for all four."""
    X = np.array([0, 0, 1, 1, *range(2, 22)], dtype=float)[:, None]
    groups = np.array([0, 1, 1, 2, *range(3, 23)])
    y = np.ones(len(X), dtype=int)
    for seed in range(20):
        train, _ = one_class_split(X, y, groups=groups, random_state=seed)
        assert len(set(train) & {0, 1, 2, 3}) in (0, 4)


@pytest.fixture
def repeating(table):
    return Table("repeating", *table)


def rows(X, y):
    return sorted(map(tuple, np.column_stack([X, y])))


def test_one_class_trial(repeating):
    trial = make_trial(repeating, "one-class", seed=3)
    assert (trial.y_train == 1).all()
    assert (trial.y_test == -1).sum() == 80
    assert len(trial.y_train) + len(trial.y_test) == 380
    assert not distinct(trial.X_train) & distinct(trial.X_test[trial.y_test == 1])
    assert trial.twins == 0
    n_distinct = len(distinct(repeating.X))
    assert trial.repeated == pytest.approx(1 - n_distinct / 380)
    same, other = (make_trial(repeating, "one-class", seed=seed) for seed in (3, 4))
    np.testing.assert_array_equal(trial.X_train, same.X_train)
    assert rows(trial.X_train, trial.y_train) != rows(other.X_train, other.y_train)


def test_contaminated_trial(repeating):
    trial = make_trial(repeating, "contaminated", seed=0)
    np.testing.assert_array_equal(trial.X_train, repeating.X)
    np.testing.assert_array_equal(trial.X_test, repeating.X)
    np.testing.assert_array_equal(trial.y_test, repeating.y)
    assert trial.twins == 1


def test_rare_event_trials(repeating):
    few, many = (make_trial(repeating, f"rare-event:{m}", seed=0) for m in (5, 20))
    assert ((few.y_train == -1).sum(), (many.y_train == -1).sum()) == (5, 20)
    np.testing.assert_array_equal(few.X_test, many.X_test)
    assert distinct(few.X_train) < distinct(many.X_train)
    assert not distinct(many.X_train) & distinct(many.X_test)
    with pytest.raises(ValueError, match=r"n_rare must be at most .*; got 70"):
        make_trial(repeating, "rare-event:70", seed=0)


def test_rare_events_hidden_in_the_bulk(repeating):
    clean, hidden = (make_trial(repeating, f"rare-event:5{p}", seed=0) for p in ("", ":10"))
    np.testing.assert_array_equal(clean.X_test, hidden.X_test)
    np.testing.assert_array_equal(clean.y_test, hidden.y_test)
    n_bulk = np.sum(clean.y_train == 1)
    is_new = np.arange(len(hidden.y_train)) >= len(clean.y_train)
    assert is_new.sum() == round(n_bulk / 9)
    np.testing.assert_array_equal(hidden.X_train[~is_new], clean.X_train)
    np.testing.assert_array_equal(hidden.y_train[~is_new], clean.y_train)
    assert (hidden.y_train[is_new] == 1).all()
    rare = repeating.X[repeating.y == -1]
    assert distinct(hidden.X_train[is_new]) < distinct(rare)
    assert not distinct(hidden.X_train) & distinct(hidden.X_test)
    # A tiny share is one row, none is none.
    one = make_trial(repeating, "rare-event:5:0.1", seed=0)
    assert len(one.X_train) == len(clean.X_train) + 1
    none = make_trial(repeating, "rare-event:5:0", seed=0)
    np.testing.assert_array_equal(none.X_train, clean.X_train)


def test_a_group_of_a_table_stays_on_one_side(repeating):
    groups = np.arange(380) % 50
    X = repeating.X + np.arange(380)[:, None] / 1000  # tells its row
    grouped = Table("grouped", X, repeating.y, groups)
    for protocol in ("one-class", "rare-event:3"):
        trial = make_trial(grouped, protocol, seed=0, max_rows=300)
        bulk = [side[label == 1] for side, label in (trial[:2], trial[2:4])]
        sides = [set(groups[np.isin(X, side).all(axis=1)]) for side in bulk]
        assert not sides[0] & sides[1]


@pytest.mark.parametrize("protocol", ["one-class", "contaminated", "rare-event:2"])
def test_capped(repeating, protocol):
    trial = make_trial(repeating, protocol, seed=0, max_rows=200)
    X = trial.X_test if protocol == "contaminated" else np.vstack([trial.X_train, trial.X_test])
    assert 150 < len(X) <= 200
    whole = make_trial(repeating, "contaminated", seed=0, max_rows=200)
    assert (whole.y_test == -1).sum() == round(200 * 80 / 380)
    assert distinct(X) <= distinct(whole.X_test)


@pytest.mark.parametrize(("n_anomalies", "kept"), [(12, 10), (7, 7), (300, 30)])
def test_a_cap_keeps_anomalies(n_anomalies, kept):
    y = np.where(np.arange(1000) < n_anomalies, -1, 1)
    table = Table("rare", np.arange(1000.0)[:, None], y)
    trial = make_trial(table, "contaminated", seed=0, max_rows=100)
    assert ((trial.y_test == -1).sum(), len(trial.y_test)) == (kept, 100)


def test_published_small_tables_are_resampled(repeating):
    trial = make_trial(repeating, "published", seed=0)
    drawn = np.random.RandomState(0).choice(np.arange(380), 1000, replace=True)
    X, y = repeating.X[drawn], repeating.y[drawn]
    n_train = round(0.5 * (y == 1).sum())
    np.testing.assert_array_equal(trial.X_train, X[y == 1][:n_train])
    assert rows(trial.X_test, trial.y_test) == rows(
        np.vstack([X[y == 1][n_train:], X[y == -1]]),
        np.repeat([1, -1], [(y == 1).sum() - n_train, (y == -1).sum()]),
    )
    assert trial.twins > 0.9


def test_published_tables_between_are_split_in_their_order():
    y = np.where(np.arange(2001) % 3 == 0, -1, 1)
    table = Table("between", np.arange(2001.0)[:, None], y)
    first, second = (make_trial(table, "published", seed=seed) for seed in (0, 1))
    np.testing.assert_array_equal(first.X_train, table.X[y == 1][:667])
    np.testing.assert_array_equal(first.X_train, second.X_train)
    assert first.twins == 0
    capped = make_trial(table, "published", seed=0, max_rows=1500)
    assert len(capped.y_train) + len(capped.y_test) == 1500


def test_published_contaminated(repeating):
    trial = make_trial(repeating, "published-contaminated", seed=0)
    assert len(trial.y_train) == len(trial.y_test) == 1000
    assert distinct(trial.X_train) < distinct(trial.X_test)
    assert (trial.y_train == -1).any()
    assert trial.twins > 0.9


@pytest.mark.parametrize(
    ("protocol", "options", "message"),
    [
        ("two-class", {}, "protocol must be one of one-class, .*; got 'two-class'"),
        ("one-class:3", {}, "protocol must be one of .*; got 'one-class:3'"),
        ("rare-event", {}, "protocol must be one of .*; got 'rare-event'"),
        ("rare-event:-1", {}, "rare-event:M:PERCENT must have a number of anomalies"),
        ("rare-event:5:100", {}, "and a percentage below 100 or none; got 'rare-event:5:100'"),
        ("one-class", {"max_rows": 0}, "max_rows must be at least 1; got 0"),
    ],
)
def test_wrong_protocols(repeating, protocol, options, message):
    with pytest.raises(ValueError, match=message):
        make_trial(repeating, protocol, seed=0, **options)


@pytest.mark.parametrize("y", [np.ones(10), np.arange(10) % 2])
def test_wrong_labels(y):
    with pytest.raises(ValueError, match=r"odd must have two rows of the bulk .* and anomalies"):
        make_trial(Table("odd", np.arange(10.0)[:, None], y), "one-class", seed=0)


@pytest.mark.parametrize("protocol", ["one-class", "contaminated", "rare-event:0"])
def test_a_draw_without_bulk_rows(protocol, repeating):
    message = r"the draw of max_rows=10 from .* must have two rows of the bulk .*; got 0 and 10"
    with pytest.raises(ValueError, match=message):
        make_trial(repeating, protocol, seed=0, max_rows=10)


def test_twins_of_a_real_table(data_folder):
    wine = load_table("adbench/wine")
    assert make_trial(wine, "published", seed=0).twins > 0.9
    assert make_trial(wine, "one-class", seed=0).twins == 0


def test_auxiliary_trials(monkeypatch):
    """The normal rows of another table, without shared ones, and bulk mixed into them."""
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(600, 3)), np.repeat([1, -1], [500, 100])
    other = np.vstack([rng.normal(5, 1, size=(1000, 3)), X[:50], rng.normal(-9, 1, size=(20, 3))])
    aside = Table("aside", other, np.repeat([1, -1], [1050, 20]))
    monkeypatch.setattr(_auxiliary, "load_table", lambda name: {"aside": aside}[name])
    table = Table("table", X, y)
    plain = make_trial(table, "one-class", seed=0)
    trial = make_trial(table, "auxiliary:aside", seed=0)
    np.testing.assert_array_equal(trial.X_test, plain.X_test)
    np.testing.assert_array_equal(trial.X_train[trial.y_train == 1], plain.X_train)
    np.testing.assert_array_equal(trial.X_train[trial.y_train == -1], other[:1000])

    mixed = make_trial(table, "auxiliary:aside:50", seed=0)
    np.testing.assert_array_equal(mixed.X_test, plain.X_test)
    contrast, bulk = (mixed.X_train[mixed.y_train == label] for label in (-1, 1))
    from_bulk = (contrast[:, None] == plain.X_train).all(axis=2).any(axis=1)
    assert from_bulk.mean() == pytest.approx(0.5, abs=0.01)
    assert len(bulk) + from_bulk.sum() == len(plain.X_train)
    assert from_bulk.sum() == len(plain.X_train) // 3
    few = make_trial(table, "auxiliary:aside:1", seed=0)
    assert (few.y_train == -1).sum() == 1000  # 990 and 10

    with pytest.raises(ValueError, match="percentage from 0 to 99"):
        make_trial(table, "auxiliary:aside:100", seed=0)
    with pytest.raises(ValueError, match="protocol must be one of"):
        make_trial(table, "auxiliary", seed=0)
    with pytest.raises(ValueError, match="must have the 2 columns of the split one; aside has 3"):
        make_trial(Table("table", X[:, :2], y), "auxiliary:aside", seed=0)
    own = Table("table", X, y)
    monkeypatch.setattr(_auxiliary, "load_table", lambda name: own)
    with pytest.raises(ValueError, match="all normal rows of table are rows of the split table"):
        make_trial(table, "auxiliary:table", seed=0)
