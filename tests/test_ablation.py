"""The ablation study: its variants do what they say, and its table says what came out."""

import inspect
import math
from pathlib import Path

import ablation
import ablation_detectors
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.preprocessing import MinMaxScaler
from synthetic_results import make_lines, write_results

from skflow import FlowNeighborsDetector, RealNVPOutlierDetector
from skflow.benchmark import read_results, run_benchmark
from skflow.benchmark._config import read_config
from skflow.benchmark._fit import check_detectors
from skflow.detectors import TorchDetector
from skflow.flows import fuse

CONFIG = Path(__file__).parent.parent / "benchmarks" / "configs" / "ablation.toml"
SMALL = {"n_blocks": 2, "hidden_features": 16, "max_iter": 60, "random_state": 0}
VARIANTS = [
    variant
    for _, variant in inspect.getmembers(ablation_detectors, inspect.isclass)
    if variant.__module__ == "ablation_detectors"
    and hasattr(variant, "score_samples")
    and variant is not ablation_detectors.Preprocessed
]


def make(variant, **params):
    small = SMALL if issubclass(variant, TorchDetector) else {"random_state": 0}
    return variant(**{**small, **params})


@pytest.fixture
def rows():
    """300 rows of a curved density in standardised features."""
    a, b, c = np.random.RandomState(0).normal(size=(3, 300))
    X = np.column_stack([a, a**2 + 0.3 * b, c])
    return (X - X.mean(axis=0)) / X.std(axis=0)


def test_all_names_of_the_configuration_can_be_made():
    config = read_config(CONFIG)
    check_detectors(config.detectors)
    used = {d.use.partition(":")[2] for d in config.detectors if ":" in d.use}
    assert used == {v.__name__ for v in VARIANTS} | {"own_defaults"}
    bases = {d.name.partition(":")[0] for d in config.detectors}
    assert bases <= {d.name for d in config.detectors}
    assert not set(config.seeds) & set(range(5))  # those of the published tables


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: v.__name__)
def test_variants_rank_an_outlier_last(variant, rows):
    detector = make(variant).fit(rows)
    rows_and_outlier = np.vstack([rows, [[6.0, -6.0, 6.0]]])
    scores = detector.score_samples(rows_and_outlier)
    assert scores.shape == (301,)
    assert np.isfinite(scores).all()
    assert scores.argmin() == 300
    labels = detector.predict(rows_and_outlier)
    assert labels[300] == -1
    assert np.mean(labels == 1) > 0.7
    again = clone(detector).fit(rows).score_samples(rows)
    np.testing.assert_array_equal(again, scores[:300])


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: v.__name__)
def test_variants_work_on_few_rows(variant, rows):
    assert np.isfinite(make(variant).fit(rows[:15]).score_samples(rows)).all()


def test_min_max_scaling_changes_nothing(rows):
    plain = RealNVPOutlierDetector(**SMALL).fit(rows)
    scaler = MinMaxScaler().fit(rows)
    scaled = RealNVPOutlierDetector(**SMALL).fit(scaler.transform(rows))
    expected = plain.score_samples(rows) - np.log(scaler.scale_).sum()
    np.testing.assert_allclose(scaled.score_samples(scaler.transform(rows)), expected, atol=0.05)


def test_preprocessing_is_learned_from_training_rows(rows):
    detector = make(ablation_detectors.Arcsinh).fit(rows)
    mean, std = rows.mean(axis=0), rows.std(axis=0)
    transformed = np.arcsinh((rows[:50] - mean) / std)
    np.testing.assert_allclose(detector.transformer_.transform(rows[:50]), transformed)
    doubled = np.column_stack([rows, 2 * rows])  # of rank 3
    assert make(ablation_detectors.Whitened).fit(doubled).architecture_["n_features"] == 3
    normal = make(ablation_detectors.QuantileNormal).fit(rows).transformer_.transform(rows)
    np.testing.assert_allclose(np.median(normal, axis=0), 0, atol=0.02)


@pytest.mark.parametrize("n_features", [1, 2])
def test_density_under_noise_of_many_sizes_integrates_to_1(n_features, rows):
    detector = make(ablation_detectors.MultiScaleNoise, max_iter=200).fit(rows[:, :n_features])
    axis = np.linspace(-12, 12, 481)
    grid = np.stack(np.meshgrid(*[axis] * n_features), axis=-1).reshape(-1, n_features)
    density = np.exp(detector.score_samples(grid))
    assert density.sum() * (axis[1] - axis[0]) ** n_features == pytest.approx(1, abs=0.02)


