"""Cuts on columns, such as "n_pixels > 3 and size >= 50": parsed, never run as code."""

import ast
import operator
from collections.abc import Callable
from typing import Any

import numpy as np


def _comparison(compare: Callable[..., Any]) -> Callable[..., Any]:
    """A comparison that is false where a value is missing."""

    def of_known(left: Any, right: Any) -> np.ndarray:
        left, right = np.broadcast_arrays(left, right)
        known = ~(_is_missing(left) | _is_missing(right))
        found = np.zeros(known.shape, dtype=bool)
        found[known] = compare(left[known], right[known])
        return found

    return of_known


def _is_missing(value: Any) -> Any:
    """Where a value, or those of a column of any kind, is NaN or None."""
    value = np.asarray(value)
    if value.dtype.kind == "O":
        return np.array([x is None or x != x for x in value.ravel()]).reshape(value.shape)
    return value != value


def _is_true(value: Any) -> Any:
    return (np.asarray(value) != 0) & ~_is_missing(value)


OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Lt: _comparison(operator.lt),
    ast.LtE: _comparison(operator.le),
    ast.Gt: _comparison(operator.gt),
    ast.GtE: _comparison(operator.ge),
    ast.Eq: _comparison(operator.eq),
    ast.NotEq: _comparison(operator.ne),
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.And: lambda left, right: _is_true(left) & _is_true(right),
    ast.Or: lambda left, right: _is_true(left) | _is_true(right),
    ast.Not: lambda value: ~_is_true(value),
}


class Selection:
    """Cuts that rows must pass, and how many did.

    Parameters
    ----------
    expression : str
        Comparisons (``<``, ``<=``, ``>``, ``>=``, ``==``, ``!=``, also chained) of columns, numbers
        and quoted text, which may be added, subtracted, multiplied and divided, joined by ``and``,
        ``or`` and ``not``. A comparison with a missing value, ``!=`` too, is false (and whole
        numbers among which some are missing are compared as floats). Those that ``and`` joins at
        the top are cuts one after another.

    Attributes
    ----------
    columns : list of str
        Columns that the cuts need.
    counts : list of tuple of str and int
        Rows that came, as "all", and rows that were left after each cut.

    Raises
    ------
    ValueError
        If the expression is anything else.

    Examples
    --------
    >>> import pandas as pd
    >>> from skflow.cli import Selection
    >>> selection = Selection("n_pixels > 3 and 0.1 < width / length < 0.9")
    >>> rows = pd.DataFrame({"n_pixels": [9, 2, 5], "width": [1, 1, 3.0], "length": [2, 2, 3.0]})
    >>> selection.passed(rows).tolist()
    [True, False, False]
    >>> selection.counts
    [('all', 3), ('n_pixels > 3', 2), ('0.1 < width / length < 0.9', 1)]
    """

    def __init__(self, expression: str):
        expression = expression.strip()
        try:
            tree = ast.parse(expression, mode="eval").body
        except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
            raise ValueError(
                f"selection must be comparisons of columns; got {expression!r}"
            ) from error
        is_and = isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And)
        self._cuts = tree.values if is_and else [tree]  # type: ignore[attr-defined]
        for node in ast.walk(tree):
            self._check(node, expression)
            if isinstance(node, ast.Name):  # Python spells some letters in another way
                node.id = ast.get_source_segment(expression, node) or node.id
        for cut in self._cuts:
            if not isinstance(cut, ast.Compare | ast.BoolOp | ast.UnaryOp):
                raise ValueError(
                    f"selection must be comparisons; got {ast.unparse(cut)!r} in {expression!r}"
                )
        names = (node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
        self.columns = list(dict.fromkeys(names))
        self.counts = [("all", 0), *((ast.unparse(cut), 0) for cut in self._cuts)]

    @staticmethod
    def _check(node: ast.AST, expression: str) -> None:
        allowed = (ast.Compare, ast.BoolOp, ast.UnaryOp, ast.BinOp, ast.Name, ast.Load)
        constant = isinstance(node, ast.Constant) and isinstance(node.value, int | float | str)
        if not (constant or isinstance(node, allowed) or type(node) in OPERATORS):
            raise ValueError(
                "selection may hold columns, numbers, text, comparisons, arithmetic, and, or and "
                f"not; got {type(node).__name__} in {expression!r}"
            )

    def passed(self, rows: Any) -> np.ndarray:
        """Which of some rows pass all cuts, (n,) bool. Counts grow."""
        left = np.ones(len(rows), dtype=bool)
        counts = [len(rows)]
        for cut in self._cuts:
            try:
                found = _value(cut, rows)
            except (TypeError, ValueError, ArithmeticError) as error:
                raise ValueError(f"selection {ast.unparse(cut)!r} does not fit: {error}") from error
            left &= np.broadcast_to(_is_true(found), left.shape)
            counts.append(int(left.sum()))
        self.counts = [
            (name, before + n) for (name, before), n in zip(self.counts, counts, strict=True)
        ]
        return left


def _value(node: Any, rows: Any) -> Any:
    """Value of a part of an expression, which was checked."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return _column(rows[node.id])
    if isinstance(node, ast.UnaryOp):
        return OPERATORS[type(node.op)](_value(node.operand, rows))
    if isinstance(node, ast.BinOp):
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return OPERATORS[type(node.op)](_value(node.left, rows), _value(node.right, rows))
    if isinstance(node, ast.BoolOp):
        first, *others = (_value(value, rows) for value in node.values)
        for other in others:
            first = OPERATORS[type(node.op)](first, other)
        return first
    terms = [_value(term, rows) for term in (node.left, *node.comparators)]
    pairs = zip(node.ops, terms[:-1], terms[1:], strict=True)
    found: Any = True
    for op, left, right in pairs:
        found = np.logical_and(found, OPERATORS[type(op)](left, right))
    return found


def _column(column: Any) -> np.ndarray:
    """Values of a column, wide enough to be added and multiplied."""
    kind = column.dtype.kind
    if kind not in "biuf":
        return column.astype(object).where(column.notna(), None).to_numpy()
    if column.hasnans:
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    if kind == "u" and len(column) and column.max() > np.iinfo(np.int64).max:
        return column.to_numpy(dtype=np.uint64)
    return column.to_numpy(dtype=np.float64 if kind == "f" else np.int64)
