"""ContrastiveFlowDetector: rare events found with labelled examples or an auxiliary sample."""

import warnings
from numbers import Real
from typing import Any

import numpy as np

from .._sklearn import Interval, StrOptions, fit_context
from ..objectives import BulkRare, Contrastive, Exposure, TwoPhase
from ._contrast import ContrastRows, overlap
from ._flow import FlowMixin
from ._negatives import NEGATIVES, make_negatives
from ._partial_fit import PartialFitMixin
from ._torch import TorchDetector
from ._two_phase import TwoPhaseMixin
from ._validation import unchanged_on_error

#: The bulk in a contrast sample may take this much of the bulk's density away, by default.
MAX_TAKEN = 0.5


class ContrastiveFlowDetector(TwoPhaseMixin, FlowMixin, PartialFitMixin, TorchDetector):
    """Detect rare events with a flow that likes the bulk and dislikes a contrast sample.

    After a warm-up on the likelihood of the bulk, a short contrast phase lowers the density of the
    contrast rows. These are rows with y = -1 (known rare events), those of `X_contrast` (an
    auxiliary sample), synthetic `negatives`, or several of them, which then count alike. Without
    any it is a flow of the bulk.

    Its score ranks rows and is no longer the density of the bulk, so it has no `score` method:
    pass ``scoring=`` to searches.

    Parameters
    ----------
    objective : {"contrastive", "bulk_rare", "exposure"}, default="contrastive"
        What the contrast phase minimises: the contrastive loss of Schmier et al. [1]_, the
        bulk-rare loss of Chiu and Lai [2]_, or the margin loss of outlier exposure [3]_.
    contrast_weight : "auto" or float, default="auto"
        Weight c of the contrast rows in the first two losses. "auto" is 3 for "contrastive", and
        less where more than a sixth of them is bulk: c times that share is then 0.5, because
        p - c q must stay positive. The share is that of `X_contrast` and of the negatives by the
        estimate of trees (0 with fewer than 200 rows), 0 of rows with y = -1, and the mean of the
        sources, which count alike, in a mix. For "bulk_rare", which sums over the rows of a
        batch, it is 1, as in [2]_.
    clamp : "auto" or float, default="auto"
        The clamp t of the first two losses, in nats: a contrast row has no gradient once its
        negative log-density is past t. "auto" is set by `clamp_margin` after the warm-up. A number
        is the same whatever the bulk's density, as in [1]_ (and minus the threshold on
        log-densities of [2]_); below the bulk's own negative log-density it switches the contrast
        off, which is warned about.
    clamp_margin : "auto" or float, default="auto"
        How far the automatic clamp lies above the median negative log-density of the bulk after
        the warm-up, in nats. "auto" is 3 for every feature, at least 30.
    exposure_margin : "auto" or float, default="auto"
        How much less likely than bulk rows "exposure" wants contrast rows to be, in nats. "auto"
        is 1 for every feature.
    negatives : {"permuted", "noise", "box"}, callable or None, default=None
        Contrast rows that are made from the bulk: copies in which random subsets of the features
        take values of other rows; copies with noise of 0.1 to 3 standard deviations; rows spread
        evenly over the bulk's box, a tenth wider on every side; or what ``negatives(X, rng)``
        returns for the bulk rows and a `numpy.random.RandomState`.
    warm_up : float in [0, 1), default=0.5
        Share of the optimiser steps that train on the likelihood alone. [1]_ and [2]_ have none.
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
        Optimiser steps of both phases; "auto" is ``10 * sqrt(n)`` for n training bulk rows, at
        least 100 and at most 3,000. A long contrast phase ruins the ranking.
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
        too, if that makes at least five: of known rare events where there are enough, else of
        the auxiliary sample, else of the negatives.
    early_stopping : bool, default=True
        Hold rows out and end each phase with the weights of their lowest loss. Fewer than 20
        bulk rows are all trained on.
    n_iter_no_change : int, default=10
        Stop a phase after so many evaluations without improvement; each makes 20 at
        most.
    warm_start : bool, default=False
        Start both phases from the last fit's weights and standardisation.
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
    clamp_ : float or None
        The clamp t, in nats; None for "exposure".
    contrast_weight_ : float or None
        The weight c; None for "exposure".
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

    Training on contrast rows that look like the bulk, with a weight of 1 or more, leaves nothing
    of the bulk's density. Where trees cannot tell the two apart, a warning says so.

    References
    ----------
    .. [1] Schmier, Köthe and Straehle, "Anomaly Detection using Contrastive Normalizing
       Flows", arXiv:2208.14024, eq. 3 and algorithm 1.
    .. [2] Chiu and Lai, "Self-Supervised Normalizing Flows for Image Anomaly Detection and
       Localization", CVPR workshops 2023.
    .. [3] Hendrycks, Mazeika and Dietterich, "Deep Anomaly Detection with Outlier Exposure",
       ICLR 2019, arXiv:1812.04606.

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
        "objective": [StrOptions({"contrastive", "bulk_rare", "exposure"})],
        "contrast_weight": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "clamp": [StrOptions({"auto"}), Interval(Real, None, None, closed="neither")],
        "clamp_margin": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "exposure_margin": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "negatives": [None, StrOptions(set(NEGATIVES)), callable],
        "warm_up": [Interval(Real, 0, 1, closed="left")],
        "contrast_noise": [Interval(Real, 0, None, closed="left"), "array-like"],
    }
    # Asked for by default, so that Pipeline(transform_input=["X_contrast"]) just works.
    __metadata_request__fit = {"X_contrast": True}
    _uses_contrast = True

    def __init__(
        self,
        *,
        objective: str = "contrastive",
        contrast_weight: float | str = "auto",
        clamp: float | str = "auto",
        clamp_margin: float | str = "auto",
        exposure_margin: float | str = "auto",
        negatives: Any = None,
        warm_up: float = 0.5,
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
        self.objective = objective
        self.contrast_weight = contrast_weight
        self.clamp = clamp
        self.clamp_margin = clamp_margin
        self.exposure_margin = exposure_margin
        self.negatives = negatives
        self.warm_up = warm_up
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
            mixes -1 with labels other than +1; if "permuted" negatives are asked of one
            feature, or `negatives` returns rows of other columns or that are not finite.

        Warns
        -----
        UserWarning
            If trees cannot tell the contrast rows from the bulk, or if the clamp lies below the
            bulk's negative log-density, so that there was no contrast.
        """
        with unchanged_on_error(self):
            self._fit_checked(X, y, X_contrast)
        return self

    def _make_objective(self) -> TwoPhase:
        n_scored = self.architecture_["n_features"] - len(self.architecture_["condition"])
        if self.objective == "exposure":
            margin: Any = n_scored if self.exposure_margin == "auto" else self.exposure_margin
            return Exposure(margin)
        loss = Contrastive if self.objective == "contrastive" else BulkRare
        weight: Any = self.contrast_weight_
        margin = max(30.0, 3.0 * n_scored) if self.clamp_margin == "auto" else self.clamp_margin
        clamp: Any = None if self.clamp == "auto" else self.clamp
        return loss(weight, margin, clamp)

    def _contrast_sources(
        self, X: np.ndarray, contrast: ContrastRows, seed: int
    ) -> list[np.ndarray]:
        sources = {"rows with y = -1": contrast.rare, "rows of X_contrast": contrast.auxiliary}
        if self.negatives is not None:
            rng = np.random.RandomState(seed % 2**32)
            sources["negatives"] = make_negatives(self.negatives, X, rng)
        shares = []
        for name, rows in sources.items():
            found = overlap(X, rows, seed % 2**32)
            if found.is_all:
                warnings.warn(
                    f"the {name} cannot be told from the bulk; a flow that is trained to like the "
                    "one and dislike the other learns nothing, or forgets the bulk",
                    UserWarning,
                    stacklevel=2,
                )
            if len(rows):
                # Known rare events are none of the bulk, however like it they look.
                shares.append(0.0 if rows is contrast.rare else found.bulk_share)
        self.contrast_weight_ = self._resolved_contrast_weight(float(np.mean(shares or [0.0])))
        return list(sources.values())

    def _resolved_contrast_weight(self, bulk_share: float) -> float | None:
        """Weight c of contrast rows of which a share is bulk."""
        if self.objective == "exposure":
            return None
        if self.contrast_weight != "auto":
            return float(self.contrast_weight)
        if self.objective == "bulk_rare":
            return 1.0
        return 3.0 if bulk_share <= MAX_TAKEN / 3 else MAX_TAKEN / bulk_share
