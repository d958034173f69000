"""ContrastiveFlowDetector: rare events found with labelled examples or an auxiliary sample."""

import warnings
from numbers import Real
from typing import Any

import torch

from .._sklearn import Interval, fit_context
from ..objectives import Contrastive
from ..training import Batch, batches
from ._flow import FlowMixin
from ._negatives import permuted_subsets
from ._torch import CHUNK_ROWS, TorchDetector
from ._validation import unchanged_on_error


class ContrastiveFlowDetector(FlowMixin, TorchDetector):
    """Detect rare events with a flow that likes the bulk and dislikes a contrast sample.

    The contrastive normalizing flow of Schmier et al. [1]_: after a likelihood warm-up, a short
    contrast phase lowers the density of the contrast rows, down to a clamp. Contrast rows are
    those with y = -1 (known rare events), those of `X_contrast` (an auxiliary sample), or both;
    with neither, bulk rows with permuted feature subsets.

    Its score ranks rows and is no longer the density of the bulk, so it has no `score` method:
    pass ``scoring=`` to searches.

    Parameters
    ----------
    contrast_weight : float, default=3.0
        Weight c of the contrast rows in the loss.
    clamp_margin : float, default=30.0
        How far the clamp t lies above the median negative log-density of the bulk after the
        warm-up, in nats.
    contrast_noise : float or array-like of shape (n_features,), default=0.15
        As `noise`, for the contrast rows: a few labelled rows stand for a whole region.
    flow : {"realnvp", "spline"}, registered name or callable, default="realnvp"
        The flow: `skflow.flows.realnvp`, the slower and more expressive `skflow.flows.spline`,
        one named by `skflow.flows.register_flow`, or a callable that makes one from the number of
        features (with a condition: of features and of conditions), another library's included.
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
        Optimiser steps, half of them (rounded up) for the warm-up; "auto" is ``10 * sqrt(n)``
        for n training bulk rows, at least 100 and at most 3,000. A long contrast phase ruins
        the ranking.
    batch_size : int, default=256
        Bulk rows a step, and at most so many contrast rows.
    learning_rate : float, default=1e-3
        Largest step size of AdamW's one-cycle schedule, one cycle a phase.
    weight_decay : float, default=1e-2
        AdamW's weight decay.
    noise : float or array-like of shape (n_features,), default=0.05
        Standard deviation of the normal noise that training rows get, in standard deviations
        of each feature; an array has one number for each.
    validation_fraction : float, default=0.1
        Share of the rows held out for early stopping, 10,000 at most; of the contrast rows
        too, if that makes at least five.
    early_stopping : bool, default=True
        Hold rows out and end each phase with the weights of their lowest loss. Fewer than 20
        bulk rows are all trained on.
    n_iter_no_change : int, default=10
        Stop a phase after so many evaluations without improvement; each makes 20 at
        most.
    warm_start : bool, default=False
        Start both phases from the last fit's weights and standardisation.
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
    clamp_ : float
        The clamp t, in nats.
    weights_ : dict of str to ndarray
        The flow's parameters.
    architecture_ : dict
        Parameters that the flow was built with.
    seed_ : int
        Seed of the fit, also where `random_state` was None.
    offset_ : float
        Threshold on `score_samples`.
    history_ : dict of lists
        ``step``, ``loss`` and ``validation_loss`` (nats), ``learning_rate`` and ``phase``
        ("warm-up", "contrast") at every evaluation.
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
    RealNVPOutlierDetector : The flow without contrast, for anomalies of unknown kind.

    Notes
    -----
    In a search, give auxiliary rows as rows of X with y = -1 and, in `PredefinedSplit`, fold
    -1, so that they always train: scikit-learn slices an `X_contrast` that happens to have the
    length of X.

    References
    ----------
    .. [1] Schmier, Köthe and Straehle, "Anomaly Detection using Contrastive Normalizing
       Flows", arXiv:2208.14024.

    Examples
    --------
    Rare events that are not improbable: they lie within the bulk.

    >>> import numpy as np
    >>> from skflow import ContrastiveFlowDetector
    >>> rng = np.random.RandomState(0)
    >>> bulk, rare = rng.normal(size=(1000, 2)), 1.5 + 0.3 * rng.normal(size=(50, 2))
    >>> X, y = np.vstack([bulk, rare]), np.repeat([1, -1], [1000, 50])
    >>> detector = ContrastiveFlowDetector(random_state=0).fit(X, y)
    >>> detector.predict([[1.5, 1.5], [-1.5, -1.5]])
    array([-1,  1])
    """

    _parameter_constraints: dict[str, list[Any]] = {
        **TorchDetector._parameter_constraints,
        **FlowMixin._flow_constraints,
        "contrast_weight": [Interval(Real, 0, None, closed="neither")],
        "clamp_margin": [Interval(Real, 0, None, closed="neither")],
        "contrast_noise": [Interval(Real, 0, None, closed="left"), "array-like"],
    }
    # Asked for by default, so that Pipeline(transform_input=["X_contrast"]) just works.
    __metadata_request__fit = {"X_contrast": True}
    _n_phases = 2
    _uses_contrast = True

    def __init__(
        self,
        *,
        contrast_weight: float = 3.0,
        clamp_margin: float = 30.0,
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
        device: str = "auto",
        random_state: Any = None,
        verbose: int = 0,
        nan_policy: str = "raise",
    ):
        self.contrast_weight = contrast_weight
        self.clamp_margin = clamp_margin
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
        self.device = device
        self.random_state = random_state
        self.verbose = verbose
        self.nan_policy = nan_policy

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, X_contrast: Any = None) -> "ContrastiveFlowDetector":
        """Learn the bulk and what it is to be told from.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, at least two of them bulk.
        y : array-like of shape (n_samples,), default=None
            -1 marks known rare events, +1 the bulk; without any -1 all rows are bulk.
        X_contrast : array-like of shape (n_contrast, n_features), default=None
            Auxiliary rows, contrasted with the bulk like those with y = -1.

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

    def _make_objective(self) -> Contrastive:
        return Contrastive(self.contrast_weight, self.clamp_margin)

    def _train(
        self,
        module: Any,
        rows: Batch,
        held_out: Batch | None,
        generator: torch.Generator,
        context: Any,
    ) -> None:
        """Warm up on the likelihood, freeze the clamp, then contrast."""
        objective = self._make_objective()
        n_steps = self._resolved_max_iter(len(rows.bulk))
        n_warmup = (n_steps + 1) // 2
        noise = (
            self._noise(module, "noise"),
            self._noise(module, "contrast_noise"),
        )

        def run(rows: Batch, held_out: Batch | None, max_iter: int, phase: str) -> bool:
            stream = batches(rows, self.batch_size, noise, generator)
            return self._run_phase(module, objective, stream, held_out, max_iter, phase, context)

        stopped = run(Batch(rows.bulk), held_out, n_warmup, "warm-up")
        with torch.no_grad():
            log_prob = [module.log_prob(chunk) for chunk in rows.bulk.split(CHUNK_ROWS)]
        objective.freeze(-torch.cat(log_prob))
        self.clamp_ = objective.clamp
        if stopped:
            return
        if rows.contrast is None:
            if rows.bulk.shape[1] == 1:
                warnings.warn(
                    "ContrastiveFlowDetector got one feature and no contrast rows: there is no "
                    "subset of features to permute, so it stays a flow of the bulk",
                    UserWarning,
                    stacklevel=2,
                )
                return
            rows = Batch(rows.bulk, permuted_subsets(rows.bulk, generator))
            if held_out is not None:
                held_out = Batch(held_out.bulk, permuted_subsets(held_out.bulk, generator))
        if held_out is not None and held_out.contrast is None:
            held_out = None
        run(rows, held_out, max(1, n_steps - n_warmup), "contrast")
