"""TransformationDetector: what is unlike the bulk hides how it was turned and shifted."""

from contextlib import nullcontext
from itertools import product
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, pad

from .._devices import without_onednn
from .._sklearn import Interval
from ..detectors import TorchDetector
from ..detectors._images import ImageMixin
from ._encoder import SquareNetwork

#: Quarter turns, and shifts down and right: the classes of the three heads.
TURNS, SHIFTS = range(4), (-1, 0, 1)
N_CLASSES = [len(TURNS), len(SHIFTS), len(SHIFTS)]
#: Networks with fewer channels are trained without oneDNN.
MIN_CHANNELS_OF_ONEDNN = 8


class _Network(SquareNetwork):
    """A residual network with one head for each kind of transformation."""

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        width: int,
        shift: int,
        generator: torch.Generator | None,
    ):
        super().__init__(image_shape, sum(N_CLASSES), width, generator)
        self.shift = shift

    def transformed(self, images: Tensor, turn: int, down: int, right: int) -> Tensor:
        """Images turned by quarters and shifted by `shift` pixels; what comes in is the border."""
        images = torch.rot90(images, turn, dims=(2, 3))
        if not self.shift or (down == right == 0):
            return images
        size, reach = images.shape[2], self.shift
        wide = pad(images, [reach] * 4, mode="replicate")
        top, left = reach * (1 - down), reach * (1 - right)
        return wide[:, :, top : top + size, left : left + size]

    def log_probabilities(self, images: Tensor) -> list[Tensor]:
        """Log-probabilities of the classes of every head."""
        parts = self.encoder(images).split(N_CLASSES, dim=1)
        return [part.log_softmax(dim=1) for part in parts]


class _TransformationLoss:
    """Sum of the cross-entropies of the heads, each image transformed at random."""

    def __init__(self, generator: torch.Generator):
        self.generator = generator

    def state_dict(self) -> dict[str, Tensor]:
        """What a checkpoint keeps."""
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on as a checkpoint was left."""
        self.generator.set_state(state["generator"])

    def __call__(self, module: Any, batch: Any) -> Tensor:
        images = module.images(batch.bulk)
        draws = [torch.randint(n, (len(images),), generator=self.generator) for n in N_CLASSES]
        if not module.shift:
            draws[1:] = [torch.ones_like(draw) for draw in draws[1:]]
        out = torch.empty_like(images)
        for turn, i, j in set(zip(*(draw.tolist() for draw in draws), strict=True)):
            chosen = (draws[0] == turn) & (draws[1] == i) & (draws[2] == j)
            chosen = chosen.to(images.device)
            out[chosen] = module.transformed(images[chosen], turn, SHIFTS[i], SHIFTS[j])
        parts = module.encoder(out).split(N_CLASSES, dim=1)
        n_heads = len(N_CLASSES) if module.shift else 1
        pairs = list(zip(parts, draws, strict=True))[:n_heads]
        return torch.stack([cross_entropy(p, d.to(p.device)) for p, d in pairs]).sum()


class TransformationDetector(ImageMixin, TorchDetector):
    """Detect images whose rotation and shift a network cannot tell.

    A network learns, from the bulk alone, by how many quarters an image was turned and whether it
    was shifted up or down, left or right [1]_. What it has not seen, it cannot put upright. The
    score is the mean log-probability of what was done, over all 36 transformations. The "Rot+Trans"
    of the tables of Schmier et al. [2]_; for images that have an upright.

    Parameters
    ----------
    image_shape : tuple of two or three ints, or None, default=None
        (height, width) or (height, width, channels) of the images in the rows of X. None is the
        shape of X; for a table, that of square images with one or three channels, else one line.
        Images that are not square are stretched.
    shift : float in [0, 0.5], default=0.15
        Size of the shifts, in parts of the larger side; 0 for rotations alone.
    hidden_features : int, default=16
        Channels of the first of three stages of the network.
    contamination : "auto" or float in (0, 0.5], default="auto"
        Share of the bulk below the threshold: of the training rows for a float; for "auto", 5 %
        of held-out rows (those of early stopping, else of a second fit on the other rows).
    max_iter : "auto" or int, default="auto"
        Optimiser steps; "auto" is ``10 * sqrt(n)`` for n training rows, at least 100 and at
        most 3,000.
    batch_size, learning_rate, weight_decay, noise, validation_fraction, early_stopping, \
