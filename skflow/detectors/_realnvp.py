"""RealNVPOutlierDetector: one-class detection with the density of a RealNVP flow."""

from numbers import Real
from typing import Any

from .._sklearn import Interval
from ..objectives import Likelihood
from ._flow import FlowMixin
from ._partial_fit import PartialFitMixin
from ._torch import TorchDetector


class RealNVPOutlierDetector(FlowMixin, PartialFitMixin, TorchDetector):
    """Detect what is improbable under a normalizing flow of the bulk.

    A flow, by default RealNVP (Dinh et al. 2017 [1]_), learns the density of the bulk by maximum
    likelihood from rows that need no scaling; rows of low density are outliers. For anomalies of
    unknown kind. Where labelled examples of a known rare kind exist, `ContrastiveFlowDetector`
    uses them: what is rare need not be improbable.

    Parameters
    ----------
    flow : {"realnvp", "spline"}, registered name or callable, default="realnvp"
        The flow: `skflow.flows.realnvp`, the slower and more expressive `skflow.flows.spline`,
        one named by `skflow.flows.register_flow`, or a callable that makes one from the number of
        features (with a condition: of features and of conditions), another library's included.
    n_blocks : int, default=8
        Number of blocks of a preset flow.
    hidden_features : int, default=128
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
        Optimiser steps; "auto" is ``10 * sqrt(n)`` for n training rows, at least 100 and at
        most 3,000.
    batch_size : int, default=256
        Rows a step.
    learning_rate : float, default=5e-3
        Largest step size of AdamW's one-cycle schedule.
    weight_decay : float, default=0.1
        AdamW's weight decay.
    noise : float or array-like of shape (n_features,), default=0.03
        Standard deviation of the normal noise that training rows get, in standard deviations
        of each feature; an array has one number for each. Without noise, constant or discrete
        features have no density.
    trim : float in [0, 0.5), default=0.0
        Share of every batch, that of the lowest density, which does not teach the flow: for
        training rows with unlabelled anomalies among them. A little more than their share is a
        good choice; on clean rows it costs a little.
    validation_fraction : float, default=0.1
        Share of the rows held out for early stopping, 10,000 at most.
    early_stopping : bool, default=True
        Hold rows out and end with the weights of their highest likelihood. Fewer than 20 bulk
        rows are all trained on.
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
    ContrastiveFlowDetector : Learns from labelled rare events as well.
    FlowNeighborsDetector : Ranks by neighbours in the flow's latent space and in the data.
    FlowEnsemble : The mean density of several flows.
    MahalanobisDetector : A single normal distribution.

    References
    ----------
    .. [1] Dinh, Sohl-Dickstein and Bengio, "Density estimation using Real NVP", ICLR 2017,
       arXiv:1605.08803.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow import RealNVPOutlierDetector
    >>> X = np.random.RandomState(0).normal(size=(300, 2))
    >>> detector = RealNVPOutlierDetector(random_state=0).fit(X)
    >>> detector.predict([[0.0, 0.0], [8.0, -8.0]])
    array([ 1, -1])
    """

    _parameter_constraints: dict[str, list[Any]] = {
        **TorchDetector._parameter_constraints,
        **FlowMixin._flow_constraints,
        "trim": [Interval(Real, 0, 0.5, closed="left")],
    }
    _is_log_density = True

    def __init__(
        self,
        *,
        flow: Any = "realnvp",
        n_blocks: int = 8,
        hidden_features: int = 128,
        condition: Any = None,
        discrete_features: Any = None,
        contamination: float | str = "auto",
        max_iter: int | str = "auto",
        batch_size: int = 256,
        learning_rate: float = 5e-3,
        weight_decay: float = 0.1,
        noise: Any = 0.03,
        trim: float = 0.0,
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
        self.trim = trim
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

    def _make_objective(self) -> Likelihood:
        return Likelihood(self.trim)