def test_a_flow_told_the_noise_finds_the_density_under_each():
    X = np.random.RandomState(0).normal(size=(2000, 1))
    detector = make(ablation_detectors.MultiScaleNoise, max_iter=500).fit(X)
    grid = np.linspace(-2, 2, 41)[:, None]
    for scale in detector.SCALES:
        told = np.column_stack([grid, np.full(41, np.log(scale))])
        found = RealNVPOutlierDetector._score_samples(detector, told)
        variance = 1 + scale**2
        expected = -0.5 * (grid[:, 0] ** 2 / variance + math.log(2 * math.pi * variance))
        np.testing.assert_allclose(found, expected, atol=0.3)


def test_noise_of_many_sizes():
    rows = torch.zeros(200_000, 2, dtype=torch.float64)
    noisy = ablation_detectors.ScaledNoise().added(rows, torch.Generator().manual_seed(0))
    log_scale = noisy[:, 1]
    assert log_scale.exp().min() == pytest.approx(0.02, rel=1e-3)
    assert log_scale.exp().max() == pytest.approx(1, rel=1e-3)
    assert log_scale.mean() == pytest.approx((math.log(0.02) + math.log(1)) / 2, abs=0.02)
    assert (noisy[:, 0] / log_scale.exp()).std() == pytest.approx(1, abs=0.01)


def test_scores_of_the_same_flow_by_hand(rows):
    flow = RealNVPOutlierDetector(**SMALL).fit(rows)
    log_prob = flow.score_samples(rows)
    latent_norm = make(ablation_detectors.LatentNorm).fit(rows)
    by_hand = -np.square(flow.transform(rows)).sum(axis=1)
    np.testing.assert_allclose(latent_norm.score_samples(rows), by_hand)
    typicality = make(ablation_detectors.Typicality).fit(rows)
    held_out = clone(flow)
    held_out.n_features_in_ = 3
    mean = flow.score_samples(held_out._fit(rows, rows[:0])).mean()
    assert typicality.mean_log_prob_ == pytest.approx(mean)
    np.testing.assert_allclose(typicality.score_samples(rows), -np.abs(log_prob - mean))
    # Few rows are all trained on: then the mean is theirs.
    few = make(ablation_detectors.Typicality).fit(rows[:15])
    own = RealNVPOutlierDetector(**SMALL).fit(rows[:15]).score_samples(rows[:15])
    assert few.mean_log_prob_ == pytest.approx(own.mean())


@pytest.mark.parametrize("n_rows", [15, 300])
def test_weights_are_averaged(n_rows, rows, monkeypatch):
    seen = []

    def spy(average, current, n_averaged):
        seen.append((average.clone(), current.detach().clone(), int(n_averaged)))
        seen[-1] += (result := original(average, current, n_averaged),)
        return result

    original = ablation_detectors._moving_average
    monkeypatch.setattr(ablation_detectors, "_moving_average", spy)
    detector = make(ablation_detectors.WeightAveraged).fit(rows[:n_rows])
    assert len(seen) == detector.n_iter_ - 1  # the first step starts the average
    for average, current, n_averaged, result in seen:
        decay = min(0.99, (1 + n_averaged) / (10 + n_averaged))
        torch.testing.assert_close(result, decay * average + (1 - decay) * current)
    # The fitted weights are one of the averages, the last one where nothing is held out.
    module = detector._make_module(detector.architecture_, torch.Generator())
    module.load_state_dict({k: torch.tensor(v) for k, v in detector.weights_.items()})
    flat = fuse(module).flat.detach()
    matches = [torch.equal(flat, result) for *_, result in seen]
    assert any(matches)
    assert n_rows > 20 or matches[-1]
    if n_rows > 20:
        held_out_losses = detector.history_["validation_loss"]
        held_out = clone(detector)
        held_out.n_features_in_ = 3
        loss = -detector.score_samples(held_out._fit(rows, rows[:0])).mean()
        assert loss == pytest.approx(min(held_out_losses), rel=1e-4)


def test_neighbours_of_one_kind_add_up_to_all(rows):
    both = FlowNeighborsDetector(random_state=0).fit(rows).score_samples(rows)
    latent = ablation_detectors.LatentNeighbors(random_state=0).fit(rows).score_samples(rows)
    data = ablation_detectors.DataNeighbors(random_state=0).fit(rows).score_samples(rows)
    np.testing.assert_allclose(both, (latent + 2 * data) / 3)
    as_they_are, drawn_in = (
        variant(random_state=0).fit(rows).score_samples(rows)
        for variant in (ablation_detectors.TailsAsTheyAre, ablation_detectors.TailsDrawnIn)
    )
    np.testing.assert_allclose(both, (2 * as_they_are + 2 * drawn_in - latent) / 3)


