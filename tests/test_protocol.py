"""Splits leak nothing: equal rows stay together, draws are nested, test rows are fixed."""

import numpy as np
import pytest

from skflow.benchmark import one_class_split, rare_event_split


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
