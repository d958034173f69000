"""AutoencoderDetector: one-class detection by what an autoencoder cannot reconstruct."""

from numbers import Integral
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .._sklearn import Interval, StrOptions
from ..flows import Standardize, mlp
from ..objectives import Reconstruction
from ._torch import TorchDetector


class _Autoencoder(nn.Module):
    """Standardising layer, encoder and decoder with one hidden layer each."""

    def __init__(
        self,
        n_features: int,
        hidden_features: int,
        latent_features: int,
        generator: torch.Generator | None,
    ):
        super().__init__()
        self.standardize = Standardize(n_features)
        self.encoder = mlp([n_features, hidden_features, latent_features], generator)
        self.decoder = mlp([latent_features, hidden_features, n_features], generator)

    def initialize(self, x: Tensor) -> None:
        self.standardize.initialize(x)

    def squared_errors(self, x: Tensor) -> Tensor:
        """Squared error of every feature, in squared standard deviations, shape (n, d)."""
        z, _ = self.standardize(x, next(self.parameters()).dtype)
        return (self.decoder(self.encoder(z)) - z).square()

    def reconstruction_error(self, x: Tensor) -> Tensor:
        """Mean squared error of every row, in squared standard deviations, shape (n,)."""
        return self.squared_errors(x).mean(dim=1)


class AutoencoderDetector(TorchDetector):
    """Detect what an autoencoder trained on the bulk reconstructs badly.

    A dense network squeezes every standardised row through a narrow layer and back; the score
    is minus the mean squared difference. The classic deep baseline for the flows: it has no
    density, so it has no `score` method.

    Parameters
    ----------
    hidden_features : int, default=64
        Width of the hidden layer of encoder and decoder.
    latent_features : "auto" or int, default="auto"
        Width of the narrow layer; "auto" is half the number of features, at most 32.
    contamination : "auto" or float in (0, 0.5], default="auto"
        Share of the bulk below the threshold: of the training rows for a float; for "auto", 5 %
        of held-out rows (those of early stopping, else of a second fit on the other rows).
    max_iter : "auto" or int, default="auto"
        Optimiser steps; "auto" is ``10 * sqrt(n)`` for n training rows, at least 100 and at
        most 3,000.
    batch_size : int, default=256
        Rows a step.
    learning_rate : float, default=5e-3
        Largest step size of AdamW's one-cycle schedule.
    weight_decay : float, default=1e-2
        AdamW's weight decay.
    noise : float or array-like of shape (n_features,), default=0.0
        Standard deviation of the normal noise that training rows get, in standard deviations
        of each feature; an array has one number for each.
    validation_fraction : float, default=0.1
        Share of the rows held out for early stopping, 10,000 at most.
    early_stopping : bool, default=True
        Hold rows out and end with the weights of their lowest loss. Fewer than 20 bulk rows
        are all trained on.
    n_iter_no_change : int, default=10
        Stop after so many evaluations without improvement; a fit makes 20 at most.
    warm_start : bool, default=False
        Start from the last fit's weights and standardisation.
    device : str, default="auto"
        Torch device; "auto" is CUDA where there is one, else the CPU.
    random_state : int, RandomState instance or None, default=None
        Seed; the same seed, rows and number of threads give the same detector, bit for bit.
        None draws a fresh one from the operating system.
    verbose : int, default=0
        1 logs every evaluation, on stderr unless logging is set up.
    nan_policy : {"raise", "omit"}, default="raise"
        "omit" leaves rows with NaN out of training, scores them NaN and predicts 0.

    Attributes
    ----------
    weights_ : dict of str to ndarray
        The network's parameters.
    architecture_ : dict
        Parameters that the network was built with.
    seed_ : int
        Seed of the fit, also where `random_state` was None.
    offset_ : float
        Threshold on `score_samples`.
    history_ : dict of lists
        ``step``, ``loss`` and ``validation_loss`` (squared standard deviations),
        ``learning_rate`` and ``phase`` at every evaluation.
    n_iter_ : int
        Optimiser steps done.
    n_omitted_ : int
        Training rows left out because of NaN.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where X had string column names.

    See Also
    --------
    RealNVPOutlierDetector : Learns the density of the bulk.

    References
    ----------
    .. [1] Japkowicz, Myers and Gluck, "A novelty detection approach to classification",
       IJCAI 1995.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow import AutoencoderDetector
    >>> t = np.random.RandomState(0).normal(size=300)
    >>> detector = AutoencoderDetector(random_state=0).fit(np.column_stack([t, t]))
    >>> detector.predict([[0.5, 0.5], [2.0, -2.0]])
    array([ 1, -1])
    """

    _parameter_constraints: dict[str, list[Any]] = {
        **TorchDetector._parameter_constraints,
        "latent_features": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    }
    _architecture: tuple[str, ...] = ("hidden_features", "latent_features")

    def __init__(
        self,
        *,
        hidden_features: int = 64,
        latent_features: int | str = "auto",
        contamination: float | str = "auto",
        max_iter: int | str = "auto",
        batch_size: int = 256,
        learning_rate: float = 5e-3,
        weight_decay: float = 1e-2,
        noise: Any = 0.0,
        validation_fraction: float = 0.1,
        early_stopping: bool = True,
        n_iter_no_change: int = 10,
        warm_start: bool = False,
        device: str = "auto",
        random_state: Any = None,
        verbose: int = 0,
        nan_policy: str = "raise",
    ):
        self.hidden_features = hidden_features
        self.latent_features = latent_features
        self.contamination = contamination
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.noise = noise
        self.validation_fraction = validation_fraction
        self.early_stopping = early_stopping
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.verbose = verbose
        self.nan_policy = nan_policy

    def _make_module(
        self, architecture: dict[str, Any], generator: torch.Generator | None
    ) -> _Autoencoder:
        n_features, latent_features = architecture["n_features"], architecture["latent_features"]
        if latent_features == "auto":
            latent_features = min(max(1, n_features // 2), 32)
        return _Autoencoder(n_features, architecture["hidden_features"], latent_features, generator)

    def _make_objective(self) -> Reconstruction:
        return Reconstruction()

    def _score_rows(self, module: _Autoencoder, rows: Tensor) -> Tensor:
        return -module.reconstruction_error(rows)

    def _feature_contributions(self, X: np.ndarray) -> tuple[np.ndarray, float]:
        errors = self._in_chunks(lambda module, rows: module.squared_errors(rows), X)
        return -errors / X.shape[1], 0.0
