"""Protocols: leak-free splits, and the published ones to compare with published figures."""

import copy
import re
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import GroupShuffleSplit
from sklearn.utils import check_array, check_random_state, column_or_1d

from ._auxiliary import auxiliary_rows
from ._tables import Table, equal_rows

#: A capped table keeps at least so many of its anomalies.
MIN_ANOMALIES = 10
#: Livernoche et al. resample tables of fewer rows, and draw from tables of more.
PUBLISHED_MIN_ROWS, PUBLISHED_MAX_ROWS = 1000, 50_000


class Split(NamedTuple):
    """Row indices of the training and test rows."""

    train: np.ndarray
    test: np.ndarray


def rare_event_split(
    X: Any,
    y: Any,
    *,
    n_rare: int,
    groups: Any = None,
    random_state: Any = None,
) -> Split:
    """Split for rare events: about half of the bulk and `n_rare` labelled rare rows train.

    Rows that are equal in all features stay on one side. The other half of both classes tests,
    the same for every `n_rare`, and a draw of fewer rare rows is part of a larger one.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        All rows.
    y : array-like of shape (n_samples,)
        -1 for rare rows, +1 for the bulk.
    n_rare : int
        Labelled rare rows that train, at most about half of them.
    groups : array-like of shape (n_samples,), default=None
        Rows of equal group stay on one side, too.
    random_state : int, RandomState instance or None, default=None
        Seed of the split.

    Returns
    -------
    split : Split
        ``train`` (bulk and labelled rare) and ``test`` row indices.

    Raises
    ------
    ValueError
        If the training half has fewer than `n_rare` rare rows.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.benchmark import rare_event_split
    >>> X, y = np.arange(20.0).reshape(-1, 1), np.repeat([1, -1], [12, 8])
    >>> train, test = rare_event_split(X, y, n_rare=2, random_state=0)
    >>> int(np.sum(y[train] == -1))
    2
    """
    X, is_rare = check_array(X, dtype=None), column_or_1d(y) == -1
    rng = check_random_state(random_state)
    half, other = _halves(_connected(X, groups), rng)
    rare = rng.permutation(half[is_rare[half]])
    if not 0 <= n_rare <= len(rare):
        raise ValueError(
            f"n_rare must be at most the {len(rare)} rare rows of the training half; got {n_rare}"
        )
    return Split(np.concatenate([half[~is_rare[half]], rare[:n_rare]]), other)


def one_class_split(X: Any, y: Any, *, groups: Any = None, random_state: Any = None) -> Split:
    """Split for one class: half of the bulk trains, the rest and every anomaly test.

    Bulk rows that are equal in all features stay on one side.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        All rows.
    y : array-like of shape (n_samples,)
        -1 for anomalies, +1 for the bulk.
    groups : array-like of shape (n_samples,), default=None
        Bulk rows of equal group stay on one side, too.
    random_state : int, RandomState instance or None, default=None
        Seed of the split.

    Returns
    -------
    split : Split
        ``train`` (bulk only) and ``test`` row indices.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.benchmark import one_class_split
    >>> X, y = np.arange(20.0).reshape(-1, 1), np.repeat([1, -1], [12, 8])
    >>> train, test = one_class_split(X, y, random_state=0)
    >>> len(train), len(test)
    (6, 14)
    """
    X, is_anomaly = check_array(X, dtype=None), column_or_1d(y) == -1
    bulk = np.flatnonzero(~is_anomaly)
    connected = _connected(X, groups)[bulk]
    half, other = _halves(connected, check_random_state(random_state))
    return Split(bulk[half], np.sort(np.concatenate([bulk[other], np.flatnonzero(is_anomaly)])))


def _connected(X: np.ndarray, groups: Any) -> np.ndarray:
    """A number for each row; rows that must stay on one side share it."""
    equal = equal_rows(X)
    if groups is None:
        return equal
    # A row ties all rows equal to it to all rows of its group.
    group = np.unique(column_or_1d(groups), return_inverse=True)[1].ravel()
    n_equal, n_nodes = equal.max() + 1, equal.max() + group.max() + 2
    edges = coo_array((np.ones(len(X)), (equal, n_equal + group)), shape=(n_nodes, n_nodes))
    return connected_components(edges, directed=False)[1][equal]


