"""State of detectors with a network: weights as arrays, and the checkpoint of one fit."""

from pathlib import Path
from pickle import PicklingError
from typing import Any

import joblib
import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import Tensor, nn

from .._devices import resolve_device
from .._version import __version__
from ..training import Checkpoint
from ._contrast import ContrastRows


def as_arrays(module: nn.Module) -> dict[str, np.ndarray]:
    """State of a module as plain arrays."""
    module = getattr(module, "unfused", module)
    return {
        name: value.detach().cpu().numpy().copy() for name, value in module.state_dict().items()
    }


def open_checkpoint(detector: Any, X: np.ndarray, contrast: ContrastRows, seed: int) -> Checkpoint:
    """The file of this very fit: of these parameters, rows and first weights."""
    if detector.random_state is None:
        raise ValueError(
            "checkpoint needs a random_state, an int for example, by which a fit that was "
            "interrupted is known again; got None"
        )
    given = detector.get_params(deep=False)
    for name in ("checkpoint", "verbose", "random_state"):
        del given[name]
    fit = {
        "versions": (__version__, torch.__version__),
        "class": f"{type(detector).__module__}.{type(detector).__qualname__}",
        "parameters": _recognizable(given),
        # Columns chosen by name, and the shape of images, which the numbers do not tell.
        "network": (_recognizable(detector.architecture_), getattr(detector, "image_shape_", None)),
        "rows": (X, tuple(contrast)),
        "seed": seed,
        "first weights": getattr(detector, "weights_", None) if detector.warm_start else None,
        "device": str(resolve_device(detector.device)),
    }
    try:
        key = joblib.hash(fit)
    except PicklingError as error:
        raise ValueError(
            f"checkpoint needs parameters that can be pickled, to tell fits apart: {error}"
        ) from error
    folder = Path(detector.checkpoint)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise ValueError(f"checkpoint must be a folder; {folder} is a file") from error
    return Checkpoint(folder / f"{type(detector).__name__}-{key}.ckpt")


def _recognizable(value: Any) -> Any:
    """What is the same in every process for equal parameters: modules as arrays."""
    if isinstance(value, nn.Module):
        of_all = vars(nn.Module())
        return [
            (
                name,
                type(part).__module__,
                type(part).__qualname__,
                {key: _recognizable(v) for key, v in vars(part).items() if key not in of_all},
                _recognizable(dict(part.named_parameters(recurse=False))),
                _recognizable(dict(part.named_buffers(recurse=False))),
            )
            for name, part in value.named_modules()
        ]
    if isinstance(value, Tensor):
        values = value.detach().cpu().contiguous()  # of a type that NumPy may lack
        return str(value.dtype), value.shape, values.reshape(-1).view(torch.uint8).numpy()
    if isinstance(value, BaseEstimator):
        return type(value).__module__, type(value).__qualname__, _recognizable(vars(value))
    if isinstance(value, dict):
        return {name: _recognizable(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value).__name__, [_recognizable(part) for part in value]
    return value