n_iter_no_change, warm_start, checkpoint, mixed_precision, device, random_state, verbose, \
nan_policy
        As of `AutoencoderDetector`.

    Attributes
    ----------
    image_shape_ : tuple of three ints
        Height, width and channels.
    weights_, architecture_, seed_, offset_, history_, n_iter_, n_omitted_, n_features_in_
        As of `RealNVPOutlierDetector`.

    References
    ----------
    .. [1] Hendrycks et al., "Using Self-Supervised Learning Can Improve Model Robustness and
       Uncertainty", NeurIPS 2019, arXiv:1906.12340, section 4.
    .. [2] Schmier, Köthe and Straehle, "Anomaly Detection using Contrastive Normalizing
       Flows", arXiv:2208.14024, table 1.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skflow.images import TransformationDetector
    >>> digits = load_digits()
    >>> fours = digits.images[digits.target == 4]
    >>> detector = TransformationDetector(max_iter=100, random_state=0).fit(fours[:100])
    >>> detector.score_samples(fours[100:103]).shape
    (3,)
    """

    _parameter_constraints: dict[str, list[Any]] = {
        **TorchDetector._parameter_constraints,
        "image_shape": [None, tuple, list],
        "shift": [Interval(Real, 0, 0.5, closed="both")],
        "hidden_features": [Interval(Integral, 1, None, closed="left")],
    }
    _architecture: tuple[str, ...] = ("hidden_features",)

    def __init__(
        self,
        *,
        image_shape: Any = None,
        shift: float = 0.15,
        hidden_features: int = 16,
        contamination: float | str = "auto",
        max_iter: int | str = "auto",
        batch_size: int = 64,
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
        self.shift = shift
        self.hidden_features = hidden_features
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

    def _resolved_architecture(self, X: Any) -> dict[str, Any]:
        pixels = round(self.shift * max(self.image_shape_[:2]))
        named = super()._resolved_architecture(X)
        return {**named, "image_shape": self.image_shape_, "shift": pixels}

    def _make_module(
        self, architecture: dict[str, Any], generator: torch.Generator | None
    ) -> _Network:
        return _Network(
            architecture["image_shape"],
            architecture["hidden_features"],
            architecture["shift"],
            generator,
        )

    def _make_objective(self) -> _TransformationLoss:
        return _TransformationLoss(torch.Generator().manual_seed(self.seed_))

    def _train(self, *args: Any) -> None:
        # oneDNN's backward pass of convolutions with four channels corrupts memory on some AMD
        # CPUs (torch 2.13.0).
        narrow = self.hidden_features < MIN_CHANNELS_OF_ONEDNN
        with without_onednn() if narrow else nullcontext():
            super()._train(*args)

    def _score_rows(self, module: _Network, rows: Tensor) -> Tensor:
        images = module.images(rows)
        shifts = range(len(SHIFTS)) if module.shift else [SHIFTS.index(0)]
        total, n_heads = rows.new_zeros(len(rows)), len(N_CLASSES) if module.shift else 1
        for turn, i, j in product(TURNS, shifts, shifts):
            views = module.transformed(images, turn, SHIFTS[i], SHIFTS[j])
            heads = module.log_probabilities(views)
            for head, true in list(zip(heads, (turn, i, j), strict=True))[:n_heads]:
                total = total + head[:, true]
        return total / (len(TURNS) * len(shifts) ** 2 * n_heads)
