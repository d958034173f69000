"""AutoencoderDetector learns a manifold and flags what lies off it."""

import numpy as np
import pytest
from sklearn.base import clone

from skflow import AutoencoderDetector
from skflow.detectors._autoencoder_networks import ConvAutoencoder, DenseAutoencoder
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


@pytest.fixture
def stripes():
    rng = np.random.RandomState(0)
    phase = rng.uniform(0, 2 * np.pi, size=(300, 1, 1))
    rows = np.arange(10)[:, None] + np.zeros((10, 13))
    return np.sin(rows + phase) + 0.1 * rng.normal(size=(300, 10, 13))


class TestConv:
    def test_reconstructs_stripes_and_not_spots(self, stripes):
        detector = AutoencoderDetector(architecture="conv", latent_features=4, random_state=0)
        detector.fit(stripes[:200])
        spots = stripes[200:].copy()
        spots[:, 3:6, 4:8] += 1.5
        scores = detector.score_samples(np.concatenate([stripes[200:], spots]))
        assert roc_auc_score(np.repeat([1, -1], 100), -scores) > 0.95
        assert detector.score_samples(stripes[200:]).mean() > -0.25
        assert detector.image_shape_ == (10, 13, 1)

    def test_tables_and_colours(self, stripes):
        detector = AutoencoderDetector(architecture="conv", max_iter=3, random_state=0)
        of_images = clone(detector).fit(stripes).score_samples(stripes[:5])
        table = stripes.reshape(300, -1)
        detector.set_params(image_shape=(10, 13)).fit(table)
        np.testing.assert_array_equal(detector.score_samples(table[:5]), of_images)
        colours = np.stack([stripes] * 3, axis=-1)
        detector.set_params(image_shape=None).fit(colours)
        assert detector.predict(colours).shape == (300,)
        with pytest.raises(ValueError, match="images must have the shape"):
            detector.predict(stripes)

    def test_dense_ones_take_tables_alone(self, stripes):
        with pytest.raises(ValueError, match="Found array with dim 3"):
            AutoencoderDetector().fit(stripes)


@pytest.mark.parametrize("architecture", ["conv", "dense"])
def test_memory_of_images_is_bounded(architecture, monkeypatch):
    """Maps of thousands of images at once took gigabytes."""
    sizes = []
    network = ConvAutoencoder if architecture == "conv" else DenseAutoencoder
    reconstructed = network.reconstructed

    def spy(self, z):
        sizes.append(len(z))
        return reconstructed(self, z)

    monkeypatch.setattr(network, "reconstructed", spy)
    X = np.random.RandomState(0).normal(size=(1200, 784))
    detector = AutoencoderDetector(architecture=architecture, hidden_features=2, max_iter=1)
    detector.set_params(validation_fraction=0.9, random_state=0).fit(X)
    held_out = 1000 if architecture == "conv" else 1080
    assert held_out in sizes
    sizes.clear()
    detector.score_samples(X)
    assert max(sizes) == (83 if architecture == "conv" else 1200)  # 65,536 pixels
