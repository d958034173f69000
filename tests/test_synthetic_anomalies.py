"""Synthetic anomalies: planted where the mask says, of every kind, from a seed."""

import numpy as np
import pytest

from skflow.images import make_anomalies
from skflow.images._synthetic import KINDS, perlin_noise


@pytest.fixture
def images():
    """Noisy discs of light at the centre."""
    rng = np.random.RandomState(0)
    radius = np.hypot(*(np.indices((24, 30)) - np.array([12, 15])[:, None, None]))
    return np.exp(-((radius / 6) ** 2)) * 5 + rng.normal(size=(40, 24, 30))


@pytest.mark.parametrize("kind", KINDS)
def test_changes_what_the_mask_says_and_little_else(images, kind):
    anomalous, masks = make_anomalies(images, kinds=[kind], random_state=0)
    change = np.abs(anomalous - images)
    assert masks.any(axis=(1, 2)).all()
    assert change[masks].min() > 0.1 * images.std()
    assert change[~masks].max() <= 0.1 * images.std()
    assert masks.mean() < 0.5
    assert np.isfinite(anomalous).all()


def test_faint_ones(images):
    """A box of one value in images of one value: its strength is what the blend left of it."""
    flat = np.zeros((400, 24, 30))
    flat[:, 0, 0] = 100.0
    anomalous, masks = make_anomalies(flat, kinds=["erased"], faintest=0.01, random_state=0)
    full, _ = make_anomalies(flat, kinds=["erased"], random_state=0)
    assert full.min() == 0
    strength = np.array([image[mask].max() for image, mask in zip(anomalous, masks, strict=True)])
    assert np.median(strength) == pytest.approx(5, abs=2)  # 10^U(-2, 0) of U(0, 100)
    for wrong in (0, 1.5):
        with pytest.raises(ValueError, match=r"faintest must be in \(0, 1\]; got"):
            make_anomalies(images, faintest=wrong)


def test_the_same_seed_plants_the_same(images):
    first, second, other = (make_anomalies(images, random_state=s)[0] for s in (0, 0, 1))
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_shapes_of_tables_and_of_colours(images):
    flat, masks = make_anomalies(images.reshape(40, -1), image_shape=(24, 30), random_state=0)
    np.testing.assert_array_equal(
        flat.reshape(images.shape), make_anomalies(images, random_state=0)[0]
    )
    assert masks.shape == (40, 24, 30)
    colours = np.stack([images] * 3, axis=-1)
    anomalous, masks = make_anomalies(colours, random_state=0)
    assert anomalous.shape == (40, 24, 30, 3)
    assert masks.shape == (40, 24, 30)


def test_tiny_images():
    for shape in ((1, 1), (1, 7), (2, 2)):
        anomalous, _ = make_anomalies(
            np.random.RandomState(0).normal(size=(9, *shape)), kinds=list(KINDS), random_state=0
        )
        assert anomalous.shape == (9, *shape)


@pytest.mark.parametrize("kinds", ["erased", [], ["erased", "stain"]])
def test_unknown_kinds_are_refused(images, kinds):
    with pytest.raises(ValueError, match="kinds must be a list of some of cut_paste"):
        make_anomalies(images, kinds=kinds)


def test_perlin_noise_is_zero_at_its_corners_and_smooth():
    noise = perlin_noise((64, 64), 4, np.random.RandomState(0))
    np.testing.assert_allclose(noise[::16, ::16], 0, atol=1e-12)
    assert 0.2 < noise.std() < 0.6
    assert np.abs(np.diff(noise, axis=0)).max() < 0.2
