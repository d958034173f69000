"""CSIDetector: its loss and its score by hand, and digits."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits

from skflow.images import CSIDetector
from skflow.images._csi import _Network
from skflow.metrics import roc_auc_score
from skflow.objectives import ShiftedInstances
from skflow.training import Batch


@pytest.fixture
def network():
    generator = torch.Generator().manual_seed(0)
    network = _Network((5, 5, 1), width=4, latent_features=3, generator=generator).double()
    network.initialize(torch.randn(20, 25))
    return network


def test_features_start_from_centred_averages(network):
    rows = torch.randn(50, 25, dtype=torch.float64)
    network.initialize(rows)
    averages = network.encoder.averages(network.images(rows))
    torch.testing.assert_close(averages.mean(dim=0), torch.zeros(64).double())
    assert averages.min() < 0  # rectified maps alone are not


def test_loss_by_hand(network):
    """Views without any augmentation: both views of an image are equal."""
    rows = torch.randn(3, 25, dtype=torch.float64)
    loss = ShiftedInstances(lambda images: images, 0.5)(network, Batch(rows))
    images = network.images(rows)
    every = torch.cat([torch.rot90(images, turn, (2, 3)) for turn in range(4)] * 2)
    features, logits = network(every)
    unit = torch.nn.functional.normalize(features, dim=1)
    expected = 0.0
    for i in range(24):
        like = torch.exp(unit[i] @ unit.T / 0.5)
        others = like.sum() - like[i]
        expected -= torch.log(like[(i + 12) % 24] / others) / 24
        expected -= logits[i].log_softmax(0)[i % 12 // 3] / 24
    torch.testing.assert_close(loss, expected)


def test_score_by_hand():
    X = np.random.RandomState(0).normal(size=(30, 6, 6))
    detector = CSIDetector(max_iter=3, hidden_features=4, early_stopping=False, random_state=0)
    detector.fit(X)
    judged = detector._judged(X.reshape(30, -1))
    features, logits = judged[..., :-1], judged[..., -1]
    lengths = np.linalg.norm(features, axis=2)
    unit = features / lengths[..., None]
    expected = np.zeros(30)
    for turn in range(4):
        nearest = (features[:, turn] @ unit[:, turn].T).max(axis=1)
        expected += nearest / lengths[:, turn].mean()
        expected += logits[:, turn] / np.abs(logits[:, turn]).mean()
    np.testing.assert_allclose(detector.score_samples(X), expected)


def test_held_out_images_are_not_in_the_bank():
    X = np.random.RandomState(0).normal(size=(60, 6, 6))
    detector = CSIDetector(max_iter=3, hidden_features=4, random_state=0).fit(X)
    assert len(detector.bank_) == 54
    np.testing.assert_allclose(np.linalg.norm(detector.bank_, axis=2), 1.0)


def test_other_digits_are_far():
    digits = load_digits()
    bulk, other = digits.images[digits.target == 4], digits.images[digits.target == 2]
    detector = CSIDetector(max_iter=60, hidden_features=8, random_state=0).fit(bulk[:120])
    y = np.repeat([1, -1], [len(bulk) - 120, len(other)])
    scores = detector.anomaly_score(np.concatenate([bulk[120:], other]))
    assert roc_auc_score(y, scores) > 0.9


def test_tables_colours_and_seeds():
    X = np.random.RandomState(0).normal(size=(40, 5, 7, 3))
    detector = CSIDetector(max_iter=2, hidden_features=4, random_state=0)
    first = clone(detector).fit(X).score_samples(X)
    np.testing.assert_array_equal(first, clone(detector).fit(X).score_samples(X))
    table = X.reshape(40, -1)
    detector.set_params(image_shape=(5, 7, 3)).fit(table)
    np.testing.assert_array_equal(detector.score_samples(table), first)
    np.testing.assert_allclose(detector.score_samples(table[:3]), first[:3], rtol=1e-9)
