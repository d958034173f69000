"""Densities that are known: draws from them, and their log-densities."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import stats
from scipy.special import logsumexp


class Density(NamedTuple):
    """A known density: draws (n, d) and log-densities (n,) in nats."""

    n_features: int
    sample: Callable[[int, np.random.RandomState], np.ndarray]
    log_prob: Callable[[np.ndarray], np.ndarray]


def margin(distribution: Any) -> Density:
    """A distribution of SciPy, d = 1."""
    return Density(
        1,
        lambda n, rng: distribution.rvs((n, 1), random_state=rng),
        lambda x: distribution.logpdf(x[:, 0]),
    )


def mixture(weights: Any, means: np.ndarray, covariances: np.ndarray) -> Density:
    """Mixture of normal distributions."""
    parts = [stats.multivariate_normal(m, c) for m, c in zip(means, covariances, strict=True)]
    d = means.shape[1]

    def sample(n: int, rng: np.random.RandomState) -> np.ndarray:
        counts = zip(parts, rng.multinomial(n, weights), strict=True)
        return rng.permutation(
            np.vstack([part.rvs(k, random_state=rng).reshape(k, d) for part, k in counts])
        )

    def log_prob(x: np.ndarray) -> np.ndarray:
        return logsumexp([part.logpdf(x) for part in parts], axis=0, b=np.c_[weights])

    return Density(d, sample, log_prob)


def ring(radius: float, width: float) -> Density:
    """Normal distance from the origin, uniform angle."""

    def sample(n: int, rng: np.random.RandomState) -> np.ndarray:
        r, angle = rng.normal(radius, width, n), rng.uniform(0, 2 * np.pi, n)
        return np.column_stack([r * np.cos(angle), r * np.sin(angle)])

    def log_prob(x: np.ndarray) -> np.ndarray:
        r = np.hypot(*x.T)
        return stats.norm.logpdf(r, radius, width) - np.log(2 * np.pi * r)

    return Density(2, sample, log_prob)


def funnel(n_features: int, spread: float) -> Density:
    """Neal 2003, Annals of Statistics 31, p. 732: the first feature scales the others."""

    def sample(n: int, rng: np.random.RandomState) -> np.ndarray:
        v, x = rng.normal(0, spread, (n, 1)), rng.normal(size=(n, n_features - 1))
        return np.hstack([v, x * np.exp(v / 2)])

    def log_prob(x: np.ndarray) -> np.ndarray:
        v, rest = x[:, 0], x[:, 1:]
        log_rest = stats.norm.logpdf(rest, 0, np.exp(v / 2)[:, None])
        return stats.norm.logpdf(v, 0, spread) + log_rest.sum(axis=1)

    return Density(n_features, sample, log_prob)


def make_densities() -> dict[str, Density]:
    """All densities of the table."""
    angles = np.arange(8) * np.pi / 4
    circle = 3 * np.column_stack([np.cos(angles), np.sin(angles)])
    rng = np.random.RandomState(0)
    roots = rng.normal(size=(5, 10, 10)) / math.sqrt(10)
    correlated = 0.05 * np.eye(10) + roots @ roots.transpose(0, 2, 1)
    student = stats.multivariate_t(shape=[[1, 0.8], [0.8, 1]], df=3)
    pair = mixture([0.3, 0.7], np.array([[-2.0], [1.0]]), np.array([[[0.1]], [[1.0]]]))
    return {
        "exponential": margin(stats.expon()),
        "uniform": margin(stats.uniform()),
        "lognormal": margin(stats.lognorm(s=1.0)),
        "Student t, 3 dof": margin(stats.t(df=3)),
        "two normals": pair,
        "ring": ring(3.0, 0.3),
        "eight normals": mixture([1 / 8] * 8, circle, np.stack([0.09 * np.eye(2)] * 8)),
        "funnel": funnel(2, 3.0),
        "correlated Student t, 3 dof": Density(
            2, lambda n, rng: student.rvs(n, random_state=rng), student.logpdf
        ),
        "five correlated normals, d = 10": mixture(
            [1 / 5] * 5, 2 * rng.normal(size=(5, 10)), correlated
        ),
        "funnel, d = 10": funnel(10, 1.5),
    }
