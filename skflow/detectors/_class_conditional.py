"""ClassConditionalFlowDetector: one flow of two classes, and the ratio of their densities."""

from numbers import Real
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from .._sklearn import Interval, fit_context
from ..objectives import ClassConditional, as_other_class
from ._contrast import ContrastRows
from ._flow import FlowMixin
from ._torch import TorchDetector
from ._validation import check_rows, resolve_noise, unchanged_on_error


class ClassConditionalFlowDetector(FlowMixin, TorchDetector):
    """Detect rare events by the ratio of two densities that one flow has learned.

    A flow with the class as its condition: bulk and rare rows share its weights, so that a few
    rare rows do for what two separate flows need thousands. The score is the log-ratio
    ``log p(x | bulk) - log p(x | rare)``, and both densities can be had (`log_densities`) and
    drawn from (`sample`). Rare rows are those with y = -1, those of `X_contrast`, or both, which
    then count alike. Without any, the score is the log-density of the bulk.

    Far from all training rows a ratio of densities may have any value: it tells the known rare
    events from the bulk, and is not made to flag the unknown.

    Parameters
    ----------
    discriminative_weight : float, default=1.0
        Weight of a term of the loss by which the ratio tells the classes apart, beside the
        likelihood of each class; 0 makes them densities and nothing else.
    contrast_noise : float or array-like of shape (n_features,), default=0.15
        As `noise`, for the rare rows: a few labelled rows stand for a whole region.
    flow : {"realnvp", "spline"}, registered name or callable, default="realnvp"
        The flow: `skflow.flows.realnvp`, the slower and more expressive `skflow.flows.spline`,
        one named by `skflow.flows.register_flow`, or a callable that makes one from the numbers
        of features and of conditions, of which the class is the last.
    n_blocks : int, default=8
        Number of blocks of a preset flow.
    hidden_features : int, default=64
        Width of the two hidden layers of every coupling network.
    condition : array-like of str, int or bool, default=None
        Columns of X (names, positions or a mask) that are a condition, such as a zenith angle:
        the score is the log-density of the others given these.
    discrete_features : array-like of str, int or bool, default=None
        Columns of X that take few values, evenly spaced, such as counts. In training they get
        uniform noise of one step, and their share in the density is the probability of the value.
    contamination : "auto" or float in (0, 0.5], default="auto"
        Share of the bulk below the threshold: of the training rows for a float; for "auto", 5 %
        of held-out rows (those of early stopping, else of a second fit on the other rows).
    max_iter : "auto" or int, default="auto"
        Optimiser steps; "auto" is ``10 * sqrt(n)`` for n training bulk rows, at least 100 and at
        most 3,000.
    batch_size : int, default=256
        Bulk rows a step, and at most so many rare rows.
    learning_rate : float, default=1e-3
        Largest step size of AdamW's one-cycle schedule.
    weight_decay : float, default=1e-2
        AdamW's weight decay.
    noise : float or array-like of shape (n_features,), default=0.05
        Standard deviation of the normal noise that training rows get, in standard deviations
        of each feature; an array has one number for each.
    validation_fraction : float, default=0.1
        Share of the rows held out for early stopping, 10,000 at most; of the rare rows too, if
        that makes at least five.
    early_stopping : bool, default=True
        Hold rows out and end with the weights of their lowest loss. Fewer than 20 bulk rows are
        all trained on.
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
        The flow "realnvp" trains in its fast form, in float32, all the same: that takes less time.
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
    is_ratio_ : bool
        Whether there were rare rows, so that scores are log-ratios.
    weights_ : dict of str to ndarray
        The flow's parameters.
    architecture_ : dict
        Parameters that the flow was built with.
    seed_ : int
        Seed of the fit, also where `random_state` was None.
    offset_ : float
        Threshold on `score_samples`.
    history_ : dict of lists
        ``step``, ``loss`` and ``validation_loss`` (nats), ``learning_rate`` and ``phase`` at
        every evaluation.
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
    ContrastiveFlowDetector : Flags the unknown as well.
    DensityRatioDetector : The ratio of two separate detectors' densities.

    References
    ----------
    .. [1] Ardizzone, Mackowiak, Rother and Köthe, "Training normalizing flows with the information
       bottleneck for competitive generative classification", NeurIPS 2020, arXiv:2001.06448:
       generative and discriminative terms in the loss of one flow.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow import ClassConditionalFlowDetector
    >>> rng = np.random.RandomState(0)
    >>> bulk, rare = rng.normal(size=(1000, 2)), 2 + 0.3 * rng.normal(size=(50, 2))
    >>> X, y = np.vstack([bulk, rare]), np.repeat([1, -1], [1000, 50])
    >>> detector = ClassConditionalFlowDetector(random_state=0).fit(X, y)
    >>> detector.predict([[2.0, 2.0], [-2.0, -2.0]])
    array([-1,  1])
    >>> detector.sample(100, random_state=0, rare=True).mean(axis=0).round()
    array([2., 2.])
    """

    _parameter_constraints: dict[str, list[Any]] = {
        **TorchDetector._parameter_constraints,
        **FlowMixin._flow_constraints,
        "discriminative_weight": [Interval(Real, 0, None, closed="left")],
        "contrast_noise": [Interval(Real, 0, None, closed="left"), "array-like"],
    }
    # Asked for by default, so that Pipeline(transform_input=["X_contrast"]) just works.
    __metadata_request__fit = {"X_contrast": True}
    _uses_contrast = True
    _n_added = 1

    def __init__(
        self,
        *,
        discriminative_weight: float = 1.0,
        contrast_noise: Any = 0.15,
        flow: Any = "realnvp",
        n_blocks: int = 8,
        hidden_features: int = 64,
        condition: Any = None,
        discrete_features: Any = None,
        contamination: float | str = "auto",
        max_iter: int | str = "auto",
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-2,
        noise: Any = 0.05,
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
        self.discriminative_weight = discriminative_weight
        self.contrast_noise = contrast_noise
        self.flow = flow
        self.n_blocks = n_blocks
        self.hidden_features = hidden_features
        self.condition = condition
        self.discrete_features = discrete_features
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

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, X_contrast: Any = None) -> "ClassConditionalFlowDetector":
        """Learn the densities of the bulk and of the rare events.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, at least two of them bulk.
        y : array-like of shape (n_samples,), default=None
            -1 marks known rare events, +1 the bulk; without any -1 all rows are bulk.
        X_contrast : array-like of shape (n_contrast, n_features), default=None
            Further rows of the rare class.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        ValueError
            If X or X_contrast holds infinity, or NaN with ``nan_policy="raise"``; if X has
            fewer than two bulk rows; if X_contrast is empty or has other columns than X; if y
            mixes -1 with labels other than +1.
        """
        with unchanged_on_error(self):
            self._fit_checked(X, y, X_contrast)
        return self

    # The class is one more column, the last, and a condition of the flow.

    def _fit(
        self, X: np.ndarray, contrast: ContrastRows, seed: int | None = None
    ) -> np.ndarray | None:
        self.is_ratio_ = contrast.n_rows > 0
        rare, auxiliary = (_with_class(rows, 1.0) for rows in contrast.sources)
        held_out = super()._fit(_with_class(X, 0.0), ContrastRows(rare, auxiliary), seed)
        return None if held_out is None else held_out[:, :-1]

    def _resolved_architecture(self, X: np.ndarray) -> dict[str, Any]:
        architecture = super()._resolved_architecture(X)
        return {**architecture, "condition": [*architecture["condition"], X.shape[1] - 1]}

    def _resolved_noise(self, name: str) -> Tensor:
        of_features = resolve_noise(getattr(self, name), self.n_features_in_, name)
        return torch.from_numpy(np.append(of_features, 0.0))

    def _make_objective(self) -> ClassConditional:
        return ClassConditional(self.discriminative_weight)

    def _score_samples(self, X: np.ndarray) -> np.ndarray:
        return super()._score_samples(_with_class(X, 0.0))

    def _score_rows(self, module: Any, rows: Tensor) -> Tensor:
        of_bulk = super()._score_rows(module, rows)
        if not self.is_ratio_:
            return of_bulk
        return of_bulk - super()._score_rows(module, as_other_class(rows))

    def log_densities(self, X: Any) -> np.ndarray:
        """Log-densities of every row as bulk and as a rare event.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to judge.

        Returns
        -------
        log_densities : ndarray of shape (n_samples, 2), float64
            ``log p(x | bulk)`` and ``log p(x | rare)`` in nats. With `discriminative_weight` the
            flow was trained for their difference as well.

        Raises
        ------
        ValueError
            If the detector was fitted without rare rows.
        """
        check_is_fitted(self)
        self._check_has_rare("log_densities")
        X = check_rows(self, X, reset=False)
        return self._on_finite_rows(X, self._both_log_densities, width=2)

    def _both_log_densities(self, X: np.ndarray) -> np.ndarray:
        def both(module: Any, rows: Tensor) -> Tensor:
            kinds = (rows, as_other_class(rows))
            return torch.stack([FlowMixin._score_rows(self, module, k) for k in kinds], dim=1)

        return self._in_chunks(both, _with_class(X, 0.0))

    def _check_has_rare(self, what: str) -> None:
        if not self.is_ratio_:
            raise ValueError(
                f"{what} needs the density of rare events, and there were none in fit: y must "
                "hold -1, or X_contrast be given"
            )

    @property
    def _n_features_out(self) -> int:
        return self.n_features_in_ - len(self.architecture_["condition"]) + 1

    def _latent(self, X: np.ndarray) -> np.ndarray:
        return super()._latent(_with_class(X, 0.0))

    def sample(
        self,
        n_samples: int = 1,
        random_state: int | np.random.RandomState | None = None,
        condition: Any = None,
        *,
        rare: bool = False,
    ) -> np.ndarray:
        """Draw rows from the learned density of the bulk or of the rare events.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows, at least 1.
        random_state : int, RandomState instance or None, default=None
            Seed of the draw.
        condition : array-like of shape (n_conditions,) or (n_samples, n_conditions)
            For a detector with a condition: its values, in the order of that parameter.
        rare : bool, default=False
            Draw rare events.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features), float64
            Whole rows, the condition included; discrete features have values of their lattice.
        """
        check_is_fitted(self)
        if rare:
            self._check_has_rare("sample(rare=True)")
        given = self._checked_condition(condition, n_samples)
        of_class = _given_class(given, n_samples, float(rare))
        return self._sample(n_samples, random_state, of_class)[:, :-1]

    def _inverse(self, Z: np.ndarray, given: Tensor | None) -> np.ndarray:
        return super()._inverse(Z, _given_class(given, len(Z), 0.0))[:, :-1]


def _with_class(X: np.ndarray, value: float) -> np.ndarray:
    """Rows with their class as one more column."""
    return np.column_stack([X, np.full(len(X), value)])


def _given_class(given: Tensor | None, n_rows: int, value: float) -> Tensor:
    """The condition with the class, which is its last column."""
    known = np.empty((n_rows, 0)) if given is None else given.numpy()
    return torch.from_numpy(_with_class(known, value))
