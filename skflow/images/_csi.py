"""CSIDetector: what is unlike all training images, by contrast with their turned copies."""

from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .._sklearn import Interval
from ..detectors import TorchDetector
from ..detectors._contrast import ContrastRows
from ..detectors._images import ImageMixin
from ..flows import mlp
from ..objectives import ShiftedInstances
from ._augment import Augment
from ._encoder import SquareNetwork

#: The shifting transformations: quarter turns.
N_TURNS = 4


class _Network(SquareNetwork):
    """A residual network with features on which images are compared, and a head for the turn."""

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        width: int,
        latent_features: int,
        generator: torch.Generator | None,
    ):
        super().__init__(image_shape, latent_features, width, generator)
        self.head = mlp([self.encoder.n_averages, N_TURNS], generator)

    def turned(self, images: Tensor) -> Tensor:
        """All quarter turns of images, one turn after another."""
        return torch.cat([torch.rot90(images, turn, dims=(2, 3)) for turn in range(N_TURNS)])

    def turns_of(self, n_images: int) -> Tensor:
        """Which turn each of the images of `turned` has."""
        turns = torch.arange(N_TURNS, device=self.standardize.mean.device)
        return turns.repeat_interleave(n_images)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features (n, k) and logits of the turn (n, 4)."""
        averages = self.encoder.averages(images)
        return self.encoder.projection(averages), self.head(averages)

    def judged(self, x: Tensor) -> Tensor:
        """Features of every turn of rows, and the logit of that turn, (n, 4, k + 1)."""
        features, logits = self(self.turned(self.images(x)))
        own = logits.gather(1, self.turns_of(len(x))[:, None])
        return torch.cat([features, own], dim=1).unflatten(0, (N_TURNS, len(x))).movedim(0, 1)


class CSIDetector(ImageMixin, TorchDetector):
    """Detect what is unlike all training images, by contrasting shifted instances.

    CSI [1]_: an encoder learns to tell the views of an image from those of other images and of its
    own copies that were turned by quarters; and to tell the turn. An image is ordinary if, in all
    its turns, its features are long and near to those of a training image, and its turn is plain.
    For images that have an upright.

    Parameters
    ----------
    image_shape : tuple of two or three ints, or None, default=None
        (height, width) or (height, width, channels) of the images in the rows of X. None is the
        shape of X; for a table, that of square images with one or three channels, else one line.
        Images that are not square are stretched.
    latent_features : int, default=64
        Features on which images are compared.
    hidden_features : int, default=16
        Channels of the first of three stages of the network.
    temperature : float, default=0.5
        Temperature of the similarities.
    shift, rotation, intensity, view_noise : float, default=0.1, 10.0, 0.3 and 0.1
        Limits of the views, as of `MoCoTransformer`.
    contamination : "auto" or float in (0, 0.5], default="auto"
        Share of the bulk below the threshold: of the training rows for a float; for "auto", 5 %
        of held-out rows (those of early stopping, else of a second fit on the other rows).
    max_iter : "auto" or int, default="auto"
        Optimiser steps; "auto" is ``10 * sqrt(n)`` for n training rows, at least 100 and at
        most 3,000.
    batch_size : int, default=32
        Images a step; each has eight views.
    learning_rate, weight_decay, noise, validation_fraction, early_stopping, n_iter_no_change, \
