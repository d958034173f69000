"""TransformationDetector: its transformations, its loss by hand, and digits."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits

from skflow.images import TransformationDetector
from skflow.images._transformation import _Network, _TransformationLoss
from skflow.metrics import roc_auc_score
from skflow.training import Batch


@pytest.fixture
def network():
    generator = torch.Generator().manual_seed(0)
    return _Network((5, 5, 1), width=4, shift=2, generator=generator)


def test_transformations(network):
    image = torch.arange(25.0).reshape(1, 1, 5, 5)
    torch.testing.assert_close(network.transformed(image, 0, 0, 0), image)
    turned = network.transformed(image, 1, 0, 0)
    torch.testing.assert_close(turned, torch.rot90(image, 1, (2, 3)))
    moved = network.transformed(image, 0, 1, 0)[0, 0]
    torch.testing.assert_close(moved[2:], image[0, 0, :3])
    torch.testing.assert_close(moved[:2], image[0, 0, :1].expand(2, 5))
    moved = network.transformed(image, 0, 0, -1)[0, 0]
    torch.testing.assert_close(moved[:, :3], image[0, 0, :, 2:])


def test_torch_is_as_it_was_and_has_nothing_to_say():
    enabled = torch.backends.mkldnn.enabled
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TransformationDetector(max_iter=2, hidden_features=4).fit(
            np.random.RandomState(0).rand(30, 8, 8)
        )
    assert torch.backends.mkldnn.enabled == enabled


def test_loss_is_that_of_the_drawn_transformations(network):
    rows = torch.randn(9, 25)
    network.initialize(rows)
    loss = _TransformationLoss(torch.Generator().manual_seed(3))(network, Batch(rows))
    same = torch.Generator().manual_seed(3)
    draws = [torch.randint(n, (9,), generator=same).tolist() for n in (4, 3, 3)]
    expected = 0.0
    for row, *classes in zip(network.images(rows), *draws, strict=True):
        turn, i, j = classes
        view = network.transformed(row[None], turn, i - 1, j - 1)
        heads = network.log_probabilities(view)
        expected -= sum(head[0, true] for head, true in zip(heads, classes, strict=True)) / 9
    torch.testing.assert_close(loss, expected)


def test_other_digits_cannot_be_put_upright():
    digits = load_digits()
    bulk, other = digits.images[digits.target == 4], digits.images[digits.target == 2]
    detector = TransformationDetector(max_iter=200, hidden_features=8, random_state=0)
    detector.fit(bulk[:120])
    assert detector.history_["loss"][-1] < detector.history_["loss"][0]
    y = np.repeat([1, -1], [len(bulk) - 120, len(other)])
    scores = detector.anomaly_score(np.concatenate([bulk[120:], other]))
    assert roc_auc_score(y, scores) > 0.9
    # A mean log-probability of three heads.
    assert (scores > 0).all()


def test_rotations_alone_other_shapes_and_seeds():
    X = np.random.RandomState(0).normal(size=(40, 5, 7, 3))
    detector = TransformationDetector(shift=0.0, max_iter=3, hidden_features=4, random_state=0)
    first = clone(detector).fit(X).score_samples(X)
    np.testing.assert_array_equal(first, clone(detector).fit(X).score_samples(X))
    table = X.reshape(40, -1)
    detector.set_params(image_shape=(5, 7, 3)).fit(table)
    np.testing.assert_array_equal(detector.score_samples(table), first)
    np.testing.assert_allclose(detector.score_samples(table[:3]), first[:3], rtol=1e-9)
