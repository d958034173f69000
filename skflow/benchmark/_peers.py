"""Peers that no library has in the form that was published, and adapters of those that are."""

from contextlib import redirect_stdout
from importlib import import_module
from io import StringIO
from typing import Any

import numpy as np
import torch
from scipy.stats import norm
from sklearn.base import BaseEstimator, clone
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import check_random_state

from ..detectors import BaseDetector
from ..detectors._contrast import ContrastRows
from ..interop._pyod import _kept_generators, _seed_generators

#: In PlanarFlowDetector's log-determinant, as published: keeps the logarithm finite.
EPSILON = 1e-6


class DTENPDetector(BaseDetector):
    """DTE-NP: the mean distance to the nearest training rows.

    Non-parametric diffusion-time estimation [1]_ averages the (squared) distances to the k nearest
    training rows and takes the most likely diffusion time, which grows with it. The authors' code
    says that this ranks as nearest neighbours do, and to use PyOD's KNN with ``method="mean"``,
    which is what this is.

    Parameters
    ----------
    n_neighbors : int, default=5
        Number of neighbours; all rows where there are fewer. 5 is the default of the authors'
        code; their contaminated figures, of KNN too, are those of 32.
    contamination : "auto" or float in (0, 0.5], default=0.1
        As for all detectors; PyOD's default.
    nan_policy : {"raise", "omit"}, default="raise"
        As for all detectors.

    References
    ----------
    .. [1] Livernoche, Jain, Hezaveh and Ravanbakhsh, "On Diffusion Modeling for Anomaly
       Detection", ICLR 2024, arXiv:2305.18593; github.com/vicliv/DTE.
    """

    def __init__(
        self,
        *,
        n_neighbors: int = 5,
        contamination: float | str = 0.1,
        nan_policy: str = "raise",
    ):
        self.n_neighbors = n_neighbors
        self.contamination = contamination
        self.nan_policy = nan_policy

    def _fit(self, X: np.ndarray, contrast: ContrastRows) -> None:
        self.neighbors_ = NearestNeighbors(n_neighbors=min(self.n_neighbors, len(X))).fit(X)

    def _score_samples(self, X: np.ndarray) -> np.ndarray:
        return -self.neighbors_.kneighbors(X)[0].mean(axis=1)


class PlanarFlowDetector(BaseDetector):
    r"""The planar flow of published benchmarks, scored rightly or as published.

    Ten layers :math:`z + u \tanh(w^T z + b)` (Rezende and Mohamed [1]_) are trained by likelihood,
    with the layers, steps and rates of Livernoche et al.'s baseline [2]_. Its log-density is

    .. math:: \log p(x) = \log N(z; 0, I) + \sum_k \log |1 + u_k^T w_k (1 - \tanh^2(\cdot))|.

    The published score adds an array of shape (n,) to one of shape (n, 1) and averages the
    (n, n) result over its columns: each row gets its own log-determinant, but the *mean* of all
    rows' base densities, the same for all. What ranks is the log-determinant alone.

    Parameters
    ----------
    score : {"log_prob", "log_det"}, default="log_prob"
        The log-density, or the log-determinant alone.
    n_layers : int, default=10
        Number of layers.
    n_epochs : int, default=200
        Passes over the rows.
    batch_size : int, default=64
        Rows of a step.
    learning_rate, weight_decay : float, default=2e-3 and 1e-4
        Of Adam.
    contamination : "auto" or float in (0, 0.5], default=0.1
        As for all detectors; PyOD's default.
    random_state : int, RandomState instance or None, default=None
        Seed of the first weights and the batches.
    nan_policy : {"raise", "omit"}, default="raise"
        As for all detectors.

    Notes
    -----
    As published, nothing keeps a layer invertible (:math:`w^T u > -1`). Where it is not, the
    "log-density" does not integrate to one.

    References
    ----------
    .. [1] Rezende and Mohamed, "Variational Inference with Normalizing Flows", ICML 2015,
       arXiv:1505.05770.
    .. [2] Livernoche, Jain, Hezaveh and Ravanbakhsh, "On Diffusion Modeling for Anomaly
       Detection", ICLR 2024; github.com/vicliv/DTE, ``baselines/normalizing_flow.py``.
    """

    def __init__(
        self,
        *,
        score: str = "log_prob",
        n_layers: int = 10,
        n_epochs: int = 200,
        batch_size: int = 64,
        learning_rate: float = 2e-3,
        weight_decay: float = 1e-4,
        contamination: float | str = 0.1,
        random_state: Any = None,
        nan_policy: str = "raise",
    ):
        self.score = score
        self.n_layers = n_layers
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.contamination = contamination
        self.random_state = random_state
        self.nan_policy = nan_policy

    def _fit(self, X: np.ndarray, contrast: ContrastRows) -> None:
        if self.score not in ("log_prob", "log_det"):
            raise ValueError(f"score must be 'log_prob' or 'log_det'; got {self.score!r}")
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        generator = torch.Generator().manual_seed(seed)
        shapes = (self.n_layers, X.shape[1]), (self.n_layers, X.shape[1]), (self.n_layers,)
        weights = [
            (0.01 * torch.randn(shape, generator=generator)).requires_grad_() for shape in shapes
        ]
        optimizer = torch.optim.Adam(weights, lr=self.learning_rate, weight_decay=self.weight_decay)
        rows = torch.as_tensor(X, dtype=torch.float32)
        for _ in range(self.n_epochs):
            for batch in torch.randperm(len(rows), generator=generator).split(self.batch_size):
                z, log_det = planar_layers(rows[batch], *weights)
                loss = (0.5 * z.square().sum(dim=1) - log_det).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        self.weights_ = [weight.detach().numpy().astype(np.float64) for weight in weights]

    def _score_samples(self, X: np.ndarray) -> np.ndarray:
        weights = [torch.as_tensor(weight) for weight in self.weights_]
        z, log_det = (part.numpy() for part in planar_layers(torch.as_tensor(X), *weights))
        return log_det if self.score == "log_det" else log_det + norm.logpdf(z).sum(axis=1)


