"""Variants of skflow's one-class detectors that the ablation study compares.

What is more than a parameter; benchmarks/configs/ablation.toml names them all. Rows are expected
to be standardised, as those of the benchmark are. All have the parameters of their base class.
"""

import math
from typing import Any

import numpy as np
import torch
from scipy.special import logsumexp
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, QuantileTransformer, StandardScaler
from torch.optim.swa_utils import AveragedModel

from skflow import FlowNeighborsDetector, MahalanobisDetector, RealNVPOutlierDetector
from skflow.detectors._mahalanobis import standardized

# Preprocessing. A linear scaling of single features, such as min-max, is no variant: the flow's
# first layer standardises.


class Preprocessed(RealNVPOutlierDetector):
    """The density of transformed rows."""

    _is_log_density = False

    def _make_transformer(self, n_samples: int) -> Any:
        raise NotImplementedError

    def _fit(self, X: np.ndarray, contrast: Any) -> np.ndarray | None:
        self.transformer_ = self._make_transformer(len(X)).fit(X)
        return super()._fit(self.transformer_.transform(X), contrast)

    def _score_samples(self, X: np.ndarray) -> np.ndarray:
        return super()._score_samples(self.transformer_.transform(X))

    def _held_out_scores(self, held_out: np.ndarray) -> np.ndarray:
        return super()._score_samples(held_out)  # transformed already


class QuantileNormal(Preprocessed):
    """Every feature's quantiles become those of a normal distribution."""

    def _make_transformer(self, n_samples: int) -> Any:
        return QuantileTransformer(
            n_quantiles=min(1000, n_samples), output_distribution="normal", random_state=0
        )


class Arcsinh(Preprocessed):
    """Tails drawn in: arcsinh of standardised features."""

    def _make_transformer(self, n_samples: int) -> Any:
        return make_pipeline(StandardScaler(), FunctionTransformer(np.arcsinh))


class Whitened(Preprocessed):
    """Uncorrelated features of variance 1; what makes up the last 0.1 % of variance is dropped."""

    def _make_transformer(self, n_samples: int) -> Any:
        return PCA(n_components=0.999, whiten=True, svd_solver="full")


# Training.


class WeightAveraged(RealNVPOutlierDetector):
    """Ends with the exponential moving average of its weights, where its held-out loss was lowest.

    The average forgets in 100 steps, or in a ninth of those done if that is less.
    """

    def _train(self, module: Any, rows: Any, held_out: Any, run: Any) -> None:
        objective = self._make_objective()
        average = AveragedModel(module, avg_fn=_moving_average)
        best = _copies(average)
        lowest = math.inf

        def averaging_objective(trained: Any, batch: Any) -> Any:
            nonlocal best, lowest
            if trained.training:
                average.update_parameters(trained)
                return objective(trained, batch)
            # The loop evaluates: then the average counts.
            loss = objective(average.module, batch)
            if held_out is None or loss < lowest:
                best, lowest = _copies(average), loss.item()
            return loss

        n_steps = self._resolved_max_iter(len(rows.bulk))
        run.phase("train", module, averaging_objective, rows, held_out, n_steps)
        with torch.no_grad():
            for parameter, value in zip(module.parameters(), best, strict=True):
                parameter.copy_(value)


def _moving_average(average: Any, current: Any, n_averaged: Any) -> Any:
    decay = min(0.99, (1 + int(n_averaged)) / (10 + int(n_averaged)))
    return torch.lerp(current, average, decay)


def _copies(model: Any) -> list[Any]:
    return [parameter.detach().clone() for parameter in model.parameters()]


