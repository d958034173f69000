"""MoCoTransformer: features of images, learned without labels by momentum contrast."""

import copy
import math
import os
from contextlib import nullcontext
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from .._devices import reproducible, resolve_device
from .._files import write_whole
from .._sklearn import Interval, StrOptions, fit_context
from .._threads import in_joblib_worker, one_thread
from ..detectors._images import as_maps
from ..detectors._progress import shown_progress
from ..detectors._state import as_arrays
from ..detectors._torch import SMALL_STEP, automatic_steps
from ..detectors._validation import unchanged_on_error
from ..objectives import MomentumContrast
from ..training import Batch, Noise, batches, resolve_seed, seeded_torch, train
from ._augment import Augment
from ._encoder import SmallResNet, Standardized, initial_rows
from ._features import ImageFeatures, as_levels, pooled


class MoCoTransformer(ImageFeatures):
    """Learn features of images without labels, by momentum contrast.

    He et al. 2020 [1]_: an encoder learns to tell whether two views of images, shifted, turned,
    stretched, thickened, brightened and noisy, are of the same image. Fitted to an unlabelled
    auxiliary set, its features of other images are what detectors take; with `Normalizer` and a
    little noise behind it, it is the first part of the method of Schmier et al. [2]_.

    Parameters
    ----------
    encoder : "small_resnet" or torch.nn.Module, default="small_resnet"
        What gets images (n, channels, height, width) and returns features (n, k) or maps
        (n, k, h, w), which are averaged. The small residual network is made for two cores.
    image_shape : tuple of two or three ints, or None, default=None
        (height, width) or (height, width, channels) of the images in the rows of X. None is the
        shape of X; for a table, that of square images with one or three channels, else one line.
    n_features : int, default=64
        Features of the small residual network.
    width : int, default=16
        Channels of its first stage.
    resolution : int or None, default=None
        Shrink images to so many pixels a side before anything else: the low-resolution recipe
        of [2]_, for encoders of large images that are to see small ones.
    input_size : int or None, default=None
        Enlarge images to so many pixels a side, after that.
    shift : float in [0, 1], default=0.1
        Largest shift of a view, in parts of the image's height and width.
    rotation : float in [0, 180], default=15.0
        Largest angle by which a view is turned, in degrees.
    zoom : float, default=0.25
        Largest change of a view's size, in parts of it.
    shear : float, default=0.2
        Largest shear of a view and, in parts of it, change of the ratio of its sides.
    morphology : float in [0, 1], default=1.0
        Largest part by which pixels of a view become the brightest or the darkest of their
        neighbours, so that strokes are thicker or thinner.
    intensity : float in [0, 1], default=0.3
        Largest change of a view's contrast, in parts of it, and of its brightness, in standard
        deviations.
    noise : float, default=0.1
        Largest standard deviation of a view's noise, in those of the images.
    queue_size : int, default=4096
        Former keys that a view is told from; at most half as many as there are images.
    momentum : float in [0, 1), default=0.99
        How slowly the keys' encoder follows.
    temperature : float, default=0.2
        Temperature of the similarities.
    weights : path or None, default=None
        A safetensors file, as of `save_weights`, that training starts from (fine-tuning).
    max_iter : "auto" or int, default="auto"
        Optimiser steps; "auto" is ``10 * sqrt(n)`` for n images, at least 100 and at most 3,000.
        With 0 the weights stay as they are.
    batch_size : int, default=128
        Images a step.
    learning_rate : float, default=1e-3
        Largest step size of AdamW's one-cycle schedule.
    weight_decay : float, default=1e-4
        AdamW's weight decay.
    mixed_precision : bool, default=False
        Train the networks in bfloat16 (`torch.autocast`); scores stay exact.
        Faster for convolutions on a GPU.
    warm_start : bool, default=False
        Start from the last fit's weights.
    device : str, default="auto"
        Torch device; "auto" is CUDA where there is one, else the CPU.
    random_state : int, RandomState instance or None, default=None
        Seed; the same seed, images and number of threads give the same features.
    verbose : int, default=0
        1 logs every evaluation, on stderr unless logging is set up.

    Attributes
    ----------
    image_shape_ : tuple of three ints
        Height, width and channels.
    weights_ : dict of str to ndarray
        The encoder's parameters.
    architecture_ : dict
        Parameters that the encoder was built with.
    history_ : dict of lists
        ``step``, ``loss`` and ``learning_rate`` at every evaluation.
    seed_ : int
        Seed of the fit, also where `random_state` was None.
    n_iter_ : int
        Optimiser steps done.
    n_features_in_ : int
        Number of pixels, times channels.

    See Also
    --------
    FrozenFeatures : Features of a network that somebody else has trained.

    References
    ----------
    .. [1] He et al., "Momentum Contrast for Unsupervised Visual Representation Learning",
       CVPR 2020, arXiv:1911.05722.
    .. [2] Schmier, Köthe and Straehle, "Anomaly Detection using Contrastive Normalizing
       Flows", arXiv:2208.14024, section 5 and appendix A.3.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import Normalizer
    >>> from skflow import RealNVPOutlierDetector
    >>> from skflow.images import MoCoTransformer
    >>> auxiliary, bulk = np.random.RandomState(0).normal(size=(2, 150, 12, 12))
    >>> moco = MoCoTransformer(n_features=8, width=8, max_iter=20, random_state=0).fit(auxiliary)
    >>> features = make_pipeline(Normalizer(), RealNVPOutlierDetector(random_state=0))
    >>> features.fit(moco.transform(bulk)).score_samples(moco.transform(bulk)).shape
    (150,)
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "encoder": [StrOptions({"small_resnet"}), nn.Module],
        "image_shape": [None, tuple, list],
        "n_features": [Interval(Integral, 1, None, closed="left")],
        "width": [Interval(Integral, 1, None, closed="left")],
        "resolution": [None, Interval(Integral, 1, None, closed="left")],
        "input_size": [None, Interval(Integral, 1, None, closed="left")],
        "shift": [Interval(Real, 0, 1, closed="both")],
        "rotation": [Interval(Real, 0, 180, closed="both")],
        "zoom": [Interval(Real, 0, None, closed="left")],
        "shear": [Interval(Real, 0, None, closed="left")],
        "morphology": [Interval(Real, 0, 1, closed="both")],
        "intensity": [Interval(Real, 0, 1, closed="both")],
        "noise": [Interval(Real, 0, None, closed="left")],
        "queue_size": [Interval(Integral, 1, None, closed="left")],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "weights": [None, str, os.PathLike],
        "max_iter": [StrOptions({"auto"}), Interval(Integral, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "mixed_precision": ["boolean"],
        "warm_start": ["boolean"],
        "device": [str, torch.device],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        encoder: Any = "small_resnet",
        *,
        image_shape: Any = None,
        n_features: int = 64,
        width: int = 16,
        resolution: int | None = None,
        input_size: int | None = None,
        shift: float = 0.1,
        rotation: float = 15.0,
        zoom: float = 0.25,
        shear: float = 0.2,
        morphology: float = 1.0,
        intensity: float = 0.3,
        noise: float = 0.1,
        queue_size: int = 4096,
        momentum: float = 0.99,
        temperature: float = 0.2,
        weights: Any = None,
        max_iter: int | str = "auto",
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-4,
        mixed_precision: bool = False,
        warm_start: bool = False,
        device: str = "auto",
        random_state: Any = None,
        verbose: int = 0,
    ):
        self.encoder = encoder
        self.image_shape = image_shape
        self.n_features = n_features
        self.width = width
        self.resolution = resolution
        self.input_size = input_size
        self.shift = shift
        self.rotation = rotation
        self.zoom = zoom
        self.shear = shear
        self.morphology = morphology
        self.intensity = intensity
        self.noise = noise
        self.queue_size = queue_size
        self.momentum = momentum
        self.temperature = temperature
        self.weights = weights
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.mixed_precision = mixed_precision
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    history_: dict[str, list[Any]]

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> "MoCoTransformer":
        """Learn the encoder from unlabelled images.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_pixels), (n, h, w) or (n, h, w, c)
            Images, at least two.
        y : None
            Ignored.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If X holds NaN or infinity, or is of another shape than `image_shape`; if `encoder`
            cannot take the images; if the file of `weights` does not fit the encoder.
        """
        with unchanged_on_error(self):
            former = getattr(self, "weights_", None) if self.warm_start else None
            rows = self._checked(X, reset=True, least=2)
            self._train(torch.tensor(rows, dtype=torch.float32), former)
        return self

    def _train(self, rows: Tensor, former: dict[str, np.ndarray] | None) -> None:
        device = resolve_device(self.device)
        self.seed_ = resolve_seed(self.random_state)
        generator = torch.Generator().manual_seed(self.seed_)
        smallest = min(self.image_shape_[:2])
        if self.resolution is not None and self.resolution > smallest:
            raise ValueError(
                f"resolution must be at most the {smallest} pixels of an image's shorter side, "
                f"which it shrinks; got {self.resolution}"
            )
        names = ("n_features", "width", "resolution", "input_size")
        self.architecture_ = {name: getattr(self, name) for name in names}
        module = self._module(generator)
        module.initialize(rows)
        if isinstance(module.encoder, SmallResNet):
            images = as_maps(initial_rows(rows), self.image_shape_)
            module.encoder.initialize(module.images(module.standardized(images)))
        if former is not None:
            _load(
                module,
                {name: torch.tensor(value) for name, value in former.items()},
                "the last fit",
            )
        elif self.weights is not None:
            _load(module, _read(self.weights), f"weights={os.fspath(self.weights)!r}")
        self.n_features_out_ = self._n_features(module, rows)
        module.to(device)
        rows = rows.to(device)
        on_device = torch.Generator(device).manual_seed(
            int(torch.randint(2**62, (), generator=generator))
        )
        augment = Augment(
            self.shift,
            self.rotation,
            self.intensity,
            self.noise,
            on_device,
            zoom=self.zoom,
            shear=self.shear,
            morphology=self.morphology,
        )
        objective = MomentumContrast(
            module,
            lambda images: augment(module.standardized(as_maps(images, self.image_shape_))),
            n_features=self.n_features_out_,
            queue_size=max(min(self.queue_size, len(rows) // 2), 1),
            momentum=self.momentum,
            temperature=self.temperature,
            generator=generator,
        )
        n_steps: Any = self.max_iter
        if self.max_iter == "auto":
            n_steps = automatic_steps(len(rows))
        self.history_, self.n_iter_ = {"step": [], "loss": [], "learning_rate": []}, n_steps
        if n_steps:
            small = self.batch_size * rows.shape[1] < SMALL_STEP
            threads = one_thread if small or in_joblib_worker() else nullcontext
            # A module of the user's may draw from the global generator, as dropout does.
            own = isinstance(self.encoder, nn.Module)
            seeded = seeded_torch(self.seed_) if own else nullcontext()
            with (
                shown_progress(self.verbose),
                torch.enable_grad(),
                threads(),
                seeded,
                reproducible(device),
            ):
                history = train(
                    module,
                    objective,
                    batches(Batch(rows), self.batch_size, (Noise(), Noise()), on_device),
                    max_iter=n_steps,
                    learning_rate=self.learning_rate,
                    weight_decay=self.weight_decay,
                    eval_interval=math.ceil(n_steps / 20),
                    mixed_precision=self.mixed_precision,
                )
            self.history_ = {name: history[name] for name in self.history_}
        self.weights_ = as_arrays(module)

    def _module(self, generator: torch.Generator | None) -> Standardized:
        """The untrained network."""
        encoder, named = self.encoder, self.architecture_
        if isinstance(encoder, nn.Module):
            encoder = _Pooled(copy.deepcopy(encoder))
        else:
            n_channels = self.image_shape_[2]
            encoder = SmallResNet(n_channels, named["n_features"], named["width"], generator)
        return Standardized(encoder, named["resolution"], named["input_size"])

    def _n_features(self, module: Standardized, rows: Tensor) -> int:
        try:
            with torch.no_grad():
                features = module.eval()(as_maps(rows[:2], self.image_shape_))
        except (RuntimeError, AttributeError) as error:
            raise ValueError(
                f"encoder cannot take images of shape {self.image_shape_} (height, width, "
                f"channels): {error}"
            ) from error
        module.train()
        return features.shape[1]

    def _built(self) -> Standardized:
        """The fitted network."""
        module = self._module(torch.Generator().manual_seed(0))
        state = {name: torch.tensor(value) for name, value in self.weights_.items()}
        module.load_state_dict(state)
        return module.to(resolve_device(self.device, scoring=True)).eval()

    def _in_chunks(self, compute: Any, rows: np.ndarray) -> list[Any]:
        # In the precision of the rows, so that an image's features do not depend on the others.
        module = self._built().to(torch.tensor(rows[:0]).dtype)
        with reproducible(module.mean.device):
            return super()._in_chunks(
                lambda images: compute(module, module.standardized(images.to(module.mean))), rows
            )

    def _features(self, module: Standardized, images: Tensor) -> Tensor:  # type: ignore[override]
        return module(images)

    def _maps(self, module: Standardized, images: Tensor) -> list[Tensor]:  # type: ignore[override]
        return module.encoder.maps(module.images(images))  # type: ignore[operator]

    def save_weights(self, path: Any) -> None:
        """Write the encoder's weights to a safetensors file, whole or not at all.

        Parameters
        ----------
        path : path-like
            File that ``weights=`` reads.

        Raises
        ------
        ImportError
            If the package safetensors is not installed.
        """
        from safetensors.numpy import save

        check_is_fitted(self)

        arrays = {name: np.ascontiguousarray(value) for name, value in self.weights_.items()}
        write_whole(Path(path), save(arrays))


class _Pooled(nn.Module):
    """A module whose maps, if it returns such, are averaged."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module

    def maps(self, x: Tensor) -> list[Tensor]:
        return as_levels(self.module(x))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([pooled(maps) for maps in self.maps(x)], dim=1)


def _read(path: Any) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not Path(path).is_file():
        raise ValueError(
            f"weights must be a safetensors file; there is none at {os.fspath(path)!r}"
        )
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"weights must be a safetensors file; {path} is none: {error}") from error


def _load(module: Standardized, state: dict[str, Tensor], what: str) -> None:
    """Take over weights of the encoder, not of the standardisation, which is the images' own."""
    own = module.state_dict()
    state = {name: value for name, value in state.items() if name not in ("mean", "scale")}
    wanted = {name: tuple(v.shape) for name, v in own.items() if name not in ("mean", "scale")}
    given = {name: tuple(value.shape) for name, value in state.items()}
    if given != wanted:
        names = sorted(n for n in given.keys() | wanted.keys() if given.get(n) != wanted.get(n))
        name = names[0]
        raise ValueError(
            f"{what} must hold the encoder's weights; {len(names)} differ, such as {name} of shape "
            f"{given.get(name)} where the encoder has {wanted.get(name)}"
        )
    module.load_state_dict(state, strict=False)
