"""Rows in any container and dtype: the scores of the same numbers in an array, or a sentence."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.base import clone

from skflow import (
    AutoencoderDetector,
    ContrastiveFlowDetector,
    FlowNeighborsDetector,
    MahalanobisDetector,
    RealNVPOutlierDetector,
)

DETECTORS = [
    MahalanobisDetector(),
    RealNVPOutlierDetector(max_iter=3, n_blocks=1, hidden_features=4, random_state=0),
    ContrastiveFlowDetector(max_iter=4, n_blocks=1, hidden_features=4, random_state=0),
    AutoencoderDetector(max_iter=3, hidden_features=4, random_state=0),
    FlowNeighborsDetector(
        RealNVPOutlierDetector(max_iter=3, n_blocks=1, hidden_features=4), random_state=0
    ),
]
DTYPES = ["f8", "f4", "f2", ">f8", ">f4", "g", "i1", "i2", "i8", ">i4", "u1", "u8", "?"]
#: Dates, texts, numbers that are none, and objects of other kinds.
ALIENS = [
    "a",
    "",
    b"x",
    None,
    np.nan,
    np.inf,
    -np.inf,
    1 + 2j,
    pd.NA,
    pd.NaT,
    pd.Timestamp("2020-01-01"),
    pd.Period("2020"),
    10**400,
    [1.0],
    {},
    object(),
    len,
]


def frame(X):
    return pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])


def strided(X):
    wide = np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)
    return wide[::2, ::3]


def backwards(X):
    return X[::-1, ::-1].copy()[::-1, ::-1]


def read_only(X):
    X = X.copy()
    X.setflags(write=False)
    return X


def nullable(X):
    return frame(X.astype("f8")).astype("Float64")


def mixed(X):
    """A column of each kind that holds its numbers."""
    table = frame(X.astype("f8"))
    for i, name in enumerate(table):
        table[name] = table[name].astype(
            ["float64", "Float64", "object", "float64[pyarrow]"][i % 4]
        )
    return table


#: Containers of the same numbers.
SAME = {
    "array": lambda X: X,
    "Fortran": np.asfortranarray,
    "strided": strided,
    "backwards": backwards,
    "read only": read_only,
    "objects": lambda X: X.astype(object),
    "texts of numbers": lambda X: np.array(
        [[repr(v) for v in row] for row in X.astype("f8").tolist()]
    ),
    "lists": lambda X: X.tolist(),
    "tuples": lambda X: tuple(map(tuple, X.tolist())),
    "masked, none masked": lambda X: np.ma.masked_array(X, np.zeros(X.shape, bool)),
    "memoryview": lambda X: memoryview(np.ascontiguousarray(X.astype("f8"))),
    "tensor": lambda X: torch.tensor(X.astype("f8")),
    "pandas": frame,
    "pandas, nullable": nullable,
    "pandas, mixed": mixed,
    "pandas, odd index": lambda X: frame(X).set_index(np.zeros(len(X))),
    "polars": lambda X: pl.DataFrame(X.astype("f8"), [f"x{i}" for i in range(X.shape[1])]),
}
#: Of numbers, what is no table of numbers.
OTHER = {
    "sparse array": lambda X: scipy.sparse.csr_array(X.astype("f8")),
    "sparse matrix": lambda X: scipy.sparse.coo_matrix(X.astype("f8")),
    "one row": lambda X: X[0],
    "one number": lambda X: X[0, 0],
    "three dimensions": lambda X: X[None],
    "no rows": lambda X: X[:0],
    "no columns": lambda X: X[:, :0],
    "complex": lambda X: X + 1j,
    # More than one field: older NumPy takes one for a number.
    "records": lambda X: (
        np.hstack([X, X]).astype("f8").view([(f"x{i}", "f8") for i in range(2 * X.shape[1])])
    ),
    "ragged": lambda X: [*X.tolist(), [1.0] * (X.shape[1] + 1)],
    "dates": lambda X: np.full(X.shape, np.datetime64("2020-01-01")),
    "durations": lambda X: np.full(X.shape, np.timedelta64(1, "s")),
    "pandas dates": lambda X: frame(X).assign(x0=pd.Timestamp("2020")),
    "polars dates": lambda X: pl.DataFrame({"x0": [pd.Timestamp("2020")] * len(X)}),
    "polars lazy": lambda X: pl.DataFrame(X.astype("f8")).lazy(),
    "polars lists": lambda X: pl.DataFrame({"x0": [[1, 2]] * len(X)}),
    "all masked": lambda X: np.ma.masked_all(X.shape),
    "categories": lambda X: frame(X).assign(x0=pd.Categorical(["u"] * len(X))),
    "same names": lambda X: pd.DataFrame(np.hstack([X, X]), columns=["x"] * 2 * X.shape[1]),
    "mixed names": lambda X: pd.DataFrame(
        np.hstack([X, X]), columns=[1, *"a" * (2 * X.shape[1] - 1)]
    ),
    "series": lambda X: pd.Series(X[:, 0]),
    "dictionary": lambda X: {"x0": X[:, 0]},
    "generator": iter,
    "nothing": lambda X: None,
    "text": lambda X: "x",
}


@st.composite
def numbers(draw):
    """Rows of a dtype, its extremes included."""
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    shape = draw(st.tuples(st.integers(2, 24), st.integers(1, 4)))
    elements = None
    if dtype.kind == "f":
        limits = np.finfo(min(dtype, np.dtype("f8")))
        elements = st.floats(
            float(limits.min), float(limits.max), width=min(8 * dtype.itemsize, 64)
        )
    kept = dtype if dtype.char != "g" else np.dtype("f8")
    return draw(hnp.arrays(kept, shape, elements=elements)).astype(dtype)


@st.composite
def aliens(draw):
    """Rows with one entry that is no number."""
    X = draw(numbers()).astype(object)
    X[draw(st.integers(0, len(X) - 1)), 0] = draw(st.sampled_from(ALIENS))
    return X if draw(st.booleans()) else frame(X)


containers = st.tuples(numbers(), st.sampled_from(sorted(OTHER)).map(OTHER.get))
no_numbers = st.one_of(containers, st.tuples(aliens(), st.just(lambda X: X)))


def refuses(call, X):
    """That a call ends in a sentence about X."""
    with pytest.raises((ValueError, TypeError)) as error:
        call(X)
    assert len(str(error.value)) > 20


def cases_of(strategy, n_cases):
    """Run a check on so many cases, in silence about extreme numbers."""

    def decorate(check):
        @settings(max_examples=n_cases, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=strategy)
        def run(case):
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                check(*case)

        return run

    return decorate


def run(detector, n_cases):
    """Two thirds of the cases are tables of numbers, one third is something else."""

    @cases_of(st.tuples(numbers(), st.sampled_from(sorted(SAME))), 2 * n_cases // 3)
    def same_scores(X, container):
        rows, plain = SAME[container](X), np.asarray(X, dtype=np.float64)
        scores = clone(detector).fit(plain).score_samples(plain)
        assert np.isfinite(scores).all()
        fitted = clone(detector).fit(rows)
        np.testing.assert_array_equal(fitted.score_samples(rows), scores)
        assert set(fitted.predict(rows)) <= {-1, 1}

    @cases_of(no_numbers, n_cases // 3)
    def refused(X, make):
        fresh = clone(detector)
        refuses(fresh.fit, make(X))
        assert "n_features_in_" not in vars(fresh)
        fresh.fit(np.random.RandomState(0).normal(size=(30, X.shape[1])))
        refuses(fresh.score_samples, make(X))

    same_scores()
    refused()


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: type(detector).__name__)
def test_any_input(detector):
    run(detector, 42)


@pytest.mark.slow
@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: type(detector).__name__)
def test_any_input_at_length(detector):
    run(detector, 402)


@pytest.mark.parametrize("container", OTHER)
def test_what_is_no_table_of_numbers(container):
    X = np.random.RandomState(0).normal(size=(12, 2))
    refuses(MahalanobisDetector().fit, OTHER[container](X))


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (pd.DataFrame({"when": pd.date_range("2020", periods=3)}), "column 'when' holds dates"),
        (pl.DataFrame({"when": [pd.Timestamp("2020")] * 3}), "column 'when' holds dates"),
        (np.full((3, 2), np.timedelta64(1, "s")), "it holds dates or durations"),
        (pd.DataFrame([["u", 1.0], ["v", 2.0]]), "encode columns of text"),
        ([[10**400, 1], [2, 3]], "numbers below 1.8e308"),
        (pl.DataFrame({"a": [1.0, 2.0]}).lazy(), "got a LazyFrame: collect"),
        (pd.DataFrame(np.eye(3), columns=list("aba")), "different names; got .'a'"),
        (np.array([[len, 1.0], [2.0, 3.0]]), "must hold numbers alone"),
    ],
    ids=["pandas dates", "polars dates", "durations", "text", "huge", "lazy", "names", "objects"],
)
def test_sentences(rows, sentence):
    with pytest.raises((ValueError, TypeError), match=sentence):
        MahalanobisDetector().fit(rows)


def test_masked_entries_are_missing(bulk):
    masked = np.ma.masked_array(bulk, np.zeros(bulk.shape, bool))
    masked[5, 1] = np.ma.masked
    with pytest.raises(ValueError, match="contains NaN at row 5, column 1"):
        MahalanobisDetector().fit(masked)
    detector = MahalanobisDetector(nan_policy="omit").fit(masked)
    assert detector.n_omitted_ == 1
    assert np.flatnonzero(np.isnan(detector.score_samples(masked))).tolist() == [5]