def _halves(groups: np.ndarray, rng: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """Rows of one half of the groups and of the other."""
    splitter = GroupShuffleSplit(n_splits=1, test_size=0.5, random_state=rng)
    return next(splitter.split(groups, groups=groups))


class Trial(NamedTuple):
    """What a detector trains and is tested on.

    ``repeated`` is the share of the rows that repeat an earlier one, and ``twins`` the share of
    the test rows of the bulk that are equal to a training row. The last ``n_auxiliary`` training
    rows, anomalies by their label, are an auxiliary sample. ``test_classes`` are the classes of the
    test rows, where the table has some.
    """

    X_train: np.ndarray
    y_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    repeated: float
    twins: float
    n_auxiliary: int = 0
    test_classes: np.ndarray | None = None


def make_trial(table: Table, protocol: str, *, seed: int, max_rows: int | None = None) -> Trial:
    """Split a table by one of the protocols.

    Parameters
    ----------
    table : Table
        As from `load_table`.
    protocol : str
        - ``"one-class"``: half of the bulk trains, the rest and all anomalies test
          (`one_class_split`).
        - ``"contaminated"``: all rows train and test; detectors see no labels.
        - ``"rare-event:M"``: half of the bulk and M labelled anomalies train, the other halves
          test, the same for every M (`rare_event_split`). ``"rare-event:M:PERCENT"``: so much of
          what trains as bulk are further anomalies, unlabelled.
        - ``"auxiliary:TABLE"``: as one class, and the normal rows of another table train as
          anomalies, but those that equal a row of this one; ``"auxiliary:TABLE:PERCENT"`` mixes
          so much bulk into them, which does not train as bulk then.
        - ``"published"`` and ``"published-contaminated"``: the splits of Livernoche et al. [1]_,
          see the notes. They leak; use them only to compare with published figures.
    seed : int
        Seed of all draws.
    max_rows : int or None, default=None
        A table of more rows is cut to so many before it is split, by a random draw that keeps the
        share of anomalies, but at least 10 of them (all if there are fewer).

    Returns
    -------
    trial : Trial
        Training and test rows with their labels, +1 and -1, and the share of repeated rows.

    Raises
    ------
    ValueError
        If the protocol is none of these, `max_rows` is below 1, the table has only one class, or
        has too few anomalies for M.

    Notes
    -----
    The published splits are those of the code of [1]_ (github.com/vicliv/DTE, ``run.py`` and
    ``data_generator.py``, the latter from ADBench), draw by draw: tables of fewer than 1,000 rows
    are resampled to 1,000 with replacement, from tables of more than 50,000 rows as many are drawn
    without (fewer with `max_rows`). One class: the first half of the normal rows *as the file has
    them* trains, so that for tables between the two sizes all seeds are the same split, and where
    classes of normal rows lie one after the other, other classes train than test. Contaminated: as
    many rows as there are train, drawn with replacement; all rows test. Features are standardised
    by the training rows; there it is done before the second draw.

    References
    ----------
    .. [1] Livernoche, Jain, Hezaveh and Ravanbakhsh, "On Diffusion Modeling for Anomaly
       Detection", ICLR 2024, arXiv:2305.18593.

    Examples
    --------
    >>> from skflow.benchmark import load_table, make_trial
    >>> trial = make_trial(load_table("sklearn/wine"), "one-class", seed=0)
    >>> trial.X_train.shape, trial.X_test.shape, trial.twins
    ((65, 13), (113, 13), 0.0)
    """
    X, y, groups = table.X, table.y, table.groups
    kind, colon, argument = protocol.partition(":")
    if kind not in PROTOCOLS or bool(colon) != (kind in ("rare-event", "auxiliary")):
        raise ValueError(f"protocol must be one of {', '.join(PROTOCOLS)}; got {protocol!r}")
    if kind == "rare-event" and not re.fullmatch(r"\d+(:\d\d?(\.\d+)?)?", argument):
        raise ValueError(
            "rare-event:M:PERCENT must have a number of anomalies, and a percentage below 100 or "
            f"none; got {protocol!r}"
        )
    if kind == "auxiliary" and not re.fullmatch(r"[^:]+(:\d\d?)?", argument):
        raise ValueError(
            "auxiliary:TABLE:PERCENT must have a percentage from 0 to 99, or none; "
            f"got {protocol!r}"
        )
    if max_rows is not None and max_rows < 1:
        raise ValueError(f"max_rows must be at least 1; got {max_rows}")
    _check_classes(y, f"{table.name} must have")
    rng = np.random.RandomState(seed)
    if kind.startswith("published"):
        rows = _published_rows(len(y), max_rows, rng)
    else:
        rows = _capped_rows(y, max_rows, rng)
    X, y = X[rows], y[rows]
    _check_classes(y, f"the draw of max_rows={max_rows} from {table.name} must have")
    groups = groups if groups is None else groups[rows]
    everything, auxiliary, y_train = np.arange(len(y)), X[:0], y
    if kind in ("one-class", "auxiliary"):
        train, test = one_class_split(X, y, groups=groups, random_state=rng)
        if kind == "auxiliary":
            train, auxiliary = auxiliary_rows(argument, X, train, test, rng)
    elif kind == "rare-event":
        train, test, hidden = _rare_event_rows(argument, X, y, groups, rng)
        y_train = np.where(np.isin(everything, hidden), 1, y)
    elif kind == "published":
        normal = np.flatnonzero(y == 1)
        train, late = np.split(normal, [round(0.5 * len(normal))])
        test = np.concatenate([late, np.flatnonzero(y == -1)])
    elif kind == "published-contaminated":
        rng.permutation(np.sum(y == -1))  # there, "none of the anomalies is labelled" is drawn
        train, test = rng.choice(everything, len(y), replace=True), everything
    else:
        train = test = everything
    number = equal_rows(X)
    has_twin = np.isin(number[test], number[train])
    return Trial(
        np.concatenate([X[train], auxiliary]),
        np.append(y_train[train], np.full(len(auxiliary), -1)),
        X[test],
        y[test],
        repeated=1 - (number.max() + 1) / len(y),
        twins=float(has_twin[y[test] == 1].mean()),
        n_auxiliary=len(auxiliary),
        test_classes=None if table.classes is None else table.classes[rows][test],
    )


def _rare_event_rows(
    argument: str, X: np.ndarray, y: np.ndarray, groups: Any, rng: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training and test rows of M or M:PERCENT, and which training rows are unlabelled rares."""
    n_rare, _, percent = argument.partition(":")
    state = copy.deepcopy(rng)
    train, test = rare_event_split(X, y, n_rare=int(n_rare), groups=groups, random_state=rng)
    if not float(percent or 0):
        return train, test, train[:0]
    n_bulk, share = int(np.sum(y[train] == 1)), float(percent) / 100
    n_hidden = max(round(n_bulk * share / (1 - share)), 1)
    more, _ = rare_event_split(
        X, y, n_rare=int(n_rare) + n_hidden, groups=groups, random_state=state
    )
    return more, test, np.setdiff1d(more, train)


def _check_classes(y: np.ndarray, what: str) -> None:
    n_bulk, n_anomalies = int(np.sum(y == 1)), int(np.sum(y == -1))
    if min(n_bulk - 1, n_anomalies) <= 0 or n_bulk + n_anomalies < len(y):
        raise ValueError(
            f"{what} two rows of the bulk (+1) or more, and anomalies (-1), only; got {n_bulk} and "
            f"{n_anomalies} of {len(y)} rows"
        )


PROTOCOLS = (
    "one-class",
    "contaminated",
    "rare-event",
    "auxiliary",
    "published",
    "published-contaminated",
)


def _capped_rows(y: np.ndarray, max_rows: int | None, rng: np.random.RandomState) -> np.ndarray:
    """Rows of a draw of `max_rows` that keeps the share of anomalies, in order."""
    if max_rows is None or len(y) <= max_rows:
        return np.arange(len(y))
    anomalies, bulk = np.flatnonzero(y == -1), np.flatnonzero(y == 1)
    n_anomalies = round(max_rows * len(anomalies) / len(y))
    n_anomalies = min(max(n_anomalies, MIN_ANOMALIES), len(anomalies), max_rows)
    drawn = [
        rng.choice(anomalies, n_anomalies, replace=False),
        rng.choice(bulk, min(max_rows - n_anomalies, len(bulk)), replace=False),
    ]
    return np.sort(np.concatenate(drawn))


def _published_rows(n: int, max_rows: int | None, rng: np.random.RandomState) -> np.ndarray:
    """Rows of the published protocol, in the order of the draw."""
    n_most = PUBLISHED_MAX_ROWS if max_rows is None else min(max_rows, PUBLISHED_MAX_ROWS)
    if n < PUBLISHED_MIN_ROWS:
        return rng.choice(np.arange(n), min(PUBLISHED_MIN_ROWS, n_most), replace=True)
    if n > n_most:
        return rng.choice(np.arange(n), n_most, replace=False)
    return np.arange(n)
