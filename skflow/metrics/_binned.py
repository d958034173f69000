"""Figures against another quantity, such as energy: whether a cut is flat, and cuts in bins."""

from typing import Any, NamedTuple

import numpy as np
from scipy.stats import chi2
from sklearn.utils import check_consistent_length, column_or_1d

from ._checks import check_share, checked_weight


class Flatness(NamedTuple):
    """Acceptance in bins, its standard errors, and a chi-square test of whether it is flat."""

    edges: np.ndarray
    acceptance: np.ndarray
    error: np.ndarray
    chi_square: float
    dof: int
    p_value: float


class BinnedCuts(NamedTuple):
    """A threshold on the score for every bin of another quantity."""

    edges: np.ndarray
    cuts: np.ndarray

    def passes(self, anomaly_score: Any, values: Any) -> np.ndarray:
        """Whether rows (n,) lie in a bin and their score is at least its cut.

        Parameters
        ----------
        anomaly_score : array-like of shape (n_samples,)
            Higher means more anomalous; NaN passes nowhere.
        values : array-like of shape (n_samples,)
            The other quantity.

        Returns
        -------
        passes : ndarray of bool, shape (n_samples,)
        """
        score, values = _columns(anomaly_score, values)
        bins = _bin_of(values, self.edges)
        inside = bins >= 0
        return inside & (score >= np.where(inside, self.cuts[bins], np.inf))


def acceptance_flatness(
    passes: Any, values: Any, *, bins: Any = 10, sample_weight: Any = None
) -> Flatness:
    """Whether a cut passes the same share of rows everywhere.

    Of the background's rows (hadrons), against energy or the distance from the camera's centre: a
    cut that is not flat there makes structure in a sky map or a spectrum where there is none.

    Parameters
    ----------
    passes : array-like of bool, shape (n_samples,)
        Whether each row passes the cut.
    values : array-like of shape (n_samples,)
        The other quantity.
    bins : int or array-like of shape (n_bins + 1,), default=10
        Number of bins that hold as many rows each, or rising edges; a row on an edge belongs to
        the bin above, on the last edge to the last bin. Rows outside are left out.
    sample_weight : array-like of shape (n_samples,), default=None
        How much each row counts; None is 1 for all.

    Returns
    -------
    flatness : Flatness
        ``edges`` (n_bins + 1,), ``acceptance`` and its ``error`` (n_bins,), and the test
        whether all are equal: ``chi_square``, ``dof`` and ``p_value``.

    Raises
    ------
    ValueError
        If edges do not rise, a bin has no row, or a weight is negative or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.metrics import acceptance_flatness
    >>> rng = np.random.RandomState(0)
    >>> energy, score = rng.uniform(size=(2, 5000))
    >>> bool(acceptance_flatness(score > 0.9, energy).p_value > 0.05)
    True
    >>> bool(acceptance_flatness(score + 0.1 * energy > 0.9, energy).p_value > 0.05)
    False
    """
    passes, values = _columns(passes, values)
    if not np.isin(passes, (0, 1)).all():
        raise ValueError("passes must be true or false for every row")
    weight = checked_weight(sample_weight, len(values))
    edges, bin_of = binned(values, bins)
    n_bins = len(edges) - 1

    def total(of_rows: np.ndarray) -> np.ndarray:
        inside = bin_of >= 0
        return np.bincount(bin_of[inside], weights=of_rows[inside], minlength=n_bins)

    weights, squares = total(weight), total(weight**2)
    _check_filled(weights, edges)
    acceptance = total(weight * passes) / weights
    # Rows of different weight are worth fewer rows of one weight (Kish).
    n_effective = weights**2 / squares
    overall = np.average(acceptance, weights=n_effective)
    error = np.sqrt(acceptance * (1 - acceptance) / n_effective)
    variance = overall * (1 - overall) / n_effective
    chi_square = 0.0 if overall in (0, 1) else float(np.sum((acceptance - overall) ** 2 / variance))
    dof = n_bins - 1
    p_value = float(chi2.sf(chi_square, dof)) if dof else 1.0
    return Flatness(edges, acceptance, error, chi_square, dof, p_value)