def test_flows_of_neighbours(rows):
    given = FlowNeighborsDetector()._flow(rows)
    wanted = {
        "NoiseInDeviations": {"noise": 0.3},
        "LittleNoise": {"noise": given.noise / 5},
        "MuchNoise": {"noise": 4 * given.noise},
        "SmallFlow": {},  # as it is below 2,000 rows
        "LargeFlow": {"n_blocks": 8, "max_iter": "auto", "batch_size": 256},
    }
    for variant, changed in wanted.items():
        flow = getattr(ablation_detectors, variant)()._flow(rows).get_params()
        np.testing.assert_array_equal(flow.pop("noise"), changed.pop("noise", given.noise))
        expected = {**given.get_params(), **changed}
        del expected["noise"]
        assert flow == expected
    many = np.tile(rows, (10, 1))
    small = ablation_detectors.SmallFlow()._flow(many)
    assert (small.max_iter, small.batch_size, small.hidden_features) == (60, 128, 128)
    own = ablation_detectors.own_defaults()._flow(rows)
    assert own.get_params() == RealNVPOutlierDetector().get_params()


def test_distances_in_standard_deviations(rows):
    detector = ablation_detectors.DataInDeviations(random_state=0).fit(rows)
    *data, latent = (part._fit_X for part in detector.neighbors_)
    for part in data:
        np.testing.assert_allclose(part.std(axis=0), 1)
    default = FlowNeighborsDetector(random_state=0).fit(rows)
    np.testing.assert_array_equal(latent, default.neighbors_[2]._fit_X)


def results_of(values, tmp_path):
    """Results with the AUROC of (data set, detector) over one seed; None is a failure."""
    environment, pattern = make_lines(["flow"], ["a"], ["one-class"], n_seeds=1)
    lines = [environment]
    for (dataset, n, d, detector), auroc in values.items():
        line = {**pattern, "dataset": dataset, "detector": detector, "n_train": n // 2}
        line |= {"n_test": n - n // 2, "n_features": d, "auroc": auroc, "fit_seconds": 2.0}
        line |= {"average_precision": auroc, "tpr_at_1pct_fpr": auroc, "score_seconds": 0.5}
        line["error"] = None if auroc is not None else "ValueError: no"
        lines.append(line)
    return write_results(tmp_path / "results.jsonl", lines)


def test_table(tmp_path, capsys):
    sizes = {"a": (100, 3), "b": (999, 20), "c": (1000, 19), "d": (5000, 90)}
    aurocs = {
        "flow": [0.8, 0.6, 0.7, 0.9],
        "flow: good|x": [0.9, 0.7, 0.8, 1.0],
        "flow: mixed": [0.7, 0.6, 0.7, None],
        "neighbours": [0.9, 0.9, 0.9, 0.9],
        "neighbours: 5": [0.8, 0.9, 0.9, 0.8],
    }
    values = {
        (dataset, *sizes[dataset], detector): auroc
        for detector, column in aurocs.items()
        for dataset, auroc in zip(sizes, column, strict=True)
    }
    path = results_of(values, tmp_path)
    ablation.main([str(path)])
    table = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out.strip() in table
    cells = {
        line.replace("\\|", "/").split(" | ")[0].lstrip("| "): line.rstrip(" |").split(" | ")[1:]
        for line in table.replace("\\|", "/").splitlines()
        if line.startswith("| ")
    }
    flow, neighbours = table.split("## ")[1:]
    assert flow.startswith("flow\n")
    assert flow.index("| flow |") < flow.index("| neighbours |") < flow.index("| good")
    assert neighbours.index("| neighbours |") < neighbours.index("| 5 |")
    assert "| Variant | AUROC | Difference (4) | AP | n < 1,000 (2) | n >= 1,000 (2)" in flow
    assert "good" not in neighbours
    gain = "+10.0 [+10.0, +10.0]"
    assert cells["good/x"] == ["85.0", gain, "85.0", gain, gain, gain, gain, "2.5", "0 of 4"]
    # A failure counts as chance.
    mixed = cells["mixed"]
    assert mixed[0] == "62.5"
    assert mixed[1].startswith("-12.5 [")
    assert [cell.split(" ")[0] for cell in mixed[3:7]] == ["-5.0", "-20.0", "-5.0", "-20.0"]
    assert mixed[3] == "-5.0 [-10.0, +0.0]"
    assert mixed[-1] == "1 of 4"
    assert cells["5"][1].startswith("-5.0 [")


def test_table_of_an_unfinished_run(tmp_path):
    values = {("a", 100, 3, "flow"): 0.9, ("a", 100, 3, "flow: x"): 0.8}
    table = ablation.make_table(read_results(results_of(values, tmp_path)))
    assert "## flow" in table
    assert "Difference (0)" in table


def test_the_runner_makes_variants_and_the_table_reads_them(tmp_path):
    config = {
        "datasets": ["sklearn/wine", "sklearn/breast_cancer"],
        "detectors": [
            {"name": "neighbours", "use": "FlowNeighborsDetector"},
            {"name": "neighbours: data", "use": "ablation_detectors:DataNeighbors"},
        ],
        "seeds": [100],
    }
    path = run_benchmark(config, output=tmp_path / "results.jsonl")
    results = read_results(path)
    assert results["error"].isna().all()
    assert "| data |" in ablation.make_table(results)
