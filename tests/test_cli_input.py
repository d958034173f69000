"""Cuts and labels of the `skflow` command, on columns of every type."""

import numpy as np
import pandas as pd
import pytest

from skflow.cli import Selection
from skflow.cli._labels import Labels


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a > 1", [False, True, True, False]),
        ("a > 1 and b < 2", [False, True, False, False]),
        ("a > 2 or not b < 1", [False, True, True, True]),
        ("0 < a <= 2", [True, True, False, False]),
        ("(a + b) * 2 - 1 > 5", [False, False, True, False]),
        ("-a / b < -1.7", [True, True, False, False]),
        ("name == 'x'", [True, False, True, False]),
        ('name != "x" and a == 2', [False, True, False, False]),
        ("b == b", [True, True, True, False]),
    ],
)
def test_cuts(expression, expected):
    rows = pd.DataFrame(
        {"a": [1, 2, 3, np.nan], "b": [0, 1, 2, np.nan], "name": ["x", "y", "x", "z"]}
    )
    with np.errstate(all="ignore"):
        assert Selection(expression).passed(rows).tolist() == expected


@pytest.mark.parametrize(
    "expression",
    [
        "", "a", "a >", "a = 1", "a > 1; b", "f(a) > 1", "a.b > 1", "a[0] > 1", "a > [1]",
        "(lambda: 1) > 0", "a if b else c", "a ** 9 > 1", "a > 1 and b", "a is 1", "a in b",
        "a > None", "a @ b > 1", "__import__('os').system('x') > 1", "a > 1j", "(b := 1) > a",
        "f'{a}' > 'x'", "a + 1", "3", "a > " + "(" * 500 + "1" + ")" * 500,
    ],
)  # fmt: skip
def test_what_is_no_cut(expression):
    with pytest.raises(ValueError, match="selection"):
        Selection(expression)


#: Columns of three rows, the second of which has no value where that can be.
ODD = pd.DataFrame(
    {
        "small": np.array([100, 90, 3], dtype=np.int8),
        "unsigned": np.array([1, 2, 3], dtype=np.uint8),
        "large": [2**60 + 1, 2**60, 1],
        "x": [1, np.nan, 3],
        "maybe": pd.array([True, None, False], dtype="boolean"),
        "count": pd.array([1, None, 3], dtype="Int64"),
        "arrow": pd.Series([1, None, 3], dtype="int64[pyarrow]"),
        "text": ["a", None, "b"],
        "exact": pd.array(["a", None, "b"], dtype="string[pyarrow]"),
        "flag": [True, False, True],
        "huge": np.array([2**60 + 1, 2**60, 2**63 + 1], dtype=np.uint64),
        "category": pd.Categorical(["a", None, "b"]),
        "\N{MICRO SIGN}": [1, 2, 3],
    }
)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("small + small == 200", [True, False, False]),
        ("unsigned - 2 < 0", [True, False, False]),
        ("large == 1152921504606846977", [True, False, False]),
        ("x != 1", [False, False, True]),
        ("not x > 1", [True, True, False]),
        ("maybe == 1", [True, False, False]),
        ("maybe != 1", [False, False, True]),
        ("count > 1 and x > 1", [False, False, True]),
        ("arrow != 1", [False, False, True]),
        ("text != 'a'", [False, False, True]),
        ("text < 'b'", [True, False, False]),
        ("exact == 'a'", [True, False, False]),
        ("maybe + maybe > 1", [True, False, False]),
        ("flag + flag > 1", [True, False, True]),
        ("huge == 1152921504606846977", [True, False, False]),
        ("category != 'a'", [False, False, True]),
        ("\N{MICRO SIGN} > 1", [False, True, True]),
    ],
)
def test_cuts_on_odd_columns(expression, expected):
    selection = Selection(expression)
    assert set(selection.columns) <= set(ODD)
    assert selection.passed(ODD).tolist() == expected
    assert selection.counts[0] == ("all", 3)
    assert selection.counts[-1][1] == sum(expected)


@pytest.mark.parametrize("expression", ["x > 1 / 0", "x > 10.0 ** 2", "text > 3", "x > 1 - 'a'"])
def test_cuts_that_cannot_be_computed(expression):
    with pytest.raises(ValueError, match="selection"):
        Selection(expression).passed(ODD)


@pytest.mark.parametrize(
    ("values", "anomalies", "expected"),
    [
        ([-1, 1, 1], [], [-1, 1, 1]),
        ([2, 1, 3], ["2", "3.0"], [-1, 1, -1]),
        ([2.0, 1.0, 1.0], ["2"], [-1, 1, 1]),
        (["a", "b", "c"], ["a", "c"], [-1, 1, -1]),
        ([True, False, True], ["True"], [-1, 1, -1]),
        (pd.Categorical(["a", "b", "b"]), ["a"], [-1, 1, 1]),
    ],
)
def test_labels(values, anomalies, expected):
    labels = Labels("kind", anomalies)
    assert labels.of(pd.DataFrame({"kind": values})).tolist() == expected
    labels.check_seen()


@pytest.mark.parametrize(
    ("values", "anomalies", "message"),
    [
        ([0, 1], [], r"must be -1 or \+1, or --anomalies"),
        ([1, 2], ["two"], "holds numbers, and so must --anomalies; got 'two'"),
        (["a", None], ["a"], "it is missing in 1"),
        ([1, np.nan], ["1"], "it is missing in 1"),
    ],
)
def test_labels_that_are_refused(values, anomalies, message):
    with pytest.raises(ValueError, match=message):
        Labels("kind", anomalies).of(pd.DataFrame({"kind": values}))


def test_anomalies_that_no_row_is():
    labels = Labels("kind", ["a", "b"])
    labels.of(pd.DataFrame({"kind": ["c"]}))
    with pytest.raises(ValueError, match=r"no row has \['a', 'b'\]"):
        labels.check_seen()


def test_anomalies_may_be_in_one_batch_of_many():
    labels = Labels("kind", ["a"])
    for kind in ("b", "a", "b"):
        labels.of(pd.DataFrame({"kind": [kind]}))
    labels.check_seen()
