"""to_onnx: fitted flows and autoencoders, alone or behind scikit-learn's transformers, as ONNX."""

import json
import logging
import os
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from .._files import write_whole
from ..detectors import TorchDetector

OPSET = 18
#: What the detector gets from the steps before it.
BETWEEN = "features"


def to_onnx(model: Any, path: str | os.PathLike[str] | None = None) -> bytes:
    """Export a fitted detector, or a pipeline that ends in one, to ONNX.

    What onnxruntime computes of it, on any machine and without Python, are the scores of skflow to
    better than 1e-5 of them, in float64. (Steps before the detector are as exact as skl2onnx makes
    them.)

    Parameters
    ----------
    model : detector with a network, or Pipeline
        Such as `RealNVPOutlierDetector`, `ContrastiveFlowDetector` or `AutoencoderDetector`; steps
        before it must be such as skl2onnx converts.
    path : path-like, default=None
        File to write, whole or not at all.

    Returns
    -------
    content : bytes
        The ONNX model. Input ``X`` (n, n_features), float64. Outputs ``score``, as
        ``score_samples``, ``decision``, as ``decision_function``, both (n,) float64, and ``label``
        (n,), int64, as ``predict``. Rows with NaN score NaN and get the label 0 with
        ``nan_policy="omit"``. Metadata: ``skflow`` (version), ``model`` (its repr),
        ``feature_names`` (JSON) and ``threshold``.

    Raises
    ------
    ImportError
        If onnx, onnxscript or, for a pipeline, skl2onnx is not installed.
    TypeError
        If the detector has no network, or a part of its own that is not exported.
    ValueError
        If a step cannot be converted.

    Examples
    --------
    >>> import numpy as np
    >>> import onnxruntime
    >>> from skflow import AutoencoderDetector
    >>> from skflow.interop import to_onnx
    >>> X = np.random.RandomState(0).normal(size=(300, 2))
    >>> detector = AutoencoderDetector(max_iter=20, random_state=0).fit(X)
    >>> session = onnxruntime.InferenceSession(to_onnx(detector))
    >>> score, decision, label = session.run(None, {"X": X})
    >>> bool(np.allclose(score, detector.score_samples(X), rtol=1e-6))
    True
    """
    check_is_fitted(model)
    steps = model.steps[:-1] if isinstance(model, Pipeline) else []
    steps = [(name, step) for name, step in steps if step not in (None, "passthrough")]
    detector = model[-1] if isinstance(model, Pipeline) else model
    # Others look at more than the network's outputs for a row.
    plain = isinstance(detector, TorchDetector) and not detector._n_added
    if not plain or type(detector)._score_samples is not TorchDetector._score_samples:
        raise TypeError(
            "to_onnx exports detectors whose score is that of one network, such as "
            f"RealNVPOutlierDetector, alone or at the end of a pipeline; got {detector!r}"
        )
    exported = _export(detector, BETWEEN if steps else "X")
    if steps:
        exported = _behind(Pipeline(steps), model.n_features_in_, exported)
    from .. import __version__

    described = {
        "skflow": __version__,
        "model": " ".join(repr(model).split()),
        "feature_names": json.dumps(list(getattr(model, "feature_names_in_", []))),
        "threshold": repr(float(detector.offset_)),
    }
    for key, value in described.items():
        exported.metadata_props.add(key=key, value=value)
    onnx = _needed("onnx")
    try:
        onnx.checker.check_model(exported, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ValueError(f"the steps and the detector make no valid model: {error}") from error
    content = exported.SerializeToString()
    if path is not None:
        write_whole(Path(path), content)
    return content


class _Judge(nn.Module):
    """Scores, decisions and labels of rows."""

    offset: Tensor

    def __init__(self, detector: TorchDetector):
        super().__init__()
        self.detector = detector
        self.module = detector._rebuilt()
        # A number would become float32 on the way.
        self.register_buffer("offset", torch.tensor(detector.offset_, dtype=torch.float64))

    def forward(self, X: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        missing = X.isnan().any(dim=1)
        rows = torch.where(X.isnan(), 0.0, X)
        score = self.detector._score_rows(self.module, rows).double()
        score = torch.where(missing, torch.nan, score)
        decision = score - self.offset
        label = torch.where(missing, 0, torch.where(decision < 0, -1, 1))
        return score, decision, label


def _export(detector: TorchDetector, input_name: str) -> Any:
    """The detector's own graph."""
    _needed("onnxscript")
    n_features = detector.n_features_in_
    example = torch.zeros(3, n_features, dtype=torch.float64)
    level = logging.getLogger("torch.onnx").level
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # of torchvision, which nobody uses
    try:
        with torch.no_grad():
            program = torch.export.export(
                _Judge(detector).eval(),
                (example,),
                dynamic_shapes={"X": {0: torch.export.Dim("n")}},
                strict=False,
            )
        # onnxruntime has no softplus of float64.
        table = torch.export.default_decompositions()
        table[torch.ops.aten.softplus.default] = _softplus
        made: Any = torch.onnx.export(
            program.run_decompositions(table),
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[input_name],
            output_names=["score", "decision", "label"],
            verbose=False,
        )
    finally:
        logging.getLogger("torch.onnx").setLevel(level)
    return made.model_proto


def _softplus(x: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    return x.clamp(min=0) + (-x.abs()).exp().log1p()


def _behind(steps: Pipeline, n_features: int, exported: Any) -> Any:
    """The graph behind those of scikit-learn's transformers."""
    skl2onnx, compose = _needed("skl2onnx"), _needed("onnx.compose")
    double = import_module("skl2onnx.common.data_types").DoubleTensorType([None, n_features])
    try:
        before = skl2onnx.to_onnx(
            steps, initial_types=[("X", double)], target_opset={"": OPSET, "ai.onnx.ml": 3}
        )
    except Exception as error:  # skl2onnx raises many kinds
        raise ValueError(f"a step before the detector cannot be converted: {error}") from error
    before = compose.add_prefix(before, "steps_", rename_inputs=False)
    before.ir_version = exported.ir_version = min(before.ir_version, exported.ir_version)
    return compose.merge_models(before, exported, io_map=[(before.graph.output[0].name, BETWEEN)])


def _needed(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"to_onnx needs {module}; install it with: pip install skflow-detect[onnx]"
        ) from error
