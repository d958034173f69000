"""AutoencoderDetector: one-class detection by what an autoencoder cannot reconstruct."""

from numbers import Integral
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .._sklearn import Interval, StrOptions
from ..objectives import Reconstruction
from ._autoencoder_networks import Autoencoder, ConvAutoencoder, DenseAutoencoder
from ._images import ImageMixin
from ._partial_fit import PartialFitMixin
from ._torch import CHUNK_ROWS, MAX_HELD_OUT, TorchDetector


class AutoencoderDetector(ImageMixin, PartialFitMixin, TorchDetector):
    """Detect what an autoencoder trained on the bulk reconstructs badly.

    A network squeezes every standardised row through a narrow layer and back; the score
    is minus the mean squared difference. The classic deep baseline for the flows: it has no
    density, so it has no `score` method.

    Parameters
    ----------
    architecture : {"dense", "conv"}, default="dense"
        Hidden layers that are dense, or convolutions of images. The second standardises all
        pixels alike, and takes X of shape (n, h, w) and (n, h, w, c), too.
    image_shape : tuple of two or three ints, or None, default=None
        For "conv": (height, width) or (height, width, channels) of the images in the rows of X.
        None is the shape of X; for a table, that of square images with one or three channels, else
        one line.
    hidden_features : int, default=64
        Width of the hidden layer of encoder and decoder; channels of the smallest maps.
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
    checkpoint : path-like or None, default=None
        Folder where training keeps its state, 20 times a phase, in a file for every fit with other
        parameters or rows. The same fit after an interruption goes on from it and ends in the same
        bits; a fit that has ended is only read. Needs a `random_state`.
    mixed_precision : bool, default=False
        Train the networks in bfloat16 (`torch.autocast`); scores stay exact.
        Faster for convolutions on a GPU.
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
    image_shape_ : tuple of three ints
        For "conv": height, width and channels.
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
        "architecture": [StrOptions({"dense", "conv"})],
        "image_shape": [None, tuple, list],
        "latent_features": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    }
    _architecture: tuple[str, ...] = ("hidden_features", "latent_features")

    def __init__(
        self,
        *,
        architecture: str = "dense",
        image_shape: Any = None,
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
        checkpoint: Any = None,
        mixed_precision: bool = False,
        device: str = "auto",
        random_state: Any = None,
        verbose: int = 0,
        nan_policy: str = "raise",
    ):
        self.architecture = architecture
        self.image_shape = image_shape
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
        self.checkpoint = checkpoint
        self.mixed_precision = mixed_precision
        self.device = device
        self.random_state = random_state
        self.verbose = verbose
        self.nan_policy = nan_policy

    def _as_table(self, X: Any, reset: bool) -> Any:
        return super()._as_table(X, reset) if self.architecture == "conv" else X

    def _resolved_architecture(self, X: np.ndarray) -> dict[str, Any]:
        architecture = super()._resolved_architecture(X)
        if self.architecture == "conv":
            architecture["image_shape"] = self.image_shape_
        return architecture

    def _make_module(
        self, architecture: dict[str, Any], generator: torch.Generator | None
    ) -> Autoencoder:
        n_features, latent = architecture["n_features"], architecture["latent_features"]
        if latent == "auto":
            latent = min(max(1, n_features // 2), 32)
        hidden = architecture["hidden_features"]
        if "image_shape" in architecture:
            return ConvAutoencoder(architecture["image_shape"], hidden, latent, generator)
        return DenseAutoencoder(n_features, hidden, latent, generator)

    @property
    def _chunk_rows(self) -> int:
        return super()._chunk_rows if self.architecture == "conv" else CHUNK_ROWS

    @property
    def _max_held_out(self) -> int:  # type: ignore[override]
        return super()._max_held_out if self.architecture == "conv" else MAX_HELD_OUT

    def _is_small(self) -> bool:
        kind = ImageMixin if self.architecture == "conv" else TorchDetector
        return kind._is_small(self)

    def _make_objective(self) -> Reconstruction:
        return Reconstruction()

    def _score_rows(self, module: Autoencoder, rows: Tensor) -> Tensor:
        return -module.reconstruction_error(rows)

    def _feature_contributions(self, X: np.ndarray) -> tuple[np.ndarray, float]:
        errors = self._in_chunks(lambda module, rows: module.squared_errors(rows), X)
        return -errors / X.shape[1], 0.0
