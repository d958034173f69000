"""The ordinary event that a strange one would have been."""

from typing import Any, NamedTuple

import numpy as np
from scipy.stats import chi2
from sklearn.utils.validation import check_is_fitted

from ..detectors._latent import last_step, latent
from ._frames import feature_names, pandas


class NearestNormal(NamedTuple):
    """Ordinary events, and by how much the events differ from them, as pandas.DataFrames."""

    rows: Any
    difference: Any
    deviations: Any


def nearest_normal(estimator: Any, X: Any, *, quantile: float = 0.5) -> NearestNormal:
    r"""Find the ordinary event that each row would have been.

    A flow maps the bulk to a normal distribution. Rows whose latent point lies beyond the radius
    that a share `quantile` of the bulk stays within, the root of a chi-square quantile, are
    pulled back to it along a straight line and mapped to features again. Others are ordinary as
    they are.

    Parameters
    ----------
    estimator : detector
        A fitted flow trained by likelihood alone, such as `RealNVPOutlierDetector`, or a pipeline
        that ends with one, whose steps before it are applied: events are those that the
        detector sees.
    X : array-like of shape (n_samples, n_features)
        Rows.
    quantile : float in (0, 1), default=0.5
        Share of the bulk within the radius.

    Returns
    -------
    nearest : NearestNormal
        Of shape (n_samples, n_features) each: ``rows``, the ordinary events; ``difference``, the
        row less these, in the units of the features; ``deviations``, the same in standard
        deviations of the bulk. NaN for rows with NaN.

    Raises
    ------
    ImportError
        If pandas is not installed.
    ValueError
        If the detector has no such latent space, or `quantile` is not in (0, 1).

    Examples
    --------
    >>> import numpy as np
    >>> from skflow import RealNVPOutlierDetector
    >>> from skflow.inspection import nearest_normal
    >>> rng = np.random.RandomState(0)
    >>> X = rng.normal(size=(2000, 1)) + 0.1 * rng.normal(size=(2000, 3))  # three alike
    >>> detector = RealNVPOutlierDetector(random_state=0).fit(X)
    >>> nearest = nearest_normal(detector, [[1.0, 1.0, -1.0]])
    >>> nearest.deviations.abs().idxmax(axis=1)[0]
    'x2'
    """
    if not 0 < quantile < 1:
        raise ValueError(f"quantile must be between 0 and 1; got {quantile}")
    pd = pandas("nearest_normal")
    check_is_fitted(estimator)
    index = X.index if hasattr(X, "iloc") else None
    flow, given = last_step(estimator, X)
    Z = latent(flow, given)  # as given, so that columns of other names are refused
    names = feature_names(estimator, flow, given)
    rows = np.asarray(given, dtype=np.float64)
    radius = np.sqrt(chi2.ppf(quantile, Z.shape[1]))
    length = np.linalg.norm(Z, axis=1, keepdims=True)
    normal = rows.copy()
    strange = (length > radius).ravel()  # NaN is not
    if strange.any():
        condition = flow.architecture_["condition"]
        known = {"condition": rows[strange][:, condition]} if condition else {}
        pulled = Z[strange] * (radius / length[strange])
        normal[strange] = flow.inverse_transform(pulled, **known)
    normal[np.isnan(length).ravel()] = np.nan
    difference = rows - normal
    scale = flow._rebuilt().standardize.scale.numpy()
    features = [j for j in range(len(names)) if j not in set(flow.architecture_["condition"])]
    deviations = np.zeros_like(difference)
    deviations[:, features] = difference[:, features] / scale
    deviations[np.isnan(length).ravel()] = np.nan
    return NearestNormal(
        *(pd.DataFrame(t, columns=names, index=index) for t in (normal, difference, deviations))
    )
