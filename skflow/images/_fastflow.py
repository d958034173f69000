"""FastFlowDetector: what is unusual in an image, and where, by 2-D flows of feature maps."""

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from sklearn.utils.validation import check_is_fitted
from torch import Tensor
from torch.nn.functional import interpolate

from .._sklearn import HasMethods, Interval, StrOptions, fit_context
from ..detectors import TorchDetector
from ..detectors._contrast import ContrastRows, balanced
from ..detectors._images import ImageMixin, as_maps
from ..detectors._torch import automatic_steps
from ..detectors._two_phase import TwoPhaseMixin
from ..detectors._validation import check_rows, unchanged_on_error
from ..objectives import LocalBulkRare, LocalContrastive, TwoPhase
from ..training import Batch, Noise, resolve_seed
from ._fastflow_network import FastFlow
from ._features import fitted_backbone
from ._pyramid import pyramid
from ._synthetic import PHOTO, check_kinds, make_anomalies

#: Bulk rows that tell what is ordinary at a place.
MAX_JUDGED = 1000
#: At least so many synthetic anomalies train: few images get several, one at a time.
MIN_PLANTED = 2000
#: But at most so many values of pixels, unless the images themselves have more.
PLANTED_VALUES = 2**22


class FastFlowDetector(ImageMixin, TwoPhaseMixin, TorchDetector):
    """Detect and locate what is improbable in images, by 2-D flows of their feature maps.

    FastFlow [1]_: a normalizing flow whose couplings are convolutions learns the density of the
    maps of a backbone, at every position and several resolutions. Where it is low, something is
    unusual: `anomaly_map` shows where, and the score of an image is its most unusual place.

    By default synthetic anomalies, planted in the training images, are made improbable, there
    where they were planted, as in the self-supervised flow of Chiu and Lai [2]_. Images with
    y = -1 and those of `X_contrast` are contrasted as well, as a whole. FastFlow itself, without
    any of these, is ``objective="likelihood"``.

    Parameters
    ----------
    backbone : "pixels", torch.nn.Module, FrozenFeatures or MoCoTransformer, default="pixels"
        Where the maps come from: the image itself, at up to three resolutions; a module that
        returns one map (n, c, h, w) or a list of maps; or a transformer with feature maps, which
        is fitted to the bulk unless it is a ``FrozenEstimator``.
    image_shape : tuple of two or three ints, or None, default=None
        (height, width) or (height, width, channels) of the images in the rows of X. None is the
        shape of X; for a table, that of square images with one or three channels, else one line.
    objective : {"contrastive", "bulk_rare", "likelihood"}, default="contrastive"
        What is minimised; see `ContrastiveFlowDetector` for the first two.
    anomalies : sequence of str or None, default=("cut_paste", "texture", "noise", "erased")
        Kinds of synthetic anomalies, as for `make_anomalies`; None for none.
    faintest : float in (0, 1], default=1.0
        Share of their strength down to which they are planted, as for `make_anomalies`. About 0.25
        finds fainter defects of structured images; of images of noise alone it blurs the maps, as
        noise blended with noise is smooth.
    contrast_weight : float, default=1.0
        Weight c of the anomalies.
    clamp_margin : float, default=3.0
        How far the clamp lies above the bulk's median negative log-density, in nats a channel.
    warm_up : float in [0, 1), default=0.5
        Share of the optimiser steps that train on the likelihood alone.
    smoothing : float, default=1.0
        Standard deviation of the Gaussian that smooths anomaly maps, in pixels.
    pooling : {"max", "mean"}, default="max"
        What of the map is the score of an image: its largest value, for small anomalies, or the
        mean, for images that are unusual as a whole.
    n_blocks : int, default=8
        Couplings of every flow, with 3x3 and 1x1 convolutions in turn.
    hidden_features : int, default=32
        Channels of the hidden layer of the couplings' networks.
    contamination : "auto" or float in (0, 0.5], default="auto"
        Share of the bulk below the threshold: of the training rows for a float; for "auto", 5 %
        of held-out rows (those of early stopping, else of a second fit on the other rows).
    max_iter : "auto" or int, default="auto"
        Optimiser steps; "auto" is ``30 * sqrt(n)`` for n training images, at least 100 and at
        most 3,000.
    batch_size : int, default=64
        Images a step.
    learning_rate : float, default=5e-3
        Largest step size of AdamW's one-cycle schedule.
    weight_decay : float, default=1e-2
        AdamW's weight decay.
    noise : float, default=0.05
        Standard deviation of the normal noise that training maps get, in standard deviations of
        all values of a level.
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
        Train the networks in bfloat16 (`torch.autocast`); densities, losses and scores stay exact.
        Faster on a GPU only.
    device : str, default="auto"
        Torch device; "auto" is CUDA where there is one, else the CPU.
    random_state : int, RandomState instance or None, default=None
        Seed; the same seed, rows and number of threads give the same detector, bit for bit.
        None draws a fresh one from the operating system.
    verbose : int, default=0
        1 logs every evaluation, on stderr unless logging is set up.
    nan_policy : {"raise", "omit"}, default="raise"
        "omit" leaves images with NaN out of training, scores them NaN and predicts 0.

    Attributes
    ----------
    image_shape_ : tuple of three ints
        Height, width and channels.
    backbone_ : object or None
        The fitted backbone; None for "pixels".
    clamp_ : float
        The clamp, in nats a channel.
    weights_, architecture_, seed_, offset_, history_, n_iter_, n_omitted_, n_features_in_
        As of `RealNVPOutlierDetector`.

    Notes
    -----
    The log-densities are those of feature maps, not of images, so that there is no `score`.

    References
    ----------
    .. [1] Yu et al., "FastFlow: Unsupervised Anomaly Detection and Localization via 2D Normalizing
       Flows", arXiv:2111.07677.
    .. [2] Chiu and Lai, "Self-Supervised Normalizing Flows for Image Anomaly Detection and
       Localization", CVPR workshops 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.images import FastFlowDetector
    >>> X = np.random.RandomState(0).normal(size=(200, 12, 12))
    >>> detector = FastFlowDetector(max_iter=100, random_state=0).fit(X[:199])
    >>> X[199, 2:5, 7:10] += 4
    >>> detector.predict(X[199:])
    array([-1])
    >>> anomaly_map = detector.anomaly_map(X[199:])[0]
    >>> bool(anomaly_map[2:5, 7:10].min() > anomaly_map[6:].max())
    True
    """

    _parameter_constraints: dict[str, list[Any]] = {
        **TorchDetector._parameter_constraints,
        "backbone": [StrOptions({"pixels"}), torch.nn.Module, HasMethods(["feature_maps"])],
        "image_shape": [None, tuple, list],
        "objective": [StrOptions({"likelihood", "contrastive", "bulk_rare"})],
        "anomalies": [None, "array-like", tuple],
        "faintest": [Interval(Real, 0, 1, closed="right")],
        "contrast_weight": [Interval(Real, 0, None, closed="neither")],
        "clamp_margin": [Interval(Real, 0, None, closed="neither")],
        "warm_up": [Interval(Real, 0, 1, closed="left")],
        "smoothing": [Interval(Real, 0, None, closed="left")],
        "pooling": [StrOptions({"max", "mean"})],
        "n_blocks": [Interval(Integral, 1, None, closed="left")],
        "noise": [Interval(Real, 0, None, closed="left")],
    }
    _architecture: tuple[str, ...] = ("n_blocks", "hidden_features")
    _chunk_pixels = 2**17
    # Asked for by default, so that Pipeline(transform_input=["X_contrast"]) just works.
    __metadata_request__fit = {"X_contrast": True}

    def __init__(
        self,
        *,
        backbone: Any = "pixels",
        image_shape: Any = None,
        objective: str = "contrastive",
        anomalies: Sequence[str] | None = tuple(PHOTO),
        faintest: float = 1.0,
        contrast_weight: float = 1.0,
        clamp_margin: float = 3.0,
        warm_up: float = 0.5,
        smoothing: float = 1.0,
        pooling: str = "max",
        n_blocks: int = 8,
        hidden_features: int = 32,
        contamination: float | str = "auto",
        max_iter: int | str = "auto",
        batch_size: int = 64,
        learning_rate: float = 5e-3,
        weight_decay: float = 1e-2,
        noise: float = 0.05,
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
        self.backbone = backbone
        self.image_shape = image_shape
        self.objective = objective
        self.anomalies = anomalies
        self.faintest = faintest
        self.contrast_weight = contrast_weight
        self.clamp_margin = clamp_margin
        self.warm_up = warm_up
        self.smoothing = smoothing
        self.pooling = pooling
        self.n_blocks = n_blocks
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

    @property
    def _uses_contrast(self) -> bool:  # type: ignore[override]
        return self.objective != "likelihood"

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, X_contrast: Any = None) -> "FastFlowDetector":
        """Learn the bulk.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_pixels), (n, h, w) or (n, h, w, c)
            Training images, at least two of them bulk.
        y : array-like of shape (n_samples,), default=None
            -1 marks known anomalies, +1 the bulk; without any -1 all images are bulk. Known
            anomalies are left out of training with ``objective="likelihood"``.
        X_contrast : array-like, default=None
            Auxiliary images, contrasted with the bulk like those with y = -1. All of these count
            as much as all synthetic anomalies.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        ValueError
            If X holds infinity, or NaN with ``nan_policy="raise"``; if X has fewer than two bulk
            images or another shape than `image_shape`; if X_contrast is of another shape; if y
            mixes -1 with labels other than +1.
        """
        with unchanged_on_error(self):
            self._fit_checked(X, y, X_contrast)
        return self

    def _fit(
        self, X: np.ndarray, contrast: ContrastRows, seed: int | None = None
    ) -> np.ndarray | None:
        if self.anomalies is not None:
            check_kinds(self.anomalies, "anomalies")
        seed = resolve_seed(self.random_state) if seed is None else seed
        goes_on = self.warm_start and hasattr(self, "weights_")
        if isinstance(self.backbone, str):
            self.backbone_ = None
        elif not goes_on:
            self.backbone_ = fitted_backbone(self.backbone, X, self.image_shape_, seed)
        self.map_shapes_ = [maps.shape[1:] for maps in self._feature_maps(X[:1])]
        return super()._fit(X, contrast, seed)

    def _split(
        self, X: np.ndarray, contrast: ContrastRows, generator: torch.Generator, tags: Any = None
    ) -> tuple[Batch, Batch | None]:
        """Split images, and plant anomalies in copies of those that train and those that judge."""
        rows, held_out = super()._split(X, contrast, generator, tags)
        if held_out is not None:
            held_out = self._with_planted(held_out, MIN_PLANTED // 10, generator)
        return self._with_planted(rows, MIN_PLANTED, generator), held_out

    def _with_planted(self, images: Batch, n_least: int, generator: torch.Generator) -> Batch:
        """Feature maps in rows, and masks behind them, of a part of the images."""
        bulk = images.bulk.numpy()
        sources = [] if images.contrast is None else [self._rows(images.contrast.numpy())]
        if self._uses_contrast and self.anomalies is not None:
            n_most = max(PLANTED_VALUES // bulk.shape[1], len(bulk))
            n_planted = min(max(n_least, len(bulk)), n_most)
            planted, masks = make_anomalies(
                np.resize(bulk, (n_planted, bulk.shape[1])),
                kinds=self.anomalies,
                faintest=self.faintest,
                image_shape=self.image_shape_,
                random_state=int(torch.randint(2**31, (), generator=generator)),
            )
            seen = masks.any(axis=(1, 2))
            if seen.any():
                sources.append(self._rows(planted[seen], masks[seen]))
        return Batch.of(self._rows(bulk), balanced(sources) if sources else None)

    def _train(self, module: Any, rows: Batch, *args: Any) -> None:
        super()._train(module, rows, *args)
        # What is ordinary at a place, so that all places and levels can be compared: by images
        # that trained, because the others set the threshold as if they were new.
        with torch.no_grad():
            judged = rows.bulk[:MAX_JUDGED].split(self._rows_at_once(rows.bulk.device))
            chunks = [module.log_prob_maps(chunk) for chunk in judged]
        levels = [-torch.cat(level).cpu().numpy() for level in zip(*chunks, strict=True)]
        self.map_center_ = [maps.mean(axis=0) for maps in levels]
        self.map_scale_ = [maps.std() + 1e-9 for maps in levels]

    def _snapshot(self, module: Any) -> dict[str, Any]:
        return {
            **(super()._snapshot(module) or {}),
            "image_shape_": self.image_shape_,
            "backbone_": self.backbone_,
            "map_shapes_": self.map_shapes_,
            "map_center_": [np.zeros(shape[1:]) for shape in self.map_shapes_],
            "map_scale_": [1.0] * len(self.map_shapes_),
        }

    def _initialize(self, module: Any, rows: Tensor, generator: torch.Generator) -> None:
        module.initialize(rows[:, : module.n_maps])

    def _resolved_architecture(self, X: np.ndarray) -> dict[str, Any]:
        return {
            **super()._resolved_architecture(X),
            "map_shapes": self.map_shapes_,
            "mask_shape": self.image_shape_[:2],
        }

    def _make_module(
        self, architecture: dict[str, Any], generator: torch.Generator | None
    ) -> FastFlow:
        return FastFlow(
            architecture["map_shapes"],
            architecture["n_blocks"],
            architecture["hidden_features"],
            architecture["mask_shape"],
            generator,
        )

    def _make_objective(self) -> TwoPhase:
        loss = LocalBulkRare if self.objective == "bulk_rare" else LocalContrastive
        return loss(self.contrast_weight, self.clamp_margin)

    def _noise(self, module: FastFlow, name: str) -> Noise:
        scale = module.standardize.scale
        if not self.noise:
            return Noise()
        return Noise(torch.cat([self.noise * scale, scale.new_zeros(math.prod(module.mask_shape))]))

    def _resolved_max_iter(self, n_samples: int) -> int:
        if self.max_iter != "auto":
            return super()._resolved_max_iter(n_samples)
        return automatic_steps(n_samples, 30)

    def _feature_maps(self, X: np.ndarray) -> list[np.ndarray]:
        """Maps (n, c, h, w) of images (n, h * w * c), level by level."""
        if self.backbone_ is not None:
            return self.backbone_.feature_maps(X)
        images = as_maps(torch.tensor(X), self.image_shape_)
        return [maps.numpy() for maps in pyramid(images)]

    def _map_rows(self, X: np.ndarray) -> np.ndarray:
        """Feature maps in rows: all levels one after another."""
        levels = [maps.reshape(len(X), -1) for maps in self._feature_maps(X)]
        return np.concatenate(levels, axis=1, dtype=np.float64)

    def _rows(self, X: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """Feature maps and a mask, by default of the whole image, in rows."""
        n_mask = math.prod(self.image_shape_[:2])
        if mask is None:
            mask = np.ones((len(X), n_mask))
        chunks = [self._map_rows(x) for x in self._image_chunks(X)]
        return np.concatenate([np.concatenate(chunks), mask.reshape(len(X), n_mask)], axis=1)

    def _score_rows(self, module: FastFlow, rows: Tensor) -> Tensor:
        """Log-densities of a channel at all positions of all levels, (n, n_positions)."""
        return module.log_prob(rows)

    def _levels(self, rows: np.ndarray) -> list[np.ndarray]:
        """Negative log-densities of a channel (n, h, w), in nats, level by level."""
        sizes = [shape[1:] for shape in self.map_shapes_]
        flat = -self._in_chunks(self._score_rows, rows)
        parts = np.split(flat, np.cumsum([math.prod(size) for size in sizes])[:-1], axis=1)
        return [part.reshape(-1, *size) for part, size in zip(parts, sizes, strict=True)]

    def _maps_of_rows(self, rows: np.ndarray) -> np.ndarray:
        """Anomaly maps (n, h, w) of rows of feature maps."""
        total = np.zeros((len(rows), *self.image_shape_[:2]))
        for maps, center, scale in zip(
            self._levels(rows), self.map_center_, self.map_scale_, strict=True
        ):
            excess = torch.from_numpy((maps - center) / scale)[:, None]
            total += interpolate(excess, total.shape[1:], mode="bilinear")[:, 0].numpy()
        total /= len(self.map_scale_)
        return gaussian_filter(total, self.smoothing, axes=(1, 2)) if self.smoothing else total

    def _score_map_rows(self, rows: np.ndarray) -> np.ndarray:
        maps = self._maps_of_rows(rows)
        return -(maps.max(axis=(1, 2)) if self.pooling == "max" else maps.mean(axis=(1, 2)))

    def _held_out_scores(self, held_out: np.ndarray) -> np.ndarray:
        return self._score_map_rows(held_out[:, : sum(map(math.prod, self.map_shapes_))])

    def _image_chunks(self, X: np.ndarray) -> list[np.ndarray]:
        n_rows = 8 * self._chunk_rows
        return [X[start : start + n_rows] for start in range(0, len(X), n_rows)]

    def _score_samples(self, X: np.ndarray) -> np.ndarray:
        return np.concatenate(
            [self._score_map_rows(self._map_rows(x)) for x in self._image_chunks(X)]
        )

    def anomaly_map(self, X: Any) -> np.ndarray:
        """Where images are unusual.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_pixels), (n, h, w) or (n, h, w, c)
            Images.

        Returns
        -------
        maps : ndarray of shape (n_samples, h, w), float64
            Higher is more unusual: negative log-densities a channel above what held-out bulk has
            there, in standard deviations of the bulk, averaged over the resolutions. NaN for images
            with NaN under ``nan_policy="omit"``.
        """
        check_is_fitted(self)
        X = check_rows(self, X, reset=False)
        height, width, _ = self.image_shape_

        def flat(X: np.ndarray) -> np.ndarray:
            parts = [self._maps_of_rows(self._map_rows(x)) for x in self._image_chunks(X)]
            return np.concatenate(parts).reshape(len(X), -1)

        return self._on_finite_rows(X, flat, width=height * width).reshape(-1, height, width)