def planar_layers(
    z: torch.Tensor, w: torch.Tensor, u: torch.Tensor, b: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Apply z + u tanh(w z + b) for each row of w, u and b; returns z and log |det|."""
    log_det = torch.zeros(len(z), dtype=z.dtype)
    for w_k, u_k, b_k in zip(w, u, b, strict=True):
        h = torch.tanh(z @ w_k + b_k)
        log_det = log_det + torch.log((1 + (1 - h.square()) * (w_k @ u_k)).abs() + EPSILON)
        z = z + h[:, None] * u_k
    return z, log_det


class SklearnDetector(BaseDetector):
    """A scikit-learn outlier detector that trains on bulk rows alone, as all others do.

    Parameters
    ----------
    estimator : estimator with score_samples
        `fit` trains a copy.
    contamination : "auto" or float in (0, 0.5], default=0.1
        As for all detectors; PyOD's default.
    nan_policy : {"raise", "omit"}, default="raise"
        As for all detectors.
    """

    def __init__(
        self, estimator: Any, *, contamination: float | str = 0.1, nan_policy: str = "raise"
    ):
        self.estimator = estimator
        self.contamination = contamination
        self.nan_policy = nan_policy

    def _fit(self, X: np.ndarray, contrast: ContrastRows) -> None:
        self.estimator_ = clone(self.estimator).fit(X)

    def _score_samples(self, X: np.ndarray) -> np.ndarray:
        return self.estimator_.score_samples(X)


class LabelledPyODDetector(BaseDetector):
    """A PyOD detector that learns from labelled anomalies, such as DevNet and XGBOD.

    Parameters
    ----------
    estimator : pyod detector
        With ``fit(X, y)``, where 1 in y marks anomalies; `fit` trains a copy.
    contamination : "auto" or float in (0, 0.5], default=0.1
        As for all detectors; PyOD's default.
    random_state : int, RandomState instance or None, default=None
        Seed, of the global generators too while it trains.
    nan_policy : {"raise", "omit"}, default="raise"
        As for all detectors.
    """

    _uses_contrast = True

    def __init__(
        self,
        estimator: Any,
        *,
        contamination: float | str = 0.1,
        random_state: Any = None,
        nan_policy: str = "raise",
    ):
        self.estimator = estimator
        self.contamination = contamination
        self.random_state = random_state
        self.nan_policy = nan_policy

    def _fit(self, X: np.ndarray, contrast: ContrastRows) -> None:
        if contrast.n_rows == 0:
            raise ValueError(f"{self.estimator!r} needs labelled anomalies (-1) to train on")
        rows = np.concatenate([X, *contrast.sources])
        y = np.arange(len(rows)) >= len(X)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        with _kept_generators(), redirect_stdout(StringIO()):  # DevNet prints every epoch
            self.estimator_ = clone(self.estimator)
            for name in ("random_state", "random_seed"):
                if name in self.estimator_.get_params(deep=False):
                    self.estimator_.set_params(**{name: seed})
            _seed_generators(seed)
            self.estimator_.fit(rows, y.astype(int))

    def _score_samples(self, X: np.ndarray) -> np.ndarray:
        with _kept_generators():  # a loader of torch draws a seed even in order
            return -np.asarray(self.estimator_.decision_function(X), dtype=np.float64)


class DeepODModel(BaseEstimator):
    """A model of DeepOD with the interface of PyOD's.

    Parameters
    ----------
    model : str
        Name of the class in ``deepod.models``.
    params : dict or None, default=None
        Its parameters; its defaults otherwise, but the processor and no printing.
    random_state : int, default=0
        Its seed.
    """

    def __init__(self, model: str, params: dict[str, Any] | None = None, random_state: int = 0):
        self.model = model
        self.params = params
        self.random_state = random_state

    def fit(self, X: np.ndarray) -> "DeepODModel":
        """Train on all rows of X (n, d)."""
        self.model_ = self.make()
        self.model_.fit(np.asarray(X, dtype=np.float32))
        return self

    def make(self) -> Any:
        """DeepOD's own model, untrained."""
        model = getattr(import_module("deepod.models"), self.model)
        options = {"device": "cpu", "verbose": 0, "random_state": self.random_state}
        return model(**options | (self.params or {}))

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        """Scores (n,) of the rows of X: higher is more anomalous."""
        return self.model_.decision_function(np.asarray(X, dtype=np.float32))
