"""Matrix products, by the faster of torch's two libraries."""

from collections.abc import Callable

import torch
from torch import Tensor

#: Below this many rows or columns, MKL is as fast or faster.
LEAST_SIDE = 64


def _onednn_product() -> Callable[..., Tensor] | None:
    """The oneDNN product ``x @ w.T`` of torch, if this build has it and it works."""
    try:
        operator = torch.ops.mkldnn._linear_pointwise
        x, w = torch.arange(6.0).view(2, 3), torch.arange(12.0).view(4, 3)
        works = torch.equal(operator(x, w, None, "none", [], ""), x @ w.T)
    except (AttributeError, RuntimeError):  # no such operator, or none for this processor
        return None
    return operator if works else None


_onednn = _onednn_product()


def product(a: Tensor, b: Tensor, bias: Tensor | None = None, out: Tensor | None = None) -> Tensor:
    """Multiply (m, k) by (k, n) and add a bias (m, 1), outside autograd.

    In float32 MKL leaves half of an AMD processor unused (100 of 200 GFLOP/s on a core with
    AVX-512), which oneDNN does not; torch itself takes MKL.
    """
    if (
        _onednn is not None
        and a.dtype == torch.float32
        and a.device.type == "cpu"
        and min(*a.shape, b.shape[1]) >= LEAST_SIDE
    ):
        made = _onednn(a, b.T, None, "none", [], "")
        if bias is not None:
            made.add_(bias)
        return made if out is None else out.copy_(made)
    return torch.mm(a, b, out=out) if bias is None else torch.addmm(bias, a, b, out=out)
