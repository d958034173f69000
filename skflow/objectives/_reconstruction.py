"""Reconstruction loss: what an autoencoder minimises on the bulk."""

from typing import Any

from torch import Tensor


class Reconstruction:
    """Mean squared difference between the bulk rows and their reconstruction."""

    def __call__(self, module: Any, batch: Any) -> Tensor:
        return module.reconstruction_error(batch.bulk).mean()
