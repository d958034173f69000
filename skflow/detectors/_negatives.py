"""Synthetic negatives: contrast rows made from the bulk where there are no others."""

import torch
from torch import Tensor


def permuted_subsets(bulk: Tensor, generator: torch.Generator) -> Tensor:
    """Break the dependence between features in a copy of the bulk.

    In every row a random subset of the features, of any size but none and all, takes its values
    from other random rows, each feature from its own.

    Parameters
    ----------
    bulk : Tensor of shape (n, d), d at least 2
        Bulk rows.
    generator : torch.Generator
        Source of subsets and rows.

    Returns
    -------
    negatives : Tensor of shape (n, d)
    """
    n, d = bulk.shape
    donors = torch.randint(n, (n, d), generator=generator, device=bulk.device)
    rank = torch.rand(n, d, generator=generator, device=bulk.device).argsort(dim=1)
    size = torch.randint(1, d, (n, 1), generator=generator, device=bulk.device)
    return torch.where(rank < size, bulk.gather(0, donors), bulk)