warm_start, checkpoint, mixed_precision, device, random_state, verbose, nan_policy
        As of `AutoencoderDetector`.

    Attributes
    ----------
    image_shape_ : tuple of three ints
        Height, width and channels.
    bank_ : ndarray of shape (n_training, 4, latent_features)
        Features of the training images in every turn, of length 1.
    balance_ : ndarray of shape (4, 2)
        Weights of similarity and turn, by which both count alike on the training images.
    weights_, architecture_, seed_, offset_, history_, n_iter_, n_omitted_, n_features_in_
        As of `RealNVPOutlierDetector`.

    References
    ----------
    .. [1] Tack et al., "CSI: Novelty Detection via Contrastive Learning on Distributionally Shifted
       Instances", NeurIPS 2020, arXiv:2007.08176, eqs. 6-9.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skflow.images import CSIDetector
    >>> digits = load_digits()
    >>> fours = digits.images[digits.target == 4]
    >>> detector = CSIDetector(max_iter=20, hidden_features=8, random_state=0).fit(fours[:100])
    >>> detector.score_samples(fours[100:103]).shape
    (3,)
    """

    _n_views = 2 * N_TURNS

    _parameter_constraints: dict[str, list[Any]] = {
        **TorchDetector._parameter_constraints,
        "image_shape": [None, tuple, list],
        "latent_features": [Interval(Integral, 1, None, closed="left")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "shift": [Interval(Real, 0, 1, closed="both")],
        "rotation": [Interval(Real, 0, 180, closed="both")],
        "intensity": [Interval(Real, 0, 1, closed="both")],
        "view_noise": [Interval(Real, 0, None, closed="left")],
    }
    _architecture: tuple[str, ...] = ("hidden_features", "latent_features")

    def __init__(
        self,
        *,
        image_shape: Any = None,
        latent_features: int = 64,
        hidden_features: int = 16,
        temperature: float = 0.5,
        shift: float = 0.1,
        rotation: float = 10.0,
        intensity: float = 0.3,
        view_noise: float = 0.1,
        contamination: float | str = "auto",
        max_iter: int | str = "auto",
        batch_size: int = 32,
        learning_rate: float = 3e-3,
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
        self.image_shape = image_shape
        self.latent_features = latent_features
        self.hidden_features = hidden_features
        self.temperature = temperature
        self.shift = shift
        self.rotation = rotation
        self.intensity = intensity
        self.view_noise = view_noise
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

    def _fit(
        self, X: np.ndarray, contrast: ContrastRows, seed: int | None = None
    ) -> np.ndarray | None:
        held_out = super()._fit(X, contrast, seed)
        # Held-out images set the threshold as if they were new: they are not in the bank.
        own = X if held_out is None else X[~_rows_in(X, held_out)]
        judged = self._judged(own if len(own) else X)
        lengths = np.linalg.norm(judged[..., :-1], axis=2)
        self.bank_ = judged[..., :-1] / np.maximum(lengths, 1e-12)[..., None]
        means = np.stack([lengths.mean(axis=0), np.abs(judged[..., -1]).mean(axis=0)], axis=1)
        self.balance_ = 1 / np.maximum(means, 1e-12)
        return held_out

    def _snapshot(self, module: Any) -> None:
        return None  # what an image is compared with is known after training

    def _resolved_architecture(self, X: np.ndarray) -> dict[str, Any]:
        return {**super()._resolved_architecture(X), "image_shape": self.image_shape_}

    def _make_module(
        self, architecture: dict[str, Any], generator: torch.Generator | None
    ) -> _Network:
        return _Network(
            architecture["image_shape"],
            architecture["hidden_features"],
            architecture["latent_features"],
            generator,
        )

    def _make_objective(self) -> ShiftedInstances:
        generator = torch.Generator(self._device()).manual_seed(self.seed_)
        limits = self.shift, self.rotation, self.intensity, self.view_noise
        return ShiftedInstances(Augment(*limits, generator), self.temperature)

    def _judged(self, X: np.ndarray) -> np.ndarray:
        """Features of every turn of images, and the logit of that turn, (n, 4, k + 1)."""
        return self._in_chunks(lambda module, rows: module.judged(rows), X)

    def _score_rows(self, module: _Network, rows: Tensor) -> Tensor:
        judged = module.judged(rows)
        bank = torch.tensor(self.bank_, device=rows.device, dtype=judged.dtype)
        balance = torch.tensor(self.balance_, device=rows.device, dtype=judged.dtype)
        features, own = judged[..., :-1], judged[..., -1]
        nearest = torch.einsum("ntk,mtk->ntm", features, bank).amax(dim=2)
        return (nearest * balance[:, 0] + own * balance[:, 1]).sum(dim=1)


def _rows_in(X: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Whether each row of X is equal to one of the others."""
    known = {row.tobytes() for row in others}
    return np.array([row.tobytes() in known for row in X])
