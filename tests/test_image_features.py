"""Features of images: momentum contrast, and modules that others have trained."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from skflow import RealNVPOutlierDetector
from skflow.images import FrozenFeatures, MoCoTransformer
from skflow.images._augment import Augment
from skflow.objectives import MomentumContrast
from skflow.training import Batch

SHAPE = (10, 12)


@pytest.fixture(scope="module")
def images():
    """Bars of five widths, anywhere and at any brightness; y is the width."""
    rng = np.random.RandomState(0)
    y = rng.randint(5, size=400)
    X = 0.1 * rng.normal(size=(400, *SHAPE))
    for image, width in zip(X, y, strict=True):
        start = rng.randint(12 - width)
        image[:, start : start + width + 1] += rng.uniform(0.5, 1.5)
    return X, y


@pytest.fixture
def moco():
    """Its views keep the width of bars."""
    return MoCoTransformer(
        width=8,
        n_features=16,
        zoom=0.0,
        shear=0.0,
        morphology=0.0,
        max_iter=150,
        batch_size=64,
        random_state=0,
    )


class TestMoCo:
    def test_mixed_precision(self, moco, images):
        X = images[0]
        mixed = clone(moco).set_params(mixed_precision=True).fit(X)
        exact = moco.fit(X)
        assert mixed.history_["loss"] != exact.history_["loss"]
        np.testing.assert_allclose(mixed.history_["loss"], exact.history_["loss"], rtol=0.1)
        assert np.isfinite(mixed.transform(X)).all()

    def test_learns_what_images_show(self, moco, images):
        X, y = images
        moco.fit(X)
        assert moco.history_["loss"][-1] < 0.9 * moco.history_["loss"][0]
        features = moco.transform(X)
        untrained = clone(moco).set_params(max_iter=0).fit(X).transform(X)

        def linear_probe(F):
            F = Normalizer().fit_transform(F)
            return (
                LogisticRegression(max_iter=2000, C=100)
                .fit(F[:200], y[:200])
                .score(F[200:], y[200:])
            )

        assert features.shape == (400, 16)
        assert linear_probe(features) > linear_probe(untrained) + 0.05

    def test_features_are_not_parallel_at_first(self, moco):
        """Else contrast has to part them before it learns: digits came out worse than untrained."""
        moco.set_params(max_iter=0)
        on_sphere = Normalizer().fit_transform(moco.fit_transform(load_digits().images[:400]))
        assert np.linalg.norm(on_sphere.mean(axis=0)) < 0.8

    def test_rows_shapes_and_seeds(self, moco, images):
        X, _ = images
        moco.set_params(max_iter=3)
        of_images = clone(moco).fit(X).transform(X[:9])
        table = clone(moco).set_params(image_shape=SHAPE).fit(X.reshape(400, -1))
        np.testing.assert_array_equal(of_images, table.transform(X[:9].reshape(9, -1)))
        np.testing.assert_allclose(table.transform(X[:3]), of_images[:3], rtol=1e-4, atol=1e-5)
        maps = table.feature_maps(X[:3])
        assert [m.shape for m in maps] == [(3, 8, 5, 6), (3, 16, 3, 3), (3, 32, 2, 2)]
        assert table.get_feature_names_out().tolist()[:2] == [
            "mocotransformer0",
            "mocotransformer1",
        ]

    def test_goes_on_from_weights(self, moco, images, tmp_path):
        X, _ = images
        moco.set_params(max_iter=20).fit(X)
        moco.save_weights(tmp_path / "moco.safetensors")
        same = clone(moco).set_params(weights=tmp_path / "moco.safetensors", max_iter=0).fit(X)
        np.testing.assert_array_equal(same.transform(X[:5]), moco.transform(X[:5]))
        before = moco.transform(X[:5])
        moco.set_params(warm_start=True, max_iter=1, learning_rate=1e-9).fit(X)
        np.testing.assert_allclose(moco.transform(X[:5]), before, rtol=1e-3, atol=1e-4)
        assert list(tmp_path.iterdir()) == [tmp_path / "moco.safetensors"]

    def test_weights_that_do_not_fit(self, moco, images, tmp_path):
        X, _ = images
        moco.set_params(max_iter=0).fit(X).save_weights(tmp_path / "moco.safetensors")
        wider = clone(moco).set_params(width=16, weights=tmp_path / "moco.safetensors")
        with pytest.raises(ValueError, match=r"must hold the encoder's weights; \d+ differ"):
            wider.fit(X)
        (tmp_path / "bad").write_bytes(b"no weights")
        with pytest.raises(ValueError, match="weights must be a safetensors file"):
            clone(moco).set_params(weights=tmp_path / "bad").fit(X)
        with pytest.raises(ValueError, match="there is none at"):
            clone(moco).set_params(weights=tmp_path / "none").fit(X)

    def test_low_resolution_recipe(self, moco, images):
        """Images are shrunk, then enlarged: what only fine images show is gone."""
        X, _ = images
        checkers = np.indices(SHAPE).sum(axis=0) % 2 - 0.5
        moco.set_params(max_iter=0, resolution=3, input_size=12).fit(X)
        fine = np.stack([X[0], X[0] + 0.3 * checkers])
        a, b = moco.transform(fine)
        sharp = clone(moco).set_params(resolution=None, input_size=None).fit(X).transform(fine)
        assert np.linalg.norm(a - b) < 0.3 * np.linalg.norm(sharp[0] - sharp[1])
        with pytest.raises(ValueError, match=r"resolution must be at most the 10 .*; got 11"):
            moco.set_params(resolution=11).fit(X)

    def test_an_encoder_of_ones_own(self, moco, images):
        X, _ = images
        torch.manual_seed(0)
        encoder = torch.nn.Sequential(torch.nn.Conv2d(1, 6, 3), torch.nn.ReLU())
        before = encoder[0].weight.clone()
        moco.set_params(encoder=encoder, max_iter=5).fit(X)
        assert moco.transform(X[:4]).shape == (4, 6)
        assert moco.feature_maps(X[:4])[0].shape == (4, 6, 8, 10)
        torch.testing.assert_close(encoder[0].weight, before)  # a copy was trained
        with pytest.raises(ValueError, match="encoder cannot take images of shape"):
            moco.set_params(encoder=torch.nn.Conv2d(3, 6, 3)).fit(X)

    def test_dropout_has_the_seed_and_nobody_else_s_generator(self, moco, images):
        X, _ = images
        encoder = torch.nn.Sequential(torch.nn.Conv2d(1, 6, 3), torch.nn.Dropout(0.5))
        moco.set_params(encoder=encoder, max_iter=3)
        before = torch.get_rng_state()
        first, second = (clone(moco).fit(X).transform(X[:5]) for _ in range(2))
        np.testing.assert_array_equal(first, second)
        assert torch.equal(torch.get_rng_state(), before)

    def test_parameters_count_when_it_is_fitted(self, moco, images):
        X, _ = images
        before = moco.set_params(max_iter=0).fit(X).transform(X[:5])
        moco.set_params(n_features=3, width=4, resolution=2)
        np.testing.assert_array_equal(moco.transform(X[:5]), before)
        with pytest.raises(NotFittedError):
            clone(moco).save_weights("nowhere")

    def test_the_paper_s_pipeline(self, moco, images):
        X, _ = images
        flow = RealNVPOutlierDetector(noise=0.1, max_iter=20, random_state=0)
        pipeline = make_pipeline(moco.set_params(max_iter=5), Normalizer(), flow).fit(X)
        assert pipeline.score_samples(X[:7]).shape == (7,)


class TestMomentumContrast:
    @pytest.fixture
    def encoder(self):
        torch.manual_seed(0)
        return torch.nn.Linear(4, 3)

    def make(self, encoder, view=lambda rows: rows, **params):
        defaults = {"n_features": 3, "queue_size": 6, "momentum": 0.9, "temperature": 0.5}
        generator = torch.Generator().manual_seed(0)
        return MomentumContrast(encoder, view, **{**defaults, **params}, generator=generator)

    def test_loss_by_hand(self, encoder):
        objective = self.make(encoder)
        rows = torch.randn(5, 4)
        unit = torch.nn.functional.normalize(encoder(rows), dim=1)
        positive = torch.exp((unit * unit).sum(dim=1) / 0.5)
        negative = torch.exp(unit @ objective.queue.T / 0.5).sum(dim=1)
        expected = -torch.log(positive / (positive + negative)).mean()
        torch.testing.assert_close(objective(encoder.eval(), Batch(rows)), expected)

    def test_keys_enter_the_queue_in_turn(self, encoder):
        objective = self.make(encoder, momentum=0.0)
        first = objective.queue.clone()
        rows = torch.randn(4, 4)
        objective(encoder.train(), Batch(rows))
        keys = torch.nn.functional.normalize(encoder(rows), dim=1)
        torch.testing.assert_close(objective.queue, torch.cat([keys, first[4:]]))
        objective(encoder.train(), Batch(rows))
        torch.testing.assert_close(objective.queue[[4, 5, 0, 1]], keys)
        before = objective.queue
        objective(encoder.eval(), Batch(rows))
        assert objective.queue is before

    def test_the_keys_encoder_follows(self, encoder):
        objective = self.make(encoder)
        former = objective.key_encoder.weight.clone()
        with torch.no_grad():
            encoder.weight.add_(1.0)
        objective(encoder.train(), Batch(torch.randn(2, 4)))
        torch.testing.assert_close(objective.key_encoder.weight, former + 0.1)
        assert not objective.key_encoder.weight.requires_grad


class TestAugment:
    def view(self, x, **limits):
        defaults = {"shift": 0.0, "rotation": 0.0, "intensity": 0.0, "noise": 0.0}
        return Augment(**{**defaults, **limits}, generator=torch.Generator().manual_seed(0))(x)

    @pytest.fixture
    def points(self):
        """A bright pixel in each of many images."""
        x = torch.zeros(300, 1, 21, 31)
        x[:, :, 10, 20] = 1.0
        return x

    def places(self, views):
        grid = torch.stack(
            torch.meshgrid(torch.arange(21.0) - 10, torch.arange(31.0) - 15, indexing="ij")
        )
        light = views / views.sum(dim=(2, 3), keepdim=True)
        return (light * grid).sum(dim=(2, 3))

    def test_nothing(self, points):
        torch.testing.assert_close(self.view(points), points)

    def test_shifts(self, points):
        places = self.places(self.view(points, shift=0.1))
        moved = (places - torch.tensor([0.0, 5.0])).abs().amax(dim=0)
        assert (moved <= torch.tensor([2.2, 3.2])).all()
        assert (moved > torch.tensor([1.8, 2.7])).all()

    def test_zoom_is_one_for_both_sides(self, points):
        places = self.places(self.view(points, zoom=0.25))
        assert places[:, 0].abs().max() < 0.1
        assert places[:, 1].min() == pytest.approx(5 / 1.25, abs=0.2)
        assert places[:, 1].max() == pytest.approx(5 * 1.25, abs=0.2)

    def test_shear_moves_rows_and_keeps_columns_of_the_middle(self):
        x = torch.zeros(300, 1, 21, 31)
        x[:, :, 15, 15] = 1.0
        down, right = self.places(self.view(x, shear=0.2)).T
        assert right.abs().max() == pytest.approx(5 * 0.2 * np.exp(0.2), abs=0.4)
        assert right.min() < -0.8
        assert right.max() > 0.8
        assert down.min() == pytest.approx(5 * np.exp(-0.2), abs=0.2)
        assert down.max() == pytest.approx(5 * np.exp(0.2), abs=0.2)

    def test_morphology_thickens_and_thins(self, points):
        light = self.view(points, morphology=1.0).sum(dim=(1, 2, 3))
        assert light.min() == pytest.approx(0, abs=0.05)
        assert light.max() == pytest.approx(9, abs=0.1)
        part = self.view(points, morphology=0.25).sum(dim=(1, 2, 3))
        assert part.min() == pytest.approx(0.75, abs=0.02)
        assert part.max() == pytest.approx(3, abs=0.1)

    def test_turns_keep_distances(self, points):
        places = self.places(self.view(points, rotation=30.0))
        distance = places.norm(dim=1)
        torch.testing.assert_close(distance, torch.full_like(distance, 5.0), rtol=0, atol=0.15)
        angle = torch.atan2(places[:, 0], places[:, 1]).abs().max() * 180 / torch.pi
        assert 28 < angle < 31

    def test_brightness_and_noise(self):
        x = torch.randn(200, 1, 20, 20, generator=torch.Generator().manual_seed(1))
        brighter = self.view(x, intensity=0.3).mean(dim=(1, 2, 3)) - x.mean(dim=(1, 2, 3))
        assert 0.2 < brighter.abs().max() < 0.45
        noisier = (self.view(x, noise=0.5) - x).std(dim=(1, 2, 3))
        assert noisier.max() < 0.55
        assert 0.2 < noisier.mean() < 0.3


class TestFrozenFeatures:
    @pytest.fixture
    def module(self):
        torch.manual_seed(0)
        return torch.nn.Sequential(
            torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU()
        ).train()

    def test_is_the_module(self, module, images):
        X, _ = images
        frozen = FrozenFeatures(module).fit(X)
        with torch.no_grad():
            expected = module.eval()(torch.tensor(X[:9, None], dtype=torch.float32))
        np.testing.assert_allclose(frozen.feature_maps(X[:9])[0], expected, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(
            frozen.transform(X[:9]), expected.mean(dim=(2, 3)), rtol=1e-4, atol=1e-6
        )

    def test_layers(self, module, images):
        X, _ = images
        frozen = FrozenFeatures(module, layers=("0", "2")).fit(X)
        assert frozen.transform(X[:2]).shape == (2, 8)
        assert len(frozen.feature_maps(X[:2])) == 2
        with pytest.raises(ValueError, match=r"layers must be names of submodules.*got \['7'\]"):
            FrozenFeatures(module, layers=["7"]).fit(X)

    def test_layers_before_in_place_ones(self, images):
        X, _ = images
        convolution = torch.nn.Conv2d(1, 4, 3)
        module = torch.nn.Sequential(convolution, torch.nn.ReLU(inplace=True))
        maps = FrozenFeatures(module, layers=["0"]).fit(X).feature_maps(X[:9])[0]
        assert maps.min() < 0

    def test_what_is_no_map(self, images):
        X, _ = images
        for module in (torch.nn.Flatten(0), torch.nn.Flatten(1, 2)):
            with pytest.raises(ValueError, match=r"must be features \(n, k\) or maps"):
                FrozenFeatures(module).fit(X)

    def test_a_failed_fit_changes_nothing(self, images):
        X, _ = images
        frozen = FrozenFeatures(torch.nn.Conv2d(1, 4, 5)).fit(X)
        before = frozen.transform(X[:3])
        with pytest.raises(ValueError, match="module cannot take images"):
            frozen.fit(np.zeros((5, 2, 2)))
        np.testing.assert_array_equal(frozen.transform(X[:3]), before)

    def test_grey_images_for_colour_modules(self, images):
        X, _ = images
        colour = torch.nn.Conv2d(3, 5, 1)
        assert FrozenFeatures(colour, channels=3).fit_transform(X).shape == (400, 5)
        with pytest.raises(ValueError, match="module cannot take images of shape"):
            FrozenFeatures(colour).fit(X)
