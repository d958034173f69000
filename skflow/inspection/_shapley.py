"""Shapley values of rows against background rows of their own, for any score."""

import itertools
import math
from collections.abc import Callable

import numpy as np

#: Rows that are scored at a time.
CHUNK_ROWS = 200_000


def shapley_values(
    score: Callable[[np.ndarray], np.ndarray],
    X: np.ndarray,
    background: np.ndarray,
    max_coalitions: int,
    rng: np.random.RandomState,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Shapley values of every feature (Shapley 1953).

    The game of a row x is :math:`v(S) = \operatorname{mean}_b s(x_S, b_{\bar S})`: the mean score
    with the features outside of S taken from background rows b. Enumerated where all coalitions
    are few enough; else the mean over random orders of the features and their reverses, which
    has the same sum.

    Parameters
    ----------
    score : callable
        Scores (m,) of rows (m, d).
    X : ndarray of shape (n, d)
        Rows.
    background : ndarray of shape (n, k, d)
        Background rows of each.
    max_coalitions : int
        Coalitions scored for each row, at most (but those of two orders in any case).
    rng : RandomState
        Source of orders.

    Returns
    -------
    values : ndarray of shape (n, d)
        They sum to the score of the row minus `baseline`.
    baseline : ndarray of shape (n,)
        Mean score of the row's background.
    """
    d = X.shape[1]
    if 2**d <= max_coalitions:
        coalitions = np.array(list(itertools.product([False, True], repeat=d)))
        orders = None
    else:
        half = [rng.permutation(d) for _ in range(max(max_coalitions // (2 * (d - 1) + 2), 1))]
        orders = np.array([order for one in half for order in (one, one[::-1])])
        # Along each order the features join one by one.
        joined = np.argsort(orders, axis=1)[:, None, :] < np.arange(d + 1)[:, None]
        coalitions = joined.reshape(-1, d)
    values, baseline = np.empty(X.shape), np.empty(len(X))
    for i, (row, rows) in enumerate(zip(X, background, strict=True)):
        game = _game(score, row, rows, coalitions)
        if orders is None:
            values[i], baseline[i] = _enumerated(game, d), game[0]
        else:
            steps = np.diff(game.reshape(len(orders), d + 1), axis=1)
            values[i] = np.take_along_axis(steps, np.argsort(orders, axis=1), axis=1).mean(axis=0)
            baseline[i] = game[0]
    return values, baseline


def _game(
    score: Callable[[np.ndarray], np.ndarray],
    row: np.ndarray,
    rows: np.ndarray,
    coalitions: np.ndarray,
) -> np.ndarray:
    """Value of every coalition."""
    unique, place = np.unique(coalitions, axis=0, return_inverse=True)
    parts = []
    for start in range(0, len(unique), max(CHUNK_ROWS // len(rows), 1)):
        own = unique[start : start + max(CHUNK_ROWS // len(rows), 1)]
        mixed = np.where(own[:, None], row, rows)
        parts.append(score(mixed.reshape(-1, len(row))).reshape(len(own), -1).mean(axis=1))
    return np.concatenate(parts)[place.ravel()]


def _enumerated(game: np.ndarray, d: int) -> np.ndarray:
    """Shapley's formula, with coalitions in the order of binary numbers."""
    without = np.array(list(itertools.product([0, 1], repeat=d)))
    size = without.sum(axis=1)
    weight = np.array([math.factorial(s) * math.factorial(d - s - 1) if s < d else 0 for s in size])
    values = np.empty(d)
    for j in range(d):
        rows = np.flatnonzero(without[:, j] == 0)
        gain = game[rows + 2 ** (d - 1 - j)] - game[rows]
        values[j] = np.sum(weight[rows] * gain) / math.factorial(d)
    return values
