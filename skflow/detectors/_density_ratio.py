"""DensityRatioDetector: the ratio of the densities of two detectors."""

from typing import Any

import numpy as np
from scipy.special import logsumexp

from .._sklearn import fit_context
from ..training import resolve_seed
from ._base import BaseDetector, check_log_density
from ._contrast import ContrastRows
from ._realnvp import RealNVPOutlierDetector
from ._validation import unchanged_on_error


class DensityRatioDetector(BaseDetector):
    """Detect rare events by the ratio of two densities, each learned by its own detector.

    The score is ``log p(x) - log q(x)``, with p the density of the bulk and q that of the contrast
    rows: those with y = -1, those of `X_contrast`, or the mean of both densities. With two flows
    it is the ratio of Ren et al. [1]_ and Schirrmeister et al. [2]_ ("Flow-ratio" of Schmier et
    al. [3]_), with two ``MahalanobisDetector(covariance="spherical")`` the "MSE-ratio" of [3]_.
    Without contrast rows the score is ``log p(x)``.

    Where neither detector saw a row the ratio may have any value, so that what is unlike both is
    not flagged reliably; and q needs enough rows for a density of its own. The other methods for
    rare events were made for want of both.

    Parameters
    ----------
    bulk_estimator : detector or None, default=None
        Skflow detector whose `score_samples` is a log-density, for the bulk. None is a
        `RealNVPOutlierDetector`.
    contrast_estimator : detector or None, default=None
        The same for the contrast rows.
    contamination : "auto" or float in (0, 0.5], default="auto"
        Share of the bulk below the threshold: of the training rows for a float; for "auto", 5 %
        of the rows that the detector of the bulk holds out, else of every fifth row, scored by a
        fit on the others.
    random_state : int, RandomState instance or None, default=None
        Seed of both detectors' seeds; their own are not used.
    nan_policy : {"raise", "omit"}, default="raise"
        "omit" leaves rows with NaN out of training, scores them NaN and predicts 0.

    Attributes
    ----------
    bulk_estimator_ : detector
        Of the bulk, without a threshold of its own.
    contrast_estimators_ : list of detectors
        Of the rows with y = -1 and of those of `X_contrast`, as far as there were any.
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
    ClassConditionalFlowDetector : One flow for both densities, for few rare rows.
    ContrastiveFlowDetector : Flags what is unlike both, too.

    References
    ----------
    .. [1] Ren et al., "Likelihood Ratios for Out-of-Distribution Detection", NeurIPS 2019,
       arXiv:1906.02845.
    .. [2] Schirrmeister, Zhou, Ball and Zhang, "Understanding Anomaly Detection with Deep
       Invertible Networks through Hierarchies of Distributions and Features", NeurIPS 2020,
       arXiv:2006.10848.
    .. [3] Schmier, Köthe and Straehle, "Anomaly Detection using Contrastive Normalizing
       Flows", arXiv:2208.14024.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow import DensityRatioDetector, MahalanobisDetector
    >>> rng = np.random.RandomState(0)
    >>> bulk, contrast = rng.normal(size=(1000, 2)), rng.normal(1, 2, size=(500, 2))
    >>> normal = MahalanobisDetector()
    >>> detector = DensityRatioDetector(normal, normal).fit(bulk, X_contrast=contrast)
    >>> detector.predict([[-0.5, -0.5], [3.0, 3.0]])
    array([ 1, -1])
    """

    _parameter_constraints: dict[str, list[Any]] = {
        **BaseDetector._parameter_constraints,
        "bulk_estimator": [None, BaseDetector],
        "contrast_estimator": [None, BaseDetector],
        "random_state": ["random_state"],
    }
    # Asked for by default, so that Pipeline(transform_input=["X_contrast"]) just works.
    __metadata_request__fit = {"X_contrast": True}
    _uses_contrast = True

    def __init__(
        self,
        bulk_estimator: Any = None,
        contrast_estimator: Any = None,
        *,
        contamination: float | str = "auto",
        random_state: Any = None,
        nan_policy: str = "raise",
    ):
        self.bulk_estimator = bulk_estimator
        self.contrast_estimator = contrast_estimator
        self.contamination = contamination
        self.random_state = random_state
        self.nan_policy = nan_policy

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, X_contrast: Any = None) -> "DensityRatioDetector":
        """Learn both densities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, at least two of them bulk.
        y : array-like of shape (n_samples,), default=None
            -1 marks known rare events, +1 the bulk; without any -1 all rows are bulk.
        X_contrast : array-like of shape (n_contrast, n_features), default=None
            Auxiliary rows, for the second density like those with y = -1.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        ValueError
            If X or X_contrast holds infinity, or NaN with ``nan_policy="raise"``; if X has
            fewer than two bulk rows; if there is a single row with y = -1 or in X_contrast; if
            X_contrast is empty or has other columns than X; if y mixes -1 with labels other than
            +1; if a detector's scores are no log-density.
        """
        with unchanged_on_error(self):
            self._fit_checked(X, y, X_contrast)
        return self

    def _kind(self, name: str) -> BaseDetector:
        given = getattr(self, name)
        kind = RealNVPOutlierDetector() if given is None else given
        check_log_density(kind, name)
        return kind

    def _fit(self, X: np.ndarray, contrast: ContrastRows) -> np.ndarray | None:
        kinds = self._kind("bulk_estimator"), self._kind("contrast_estimator")
        rng = np.random.RandomState(resolve_seed(self.random_state) % 2**32)
        seeds = rng.randint(2**31 - 1, size=2)
        none = ContrastRows(X[:0], X[:0])
        self.bulk_estimator_, held_out = self._fitted_copy(kinds[0], X, none, int(seeds[0]))
        self.contrast_estimators_ = []
        for rows in contrast.sources:
            if len(rows) == 1:
                raise ValueError(
                    "DensityRatioDetector needs at least 2 rows with y = -1 or none, and of "
                    "X_contrast as well; got 1"
                )
            if len(rows):
                fitted, _ = self._fitted_copy(kinds[1], rows, none, int(seeds[1]))
                self.contrast_estimators_.append(fitted)
        return held_out

    def _score_samples(self, X: np.ndarray) -> np.ndarray:
        scores = self.bulk_estimator_._score_samples(X)
        if not self.contrast_estimators_:
            return scores
        of_contrast = [fitted._score_samples(X) for fitted in self.contrast_estimators_]
        return scores - logsumexp(of_contrast, axis=0) + np.log(len(of_contrast))
