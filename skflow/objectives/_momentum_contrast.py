"""Momentum contrast: two views of an image are alike, views of different images are not."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize


class MomentumContrast:
    r"""InfoNCE loss with a queue of keys from a slowly moving copy of the encoder.

    .. math::
        L = -\log \frac{\exp(q \cdot k_+ / \tau)}
            {\sum_{k \in \{k_+\} \cup K} \exp(q \cdot k / \tau)}

    He et al., "Momentum Contrast for Unsupervised Visual Representation Learning", CVPR 2020,
    arXiv:1911.05722, eq. 1 and algorithm 1. The query q and its key k are features of two views of
    an image, on the unit sphere; the key's encoder follows the other, theta_k <- m theta_k +
    (1 - m) theta_q; K is a queue of former keys.

    Parameters
    ----------
    encoder : torch.nn.Module
        What is trained; called with a view, it returns features (n, k).
    view : callable
        ``view(rows)`` returns a random view of each row.
    n_features : int
        Number of features k.
    queue_size : int
        Number of former keys.
    momentum : float
        The momentum m.
    temperature : float
        The temperature tau.
    generator : torch.Generator
        Where the queue's first keys are drawn from, on the CPU.
    """

    def __init__(
        self,
        encoder: nn.Module,
        view: Callable[[Tensor], Tensor],
        *,
        n_features: int,
        queue_size: int,
        momentum: float,
        temperature: float,
        generator: torch.Generator,
    ):
        self.key_encoder = copy.deepcopy(encoder).requires_grad_(False)
        self.view = view
        self.momentum = momentum
        self.temperature = temperature
        keys = normalize(torch.randn(queue_size, n_features, generator=generator), dim=1)
        self.queue = keys.to(next(encoder.parameters(), keys).device)
        self._next = 0

    def __call__(self, module: nn.Module, batch: Any) -> Tensor:
        query = self._unit(module(self.view(batch.bulk)))
        with torch.no_grad():
            if module.training:
                self._follow(module)
            key = self._unit(self.key_encoder(self.view(batch.bulk)))
        alike = (query * key).sum(dim=1, keepdim=True)
        logits = torch.cat([alike, query @ self.queue.T], dim=1) / self.temperature
        if module.training:
            self._enqueue(key)
        return cross_entropy(logits, torch.zeros(len(query), dtype=torch.long, device=query.device))

    def _unit(self, features: Tensor) -> Tensor:
        """Features on the sphere; under autocast the encoder's are of less precision."""
        return normalize(features.to(self.queue.dtype), dim=1)

    def _follow(self, module: nn.Module) -> None:
        pairs = zip(self.key_encoder.parameters(), module.parameters(), strict=True)
        for of_key, of_query in pairs:
            of_key.lerp_(of_query, 1 - self.momentum)

    def _enqueue(self, keys: Tensor) -> None:
        """Put keys in the place of the oldest; a new queue, as the old one is part of a graph."""
        places = (self._next + torch.arange(len(keys), device=keys.device)) % len(self.queue)
        self.queue = self.queue.clone()
        self.queue[places] = keys
        self._next = (self._next + len(keys)) % len(self.queue)
