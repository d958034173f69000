"""ONNX: what onnxruntime computes of an exported detector is what skflow computes."""

import json

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, PowerTransformer, RobustScaler, StandardScaler

import skflow
from skflow import (
    AutoencoderDetector,
    ClassConditionalFlowDetector,
    ContrastiveFlowDetector,
    MahalanobisDetector,
    RealNVPOutlierDetector,
)
from skflow.interop import to_onnx

SMALL = {"n_blocks": 2, "hidden_features": 8, "max_iter": 20, "random_state": 0}
FLOW = RealNVPOutlierDetector(**SMALL)
MODELS = {
    "flow": FLOW,
    "spline": RealNVPOutlierDetector(flow="spline", **SMALL),
    "condition": RealNVPOutlierDetector(condition=[0], discrete_features=[1], **SMALL),
    "contrastive": ContrastiveFlowDetector(**SMALL),
    "autoencoder": AutoencoderDetector(max_iter=20, random_state=0),
    "pipeline": make_pipeline(StandardScaler(), "passthrough", PCA(2), FLOW),
    "robust": make_pipeline(RobustScaler(), AutoencoderDetector(max_iter=20, random_state=0)),
}


def run(content, X):
    session = onnxruntime.InferenceSession(content)
    return session.run(["score", "decision", "label"], {"X": X}), session.get_modelmeta()


@pytest.mark.parametrize("name", MODELS)
def test_scores_are_those_of_skflow(name, labelled):
    X, y = labelled
    model = MODELS[name].fit(X, y)
    content = to_onnx(model)
    # Any number of rows, far ones too.
    for rows in (X, X[:1], np.vstack([X * 3, X - 1e5])):
        (score, decision, label), _ = run(content, rows)
        np.testing.assert_allclose(score, model.score_samples(rows), rtol=1e-6)
        expected = model.decision_function(rows)
        np.testing.assert_allclose(decision, expected, rtol=1e-6, atol=1e-6 * np.abs(score).max())
        clear = np.abs(expected) > 1e-6 * np.abs(score)
        assert clear.mean() > 0.9
        np.testing.assert_array_equal(label[clear], model.predict(rows)[clear])
        assert score.dtype == decision.dtype == np.float64
        assert label.dtype == np.int64


def test_file_and_metadata(bulk, tmp_path):
    X = pd.DataFrame(bulk, columns=["size", "width", "length"])
    detector = FLOW.fit(X)
    content = to_onnx(detector, tmp_path / "night.onnx")
    assert (tmp_path / "night.onnx").read_bytes() == content
    found = run(content, bulk)[1].custom_metadata_map
    assert json.loads(found["feature_names"]) == list(X)
    assert float(found["threshold"]) == detector.offset_
    assert found["skflow"] == skflow.__version__
    assert found["model"].startswith("RealNVPOutlierDetector(")


def test_rows_with_nan(bulk):
    X = bulk.copy()
    X[3, 1] = np.nan
    detector = AutoencoderDetector(max_iter=20, nan_policy="omit", random_state=0).fit(X)
    score, _, label = run(to_onnx(detector), X)[0]
    assert np.isnan(score).nonzero()[0].tolist() == [3]
    assert label[3] == 0
    np.testing.assert_allclose(score, detector.score_samples(X), rtol=1e-6)


def test_what_cannot_be_exported(bulk):
    for detector in (MahalanobisDetector(), ClassConditionalFlowDetector(**SMALL)):
        with pytest.raises(TypeError, match="exports detectors whose score is that of one network"):
            to_onnx(detector.fit(bulk))
    with pytest.raises(ValueError, match="a step before the detector cannot be converted"):
        to_onnx(make_pipeline(PowerTransformer(), FLOW).fit(bulk))
    with pytest.raises(ValueError, match="the steps and the detector make no valid model"):
        to_onnx(make_pipeline(PolynomialFeatures(), FLOW).fit(bulk))
    with pytest.raises(ValueError, match="not fitted"):
        to_onnx(RealNVPOutlierDetector())
