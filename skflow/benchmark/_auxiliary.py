"""Auxiliary samples: rows of another table to contrast the bulk with."""

import numpy as np

from ._tables import equal_rows, load_table

#: At most this share of the training bulk goes over to the auxiliary sample.
MAX_MIXED = 1 / 3


def auxiliary_rows(
    argument: str, X: np.ndarray, train: np.ndarray, test: np.ndarray, rng: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the auxiliary sample of a split.

    Parameters
    ----------
    argument : str
        ``"TABLE"`` or ``"TABLE:PERCENT"``: whose normal rows, and how much of the sample are rows
        of the bulk, which do not train then.
    X : ndarray of shape (n, d)
        All rows of the split table.
    train, test : ndarray of int
        Bulk rows that train, and test rows.
    rng : RandomState
        Source of draws.

    Returns
    -------
    train : ndarray of int
        Rows that train still.
    auxiliary : ndarray of shape (m, d)
        The sample, without rows that are equal to a training or test row. With a percentage it
        is cut where the training bulk would lose more than a third.

    Raises
    ------
    ValueError
        If the table has other columns, or no row is left.
    """
    name, _, given = argument.partition(":")
    percent = int(given or 0)
    table = load_table(name)
    if table.X.shape[1] != X.shape[1]:
        raise ValueError(
            f"an auxiliary table must have the {X.shape[1]} columns of the split one; {name} has "
            f"{table.X.shape[1]}"
        )
    other = table.X[table.y == 1]
    number = equal_rows(np.concatenate([X, other]))
    other = other[~np.isin(number[len(X) :], number[np.concatenate([train, test])])]
    if len(other) == 0:
        raise ValueError(f"all normal rows of {name} are rows of the split table")
    if percent == 0:
        return train, other
    n_mixed = min(round(len(other) * percent / (100 - percent)), int(MAX_MIXED * len(train)))
    n_other = min(len(other), round(n_mixed * (100 - percent) / percent))
    order = rng.permutation(train)
    chosen = rng.choice(len(other), n_other, replace=False)
    return np.sort(order[n_mixed:]), np.concatenate([other[chosen], X[order[:n_mixed]]])