class MultiScaleNoise(RealNVPOutlierDetector):
    """The mean density over several sizes of noise, of one flow that is told the size.

    A training row gets normal noise whose standard deviation, in standard deviations of the
    features, is drawn log-uniformly from 0.02 to 1 each time; its logarithm is the condition. Kim
    et al. 2020, "SoftFlow", arXiv:2006.04604. `noise` is not used.
    """

    SCALES = np.geomspace(0.02, 1.0, 5)
    #: Held-out rows are repeated with other noise, up to so many.
    N_HELD_OUT = 2000

    # The condition is a last column, which noise fills in.
    def _fit(self, X: np.ndarray, contrast: Any) -> np.ndarray | None:
        return super()._fit(_with_last(X, 0.0), contrast)

    def _resolved_architecture(self, X: np.ndarray) -> dict[str, Any]:
        return {**super()._resolved_architecture(X), "condition": [X.shape[1] - 1]}

    def _initialize(self, module: Any, rows: Any, generator: Any) -> None:
        module.initialize(ScaledNoise().added(rows, generator))

    def _noise(self, module: Any, name: str) -> Any:
        return ScaledNoise()

    def _train(self, module: Any, rows: Any, held_out: Any, run: Any) -> None:
        if held_out is not None:
            n_repeats = max(1, self.N_HELD_OUT // len(held_out.bulk))
            repeated = held_out.bulk.repeat(n_repeats, 1)
            held_out = held_out._replace(bulk=ScaledNoise().added(repeated, run.generator))
        super()._train(module, rows, held_out, run)

    def _score_samples(self, X: np.ndarray) -> np.ndarray:
        scores = [super(MultiScaleNoise, self)._score_samples(_with_last(X, s)) for s in _logs()]
        return logsumexp(scores, axis=0) - math.log(len(scores))

    def _held_out_scores(self, held_out: np.ndarray) -> np.ndarray:
        return self._score_samples(held_out[:, :-1])


class ScaledNoise:
    """Noise of a size that is drawn for each row and told in its last column."""

    def added(self, rows: Any, generator: Any) -> Any:
        like = {"generator": generator, "device": rows.device, "dtype": rows.dtype}
        low, high = _logs()[[0, -1]]
        log_scale = low + (high - low) * torch.rand(len(rows), 1, **like)
        noise = log_scale.exp() * torch.randn(len(rows), rows.shape[1] - 1, **like)
        return torch.cat([rows[:, :-1] + noise, log_scale], dim=1)


def _logs() -> np.ndarray:
    return np.log(MultiScaleNoise.SCALES)


def _with_last(X: np.ndarray, value: float) -> np.ndarray:
    return np.column_stack([X, np.full(len(X), value)])


# Scores of the same flow.


class Typicality(RealNVPOutlierDetector):
    """Minus the distance of the log-density from its mean over held-out rows.

    Nalisnick et al. 2019, arXiv:1906.02994, for single rows: too probable is unusual, too.
    """

    _is_log_density = False

    def _fit(self, X: np.ndarray, contrast: Any) -> np.ndarray | None:
        held_out = super()._fit(X, contrast)
        typical = X if held_out is None else held_out
        self.mean_log_prob_ = float(super()._score_samples(typical).mean())
        return held_out

    def _score_samples(self, X: np.ndarray) -> np.ndarray:
        return -np.abs(super()._score_samples(X) - self.mean_log_prob_)


class LatentNorm(RealNVPOutlierDetector):
    """Minus the squared norm of the latent row: the density without its Jacobian."""

    _is_log_density = False

    def _score_rows(self, module: Any, rows: Any) -> Any:
        return -module.latent(rows).square().sum(dim=1)


# Neighbours.


class LatentNeighbors(FlowNeighborsDetector):
    """Neighbours in the latent space alone."""

    def _coordinates(self, X: np.ndarray) -> list[np.ndarray]:
        return super()._coordinates(X)[2:]


class DataNeighbors(FlowNeighborsDetector):
    """Neighbours in the data alone, as they are and with their tails drawn in."""

    def _flow(self, X: np.ndarray) -> Any:
        return MahalanobisDetector(covariance="diagonal")  # not looked at: the cheapest

    def _coordinates(self, X: np.ndarray) -> list[np.ndarray]:
        return self._data_coordinates(X)


class TailsAsTheyAre(FlowNeighborsDetector):
    """Without the data whose tails are drawn in."""

    def _coordinates(self, X: np.ndarray) -> list[np.ndarray]:
        as_they_are, _, latent = super()._coordinates(X)
        return [as_they_are, latent]


class TailsDrawnIn(FlowNeighborsDetector):
    """Without the data whose tails are as they are."""

    def _coordinates(self, X: np.ndarray) -> list[np.ndarray]:
        return super()._coordinates(X)[1:]


class DataInDeviations(FlowNeighborsDetector):
    """Distances in the data in standard deviations of the features, not in their ranges."""

    def _fit(self, X: np.ndarray, contrast: Any) -> np.ndarray | None:
        held_out = super()._fit(X, contrast)
        z = standardized(X, self.mean_, self.scale_)
        deviations = np.array([z.std(axis=0), np.arcsinh(z).std(axis=0)])
        self.ranges_ = list(np.where(deviations > 0, deviations, 1.0))
        self.neighbors_ = [NearestNeighbors().fit(rows) for rows in self._coordinates(X)]
        return held_out


class NoiseInDeviations(FlowNeighborsDetector):
    """The default flow with noise of 0.3 standard deviations, not a share of the range."""

    def _flow(self, X: np.ndarray) -> Any:
        return super()._flow(X).set_params(noise=0.3)


class LittleNoise(FlowNeighborsDetector):
    """The default flow with a fifth of the noise."""

    def _flow(self, X: np.ndarray) -> Any:
        flow = super()._flow(X)
        return flow.set_params(noise=flow.noise / 5)


class MuchNoise(FlowNeighborsDetector):
    """The default flow with four times the noise."""

    def _flow(self, X: np.ndarray) -> Any:
        flow = super()._flow(X)
        return flow.set_params(noise=4 * flow.noise)


class SmallFlow(FlowNeighborsDetector):
    """The default flow of tables below 2,000 rows for all."""

    def _flow(self, X: np.ndarray) -> Any:
        small = {"max_iter": 60, "batch_size": 128, "hidden_features": 128}
        return super()._flow(X).set_params(**small)


class LargeFlow(FlowNeighborsDetector):
    """The flow of `RealNVPOutlierDetector`, but for the noise."""

    def _flow(self, X: np.ndarray) -> Any:
        return RealNVPOutlierDetector(noise=super()._flow(X).noise)


def own_defaults() -> FlowNeighborsDetector:
    """The flow of `RealNVPOutlierDetector`, with its noise."""
    return FlowNeighborsDetector(RealNVPOutlierDetector())
