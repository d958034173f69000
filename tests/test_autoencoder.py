"""AutoencoderDetector learns a manifold and flags what lies off it."""

import numpy as np
import pytest

from skflow import AutoencoderDetector
from skflow.metrics import roc_auc_score


def test_flags_rows_off_the_manifold():
    rng = np.random.RandomState(0)
    t = rng.uniform(-2, 2, 2000)
    bulk = np.column_stack([t, t**2, np.sin(2 * t)]) + 0.02 * rng.normal(size=(2000, 3))
    shuffled = np.column_stack([rng.permutation(column) for column in bulk[1000:].T])
    detector = AutoencoderDetector(max_iter=2000, random_state=0).fit(bulk[:1000])
    scores = detector.anomaly_score(np.vstack([bulk[1000:], shuffled]))
    assert roc_auc_score(np.repeat([1, -1], 1000), scores) > 0.9
    assert (scores >= 0).all()


def test_latent_width(bulk):
    for latent_features, width in (("auto", 1), (2, 2)):
        detector = AutoencoderDetector(latent_features=latent_features, max_iter=2).fit(bulk)
        assert detector.weights_["decoder.0.weight"].shape == (64, width)


def test_has_no_score_method(bulk):
    with pytest.raises(AttributeError, match="score"):
        AutoencoderDetector(max_iter=2).fit(bulk).score(bulk)