def binned_cuts(
    anomaly_score: Any,
    values: Any,
    *,
    efficiency: float = 0.7,
    bins: Any = 5,
    sample_weight: Any = None,
) -> BinnedCuts:
    """Cuts that depend on another quantity, such as energy or zenith angle.

    In every bin the cut is the largest that at least a share `efficiency` of the rows passes.

    Parameters
    ----------
    anomaly_score : array-like of shape (n_samples,)
        Of the rows whose efficiency counts: of gammas, or of hadrons for a constant
        background. Higher means more anomalous; NaN counts as lost.
    values : array-like of shape (n_samples,)
        The other quantity.
    efficiency : float in (0, 1), default=0.7
        Share of the rows of a bin that must pass.
    bins : int or array-like of shape (n_bins + 1,), default=5
        Number of bins that hold as many rows each, or rising edges; a row on an edge belongs to
        the bin above, on the last edge to the last bin. Rows outside are left out.
    sample_weight : array-like of shape (n_samples,), default=None
        How much each row counts; None is 1 for all.

    Returns
    -------
    cuts : BinnedCuts
        ``edges`` (n_bins + 1,), ``cuts`` (n_bins,) and ``passes(anomaly_score, values)``.

    Raises
    ------
    ValueError
        If edges do not rise, a bin has no row, too many of its rows are lost, or a weight is
        negative or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.metrics import binned_cuts
    >>> energy, score = np.repeat([1.0, 10.0], 4), np.arange(8.0)
    >>> cuts = binned_cuts(score, energy, efficiency=0.5, bins=[0, 5, 20])
    >>> cuts.cuts
    array([2., 6.])
    >>> cuts.passes([3.0, 3.0], [1.0, 10.0])
    array([ True, False])
    """
    check_share("efficiency", efficiency)
    score, values = _columns(anomaly_score, values)
    weight = checked_weight(sample_weight, len(values))
    edges, bin_of = binned(values, bins)
    cuts = np.empty(len(edges) - 1)
    for k in range(len(cuts)):
        own, own_weight = score[bin_of == k], weight[bin_of == k]
        _check_filled(own_weight.sum(keepdims=True), edges[k : k + 2])
        order = np.argsort(-own)  # NaN comes last
        share = np.cumsum(own_weight[order]) / own_weight.sum()
        cut = own[order][np.searchsorted(share, efficiency * (1 - 1e-12))]
        if np.isnan(cut):
            raise ValueError(
                f"a share of {efficiency} of the rows between {edges[k]:g} and {edges[k + 1]:g} "
                f"must have a score; {np.isnan(own).sum()} of {len(own)} are NaN"
            )
        cuts[k] = cut
    return BinnedCuts(edges, cuts)


def _columns(*columns: Any) -> list[np.ndarray]:
    given = [column_or_1d(column).astype(np.float64) for column in columns]
    check_consistent_length(*given)
    return given


def binned(values: np.ndarray, bins: Any) -> tuple[np.ndarray, np.ndarray]:
    """Edges, and the bin of every row, -1 outside of them; `bins` is a number or edges."""
    if np.ndim(bins) == 0:
        if bins < 1:
            raise ValueError(f"bins must be at least 1, or edges; got {bins}")
        edges = np.unique(np.nanquantile(values, np.linspace(0, 1, int(bins) + 1)))
    else:
        edges = column_or_1d(bins).astype(np.float64)
    if len(edges) < 2 or not (np.diff(edges) > 0).all():
        raise ValueError(f"edges of bins must rise; got {edges}")
    return edges, _bin_of(values, edges)


def _bin_of(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    inside = (values >= edges[0]) & (values <= edges[-1])
    place = np.searchsorted(edges, values, side="right") - 1
    return np.where(inside, np.minimum(place, len(edges) - 2), -1)


def _check_filled(weights: np.ndarray, edges: np.ndarray) -> None:
    if not (weights > 0).all():
        k = int(np.argmin(weights > 0))
        raise ValueError(
            f"every bin must hold rows; got none from {edges[k]:g} to {edges[k + 1]:g}"
        )
