"""MahalanobisDetector: one-class detection with a single normal distribution."""

import math
from typing import Any

import numpy as np
from sklearn.covariance import EmpiricalCovariance, LedoitWolf, MinCovDet
from sklearn.utils.validation import check_is_fitted

from .._sklearn import StrOptions
from ..training import resolve_seed
from ._base import BaseDetector
from ._contrast import ContrastRows
from ._scaling import standardized
from ._validation import check_rows

#: Smallest eigenvalue of the correlation matrix that is believed: below it lies rounding.
MIN_EIGENVALUE = 1e-10


class MahalanobisDetector(BaseDetector):
    r"""Detect what lies far from the mean, by Mahalanobis distance.

    The bulk is described by one normal distribution; `score_samples` is its log-density and
    `mahalanobis` the distance

    .. math:: d_M = \sqrt{(x - \mu)^T \Sigma^{-1} (x - \mu)}.

    Parameters
    ----------
    covariance : {"full", "diagonal", "spherical", "ledoit_wolf", "mcd"}, default="full"
        How the covariance is estimated: by maximum likelihood, in full, with independent
        features, or with one variance for all (whose distance is the "MSE" baseline of
        Schmier et al. [1]_); shrunk (`sklearn.covariance.LedoitWolf`); or robustly
        (`sklearn.covariance.MinCovDet`), against outliers in the training rows.
    contamination : "auto" or float in (0, 0.5], default="auto"
        Share of the bulk below the threshold: of the training rows for a float; for "auto", 5 %
        of every fifth row, scored by a fit on the others.
    random_state : int, RandomState instance or None, default=None
        Seed of "mcd".
    nan_policy : {"raise", "omit"}, default="raise"
        "omit" leaves rows with NaN out of training, scores them NaN and predicts 0.

    Attributes
    ----------
    location_ : ndarray of shape (n_features,)
        The mean.
    covariance_ : ndarray of shape (n_features, n_features)
        The covariance.
    whitening_ : ndarray of shape (n_features, n_features)
        Matrix W with ``d_M**2 = sum(((x - location_) / scale_ @ W)**2)``.
    scale_ : ndarray of shape (n_features,)
        Standard deviation of each feature; 1 where it is zero.
    log_det_ : float
        Log-determinant of the covariance.
    offset_ : float
        Threshold on `score_samples`.
    n_omitted_ : int
        Training rows left out because of NaN.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where X had string column names.

    See Also
    --------
    RealNVPOutlierDetector : Learns any density, not only a normal one.
    sklearn.covariance.EllipticEnvelope : The robust distance alone.

    Notes
    -----
    Directions without spread (constant or duplicate features) get a tiny variance, 1e-10 in
    units of standardised features, instead of none: leaving them is very improbable, and the
    density stays finite.

    References
    ----------
    .. [1] Schmier, Köthe and Straehle, "Anomaly Detection using Contrastive Normalizing
       Flows", arXiv:2208.14024, section 5.1.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow import MahalanobisDetector
    >>> X = np.random.RandomState(0).normal(size=(300, 2))
    >>> detector = MahalanobisDetector().fit(X)
    >>> detector.predict([[0.0, 0.0], [8.0, -8.0]])
    array([ 1, -1])
    """

    _parameter_constraints: dict[str, list[Any]] = {
        **BaseDetector._parameter_constraints,
        "covariance": [StrOptions({"full", "diagonal", "spherical", "ledoit_wolf", "mcd"})],
        "random_state": ["random_state"],
    }
    _is_log_density = True

    def __init__(
        self,
        *,
        covariance: str = "full",
        contamination: float | str = "auto",
        random_state: Any = None,
        nan_policy: str = "raise",
    ):
        self.covariance = covariance
        self.contamination = contamination
        self.random_state = random_state
        self.nan_policy = nan_policy

    def _fit(self, X: np.ndarray, contrast: ContrastRows) -> None:
        # Units near each feature's size: nothing overflows, nothing drowns in rounding.
        # Shrinkage and a common variance change with units, so there all features share one.
        unit = np.exp2(np.frexp(np.abs(X).max(axis=0))[1] - 1.0)
        if self.covariance in ("spherical", "ledoit_wolf"):
            unit[:] = unit.max()
        estimator = self._estimator().fit(X / unit)
        covariance = estimator.covariance_
        if self.covariance == "diagonal":
            covariance = np.diag(np.diag(covariance))
        elif self.covariance == "spherical":
            covariance = np.eye(len(unit)) * np.diag(covariance).mean()

        deviation = np.sqrt(np.maximum(np.diag(covariance), 0.0))
        constant = deviation <= 10 * np.finfo(float).eps * np.abs(estimator.location_)
        constant |= deviation * unit < np.finfo(float).tiny
        if self.covariance == "spherical":
            constant[:] = constant.all()
        divisor = np.where(constant, 1.0, deviation)
        eigenvalues, vectors = np.linalg.eigh(covariance / divisor[:, None] / divisor)
        eigenvalues = np.maximum(eigenvalues, MIN_EIGENVALUE)
        self.location_ = estimator.location_ * unit
        self.scale_ = np.where(constant, 1.0, deviation * unit)
        with np.errstate(over="ignore"):
            self.covariance_ = covariance * unit[:, None] * unit
        self.whitening_ = vectors / np.sqrt(eigenvalues)
        self.log_det_ = float(2 * np.log(self.scale_).sum() + np.log(eigenvalues).sum())

    def _estimator(self) -> Any:
        if self.covariance == "ledoit_wolf":
            return LedoitWolf()
        if self.covariance == "mcd":
            return MinCovDet(random_state=resolve_seed(self.random_state))
        return EmpiricalCovariance()

    def _distances(self, X: np.ndarray) -> np.ndarray:
        z = standardized(X, self.location_, self.scale_)
        return np.linalg.norm(z @ self.whitening_, axis=1)

    def _score_samples(self, X: np.ndarray) -> np.ndarray:
        return self._largest_score(X) - 0.5 * np.square(self._distances(X))

    def _largest_score(self, X: np.ndarray) -> float:
        """Log-density at the centre."""
        return -0.5 * (X.shape[1] * math.log(2 * math.pi) + self.log_det_)

    def _feature_contributions(self, X: np.ndarray) -> tuple[np.ndarray, float]:
        z = standardized(X, self.location_, self.scale_)
        precision_z = z @ self.whitening_ @ self.whitening_.T
        return -0.5 * z * precision_z, self._largest_score(X)

    def mahalanobis(self, X: Any) -> np.ndarray:
        """Mahalanobis distance of every row from the mean of the bulk.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to measure.

        Returns
        -------
        distances : ndarray of shape (n_samples,), float64
            d_M, not squared. For normal data its square follows a chi-square distribution
            with n_features degrees of freedom.
        """
        check_is_fitted(self)
        return self._on_finite_rows(check_rows(self, X, reset=False), self._distances)
