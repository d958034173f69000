"""FastFlowDetector: finds and locates what was planted, of shapes, seeds, backbones."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from skflow import AutoencoderDetector
from skflow.calibration import ConformalDetector
from skflow.images import (
    CSIDetector,
    FastFlowDetector,
    FrozenFeatures,
    MoCoTransformer,
    TransformationDetector,
    make_anomalies,
)
from skflow.metrics import roc_auc_score
from skflow.objectives import LocalBulkRare, LocalContrastive
from skflow.training import Batch

SHAPE = (12, 16)


def textures(n, seed):
    """Stripes with a random phase, and noise."""
    rng = np.random.RandomState(seed)
    phase = rng.uniform(0, 2 * np.pi, size=(n, 1, 1))
    rows = np.arange(SHAPE[0])[:, None] + np.zeros(SHAPE)
    return np.sin(rows * 1.2 + phase) + 0.2 * rng.normal(size=(n, *SHAPE))


def spotted(images, height=1.2):
    """A square spot in each image, and where it is."""
    rng = np.random.RandomState(3)
    out, masks = images.copy(), np.zeros(images.shape, dtype=bool)
    for image, mask in zip(out, masks, strict=True):
        row, column = rng.randint(0, 9), rng.randint(0, 13)
        mask[row : row + 3, column : column + 3] = True
        image[mask] += height
    return out, masks


@pytest.fixture(scope="module")
def bulk():
    return textures(300, 0)


@pytest.fixture
def quick():
    return FastFlowDetector(
        objective="likelihood", max_iter=150, n_blocks=4, hidden_features=16, random_state=0
    )


def image_auroc(detector, ordinary, anomalous):
    y = np.repeat([1, -1], [len(ordinary), len(anomalous)])
    return roc_auc_score(y, detector.anomaly_score(np.concatenate([ordinary, anomalous])))


def pixel_auroc(detector, images, masks):
    return roc_auc_score(np.where(masks.ravel(), -1, 1), detector.anomaly_map(images).ravel())


@pytest.mark.parametrize("objective", ["likelihood", "contrastive", "bulk_rare"])
def test_finds_and_locates_spots(quick, bulk, objective):
    quick.set_params(objective=objective).fit(bulk)
    ordinary = textures(150, 1)
    anomalous, masks = spotted(ordinary)
    assert image_auroc(quick, ordinary, anomalous) > 0.9
    assert pixel_auroc(quick, anomalous, masks) > 0.9
    phases = list(dict.fromkeys(quick.history_["phase"]))
    assert phases == (["warm-up"] if objective == "likelihood" else ["warm-up", "contrast"])


def test_synthetic_anomalies_help(quick, bulk):
    """Against kinds that were not planted in training: faint spots."""
    ordinary = textures(200, 1)
    anomalous, masks = spotted(ordinary, height=0.4)
    plain = clone(quick).set_params(max_iter=300).fit(bulk)
    quick.set_params(objective="contrastive", max_iter=300).fit(bulk)
    assert pixel_auroc(quick, anomalous, masks) > pixel_auroc(plain, anomalous, masks)
    assert image_auroc(quick, ordinary, anomalous) > image_auroc(plain, ordinary, anomalous) + 0.01


def test_known_anomalies_are_learned_as_a_whole(quick, bulk):
    """Rows with y = -1 and X_contrast, without synthetic ones."""
    faint, _ = spotted(textures(200, 5), height=0.6)
    X, y = np.concatenate([bulk, faint]), np.repeat([1, -1], [300, 200])
    ordinary = textures(150, 1)
    anomalous, _ = spotted(ordinary, height=0.6)
    quick.set_params(pooling="mean")
    plain = clone(quick).fit(X, y)
    np.testing.assert_array_equal(plain.score_samples(X), clone(quick).fit(bulk).score_samples(X))
    quick.set_params(objective="contrastive", anomalies=None)
    labelled = clone(quick).fit(X, y)
    auxiliary = clone(quick).fit(bulk, X_contrast=faint)
    np.testing.assert_allclose(
        labelled.score_samples(ordinary), auxiliary.score_samples(ordinary), rtol=1e-9
    )
    assert image_auroc(labelled, ordinary, anomalous) > image_auroc(plain, ordinary, anomalous)


def test_tables_and_images_are_the_same(quick, bulk):
    quick.set_params(max_iter=5)
    of_images = clone(quick).fit(bulk).score_samples(bulk[:7])
    flat = bulk.reshape(300, -1)
    as_table = clone(quick).set_params(image_shape=SHAPE).fit(flat)
    np.testing.assert_array_equal(as_table.score_samples(flat[:7]), of_images)
    assert as_table.image_shape_ == (*SHAPE, 1)
    assert as_table.anomaly_map(flat[:2]).shape == (2, *SHAPE)
    colours = clone(quick).fit(np.stack([bulk] * 3, axis=-1))
    assert colours.image_shape_ == (*SHAPE, 3)
    assert colours.anomaly_map(np.stack([bulk[:2]] * 3, axis=-1)).shape == (2, *SHAPE)


def test_rows_do_not_depend_on_each_other(quick, bulk):
    quick.set_params(max_iter=5).fit(bulk)
    np.testing.assert_allclose(
        np.concatenate([quick.score_samples(bulk[:3]), quick.score_samples(bulk[3:50])]),
        quick.score_samples(bulk[:50]),
        rtol=1e-9,
    )


def test_seeds_and_pickles(quick, bulk):
    quick.set_params(max_iter=5, objective="contrastive")
    first, second = clone(quick).fit(bulk), clone(quick).fit(bulk)
    np.testing.assert_array_equal(first.score_samples(bulk), second.score_samples(bulk))
    again = pickle.loads(pickle.dumps(first))
    np.testing.assert_array_equal(first.anomaly_map(bulk[:3]), again.anomaly_map(bulk[:3]))


@pytest.mark.parametrize(
    "detector",
    [
        FastFlowDetector(max_iter=3, n_blocks=2),
        AutoencoderDetector(architecture="conv", max_iter=3),
        CSIDetector(max_iter=3, hidden_features=4),
        TransformationDetector(max_iter=3, hidden_features=4),
    ],
)
def test_thresholds_by_a_second_fit_and_detectors_around(detector, bulk):
    """Copies that are fitted inside know the shape of the images, too."""
    detector.set_params(early_stopping=False, random_state=0)
    assert np.isfinite(clone(detector).fit(bulk[:40]).offset_)
    flat = bulk[:40].reshape(40, -1)
    around = ConformalDetector(clone(detector).set_params(image_shape=SHAPE), cv=2)
    assert around.fit(flat).p_values(flat[:3]).shape == (3,)


@pytest.mark.parametrize("objective", ["likelihood", "contrastive"])
def test_false_alarms_of_the_automatic_threshold(quick, objective):
    """Nothing of the held-out images is in what they are judged by."""
    quick.set_params(objective=objective, max_iter=60, n_blocks=2, hidden_features=8)
    alarms = [
        np.mean(clone(quick).fit(textures(120, seed)).predict(textures(400, 100 + seed)) == -1)
        for seed in range(4)
    ]
    assert np.mean(alarms) < 0.17  # of twelve held-out images the lowest: 1 / 13 in the mean


def test_a_destroyed_density_is_warned_about(quick, bulk):
    quick.set_params(
        objective="contrastive",
        anomalies=None,
        contrast_weight=50.0,
        clamp_margin=0.01,
        learning_rate=0.05,
    )
    with pytest.warns(UserWarning, match="have destroyed the density of the bulk"):
        quick.fit(bulk, X_contrast=bulk)


def test_anomalies_smaller_than_a_position(quick):
    """Single pixels, seen through a backbone of a coarse grid."""
    X = np.random.RandomState(0).normal(size=(40, 32, 32))
    backbone = torch.nn.Conv2d(1, 4, 16, stride=16)
    quick.set_params(backbone=backbone, objective="contrastive", anomalies=("dead", "hot"))
    assert np.isfinite(quick.set_params(max_iter=10, batch_size=2).fit(X).score_samples(X)).all()


def test_goes_on_with_another_objective(quick, bulk):
    quick.set_params(max_iter=5).fit(bulk)
    quick.set_params(objective="contrastive", warm_start=True).fit(bulk)
    assert quick.n_iter_ == 10


def test_memory_of_planting_is_bounded(quick, monkeypatch):
    planted = []

    def make(X, **kwargs):
        planted.append(len(X))
        return make_anomalies(X, **kwargs)

    monkeypatch.setattr("skflow.images._fastflow.make_anomalies", make)
    monkeypatch.setattr("skflow.images._fastflow.PLANTED_VALUES", 192 * 50)
    quick.set_params(objective="contrastive", max_iter=2)
    clone(quick).fit(textures(40, 0))
    clone(quick).fit(textures(100, 0))
    assert planted == [50, 50, 50, 90]  # of 4 and 36, of 10 and 90 images


def test_the_number_of_steps_grows_with_that_of_images():
    detector = FastFlowDetector()
    steps = [detector._resolved_max_iter(n) for n in (4, 400, 10**6)]
    assert steps == [100, 600, 3000]


def test_smoothing_and_pooling(quick, bulk):
    quick.set_params(max_iter=5, smoothing=0.0).fit(bulk)
    sharp = quick.anomaly_map(bulk[:20])
    np.testing.assert_allclose(quick.anomaly_score(bulk[:20]), sharp.max(axis=(1, 2)))
    quick.set_params(pooling="mean")
    np.testing.assert_allclose(quick.anomaly_score(bulk[:20]), sharp.mean(axis=(1, 2)))
    quick.set_params(smoothing=2.0)
    assert quick.anomaly_map(bulk[:20]).std() < sharp.std()


def test_images_with_nan(quick, bulk):
    holed = bulk.copy()
    holed[3, 0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN at row 3, column 0"):
        quick.fit(holed)
    quick.set_params(nan_policy="omit", max_iter=5).fit(holed)
    assert quick.n_omitted_ == 1
    maps = quick.anomaly_map(holed[2:5])
    assert np.isnan(maps).all(axis=(1, 2)).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("params", "X", "message"),
    [
        ({"image_shape": (12, 12)}, np.zeros((9, 192)), "has 144 pixels, as many as X must have"),
        ({"image_shape": (12, 12)}, np.zeros((9, 12, 16)), "must be the shape of the images in X"),
        ({"image_shape": (12,)}, np.zeros((9, 192)), r"image_shape must be \(height, width\)"),
        ({"image_shape": (0, 4)}, np.zeros((9, 192)), "whole numbers of at least 1"),
        ({"backbone": "vgg"}, np.zeros((9, 192)), "'backbone' parameter of FastFlowDetector"),
        ({"anomalies": ["stain"]}, np.eye(9), "anomalies must be a list"),
        ({"anomalies": ()}, np.eye(9), r"anomalies must be a list .*; got \(\)"),
    ],
)
def test_bad_parameters(quick, params, X, message):
    with pytest.raises(ValueError, match=message):
        quick.set_params(**params).fit(X)
    assert not hasattr(quick, "image_shape_")


def test_images_of_another_shape_are_refused(quick, bulk):
    quick.set_params(max_iter=2).fit(bulk)
    with pytest.raises(ValueError, match=r"shape \(12, 16, 1\) of those in fit; got \(16, 12\)"):
        quick.score_samples(bulk.transpose(0, 2, 1))
    with pytest.raises(ValueError, match="X_contrast does not match X"):
        clone(quick).set_params(objective="contrastive").fit(bulk, X_contrast=bulk[:, :5])


class TestBackbones:
    def test_a_module(self, quick, bulk):
        torch.manual_seed(0)
        module = torch.nn.Sequential(torch.nn.Conv2d(1, 6, 3, padding=1), torch.nn.Tanh())
        quick.set_params(backbone=module).fit(bulk)
        ordinary = textures(100, 1)
        anomalous, masks = spotted(ordinary, height=2.0)
        assert pixel_auroc(quick, anomalous, masks) > 0.8
        several = FrozenFeatures(module, layers=["0", "1"])
        assert len(clone(quick).set_params(backbone=several).fit(bulk).map_shapes_) == 2

    def test_momentum_contrast(self, quick, bulk):
        moco = MoCoTransformer(width=8, n_features=4, max_iter=3, random_state=0)
        quick.set_params(max_iter=5, backbone=moco).fit(bulk)
        assert [shape[0] for shape in quick.map_shapes_] == [8, 16, 32]
        # What is frozen is not fitted again.
        frozen = FrozenEstimator(moco.fit(bulk[:50]))
        weights = moco.weights_["encoder.stem.weight"]
        clone(quick).set_params(backbone=frozen).fit(bulk)
        np.testing.assert_array_equal(moco.weights_["encoder.stem.weight"], weights)

    def test_seeds_and_shapes(self, quick, bulk):
        moco = MoCoTransformer(width=8, n_features=4, max_iter=2)
        quick.set_params(max_iter=3, backbone=moco)
        scores = [clone(quick).fit(bulk).score_samples(bulk[:5]) for _ in range(2)]
        np.testing.assert_array_equal(*scores)
        frozen = FrozenEstimator(clone(moco).fit(bulk.transpose(0, 2, 1)))
        with pytest.raises(ValueError, match=r"backbone must be for images of shape \(12, 16, 1\)"):
            quick.set_params(backbone=frozen).fit(bulk)

    def test_without_maps(self, quick, bulk):
        flat = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 3))
        with pytest.raises(ValueError, match="backbone must give feature maps"):
            quick.set_params(backbone=flat).fit(bulk)


def test_local_losses_by_hand():
    """Inside the masks the contrast, outside the bulk, and the border is neither."""

    class Module:
        def log_prob(self, rows):
            return -rows

        def planted(self, rows):
            inside = torch.tensor([[True, True, False, False]])
            outside = torch.tensor([[False, False, False, True]])
            return inside, outside

    bulk = torch.tensor([[1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0]])
    contrast = torch.tensor([[3.0, 90.0, 50.0, 7.0]])
    loss = LocalContrastive(0.5, 10.0)
    assert loss(Module(), Batch(bulk, contrast)) == 2.5  # the warm-up
    loss.freeze(bulk)
    assert loss.clamp == 12.0  # torch's median of eight is the fourth
    expected = (20.0 + 7.0) / 9 - 0.5 * (3.0 + 12.0) / 2
    assert loss(Module(), Batch(bulk, contrast)).item() == pytest.approx(expected)
    loss = LocalBulkRare(0.5, 10.0)
    loss.freeze(bulk)
    expected = (20.0 + 7.0) / 9 - 0.5 * 3.0 / 2
    assert loss(Module(), Batch(bulk, contrast)).item() == pytest.approx(expected)
