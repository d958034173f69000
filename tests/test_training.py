"""The training loop: batches, schedule, early stopping, recovery from non-finite losses."""

import itertools
import logging
import math

import numpy as np
import pytest
import torch

from skflow.training import Batch, Noise, batches, resolve_seed, seeded_torch, train


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def regression() -> tuple[torch.nn.Module, object]:
    """A linear layer without bias, and the loss of fitting y = 2 x."""
    module = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        module.weight.fill_(-1.0)
    return module, lambda module, batch: (module(batch) - 2 * batch).square().mean()


def endless(value: float = 1.0):
    return itertools.repeat(torch.full((4, 1), value))


def test_minimises_and_tells_history():
    module, objective = regression()
    told = []
    history = train(
        module,
        objective,
        endless(),
        max_iter=200,
        learning_rate=0.1,
        eval_interval=50,
        on_evaluation=lambda *args: told.append(args),
    )
    assert module.weight.item() == pytest.approx(2.0, abs=0.01)
    assert history["step"] == [50, 100, 150, 200]
    assert history["loss"][-1] < history["loss"][0]
    assert [step for step, _, _ in told] == history["step"]
    assert all(math.isnan(loss) for loss in history["validation_loss"])
    assert not module.training


def test_step_size_goes_up_and_down():
    module, objective = regression()
    history = train(module, objective, endless(), max_iter=100, learning_rate=0.1, eval_interval=1)
    rates = history["learning_rate"]
    peak = rates.index(max(rates))
    assert max(rates) == pytest.approx(0.1, rel=1e-3)
    assert 20 <= peak <= 40
    assert rates[-1] < 0.001


def test_mixed_precision_is_for_steps_alone():
    module, objective = regression()
    dtypes = {"step": set(), "held out": set()}

    def loss(module, batch):
        dtypes["step" if torch.is_grad_enabled() else "held out"].add(module(batch).dtype)
        return objective(module, batch)

    train(
        module,
        loss,
        endless(),
        max_iter=200,
        learning_rate=0.1,
        mixed_precision=True,
        validate=lambda module: float(loss(module, torch.ones(4, 1))),
    )
    assert dtypes == {"step": {torch.bfloat16}, "held out": {torch.float32}}
    assert module.weight.dtype == torch.float32
    assert module.weight.item() == pytest.approx(2.0, abs=0.02)


def test_best_state_is_restored_and_patience_ends():
    module, objective = regression()
    # Held-out rows say that 0.5 is best: training passes it on the way to 2.
    history = train(
        module,
        objective,
        endless(),
        max_iter=2000,
        learning_rate=0.02,
        validate=lambda module: (module.weight.item() - 0.5) ** 2,
        eval_interval=5,
        n_iter_no_change=4,
    )
    assert module.weight.item() == pytest.approx(0.5, abs=0.15)
    assert min(history["validation_loss"]) == (module.weight.item() - 0.5) ** 2
    assert history["step"][-1] < 2000
    assert (
        history["validation_loss"].index(min(history["validation_loss"]))
        == len(history["step"]) - 5
    )


def test_start_is_kept_where_training_only_hurts():
    module, objective = regression()
    train(
        module,
        objective,
        endless(),
        max_iter=50,
        learning_rate=0.1,
        validate=lambda module: abs(module.weight.item() + 1),
    )
    assert module.weight.item() == -1.0


def test_callback_stops():
    module, objective = regression()
    history = train(
        module,
        objective,
        endless(),
        max_iter=100,
        learning_rate=0.1,
        eval_interval=10,
        on_evaluation=lambda step, *_: step >= 20,
    )
    assert history["step"] == [10, 20]


def test_recovers_from_a_non_finite_loss(caplog):
    module, objective = regression()
    stream = itertools.chain(
        itertools.islice(endless(), 60),
        itertools.repeat(torch.full((4, 1), math.inf), 2),
        endless(),
    )
    with caplog.at_level(logging.WARNING, logger="skflow"):
        history = train(
            module,
            objective,
            stream,
            max_iter=2000,
            learning_rate=0.1,
            validate=lambda module: abs(module.weight.item() - 2),
            eval_interval=1,
        )
    assert "non-finite loss at step 61" in caplog.text
    assert module.weight.item() == pytest.approx(2.0, abs=0.1)
    # Two restarts: the step size is a sixteenth from there on.
    assert max(history["learning_rate"][62:]) < 0.1 / 15
    # The restart itself is at the state of the lowest held-out loss.
    assert history["validation_loss"][60] == min(history["validation_loss"][:60])


def test_nan_on_held_out_rows_is_no_best_state():
    module, objective = regression()
    losses = iter([5.0, 4.0, 1.0, math.nan, math.nan, 3.0])
    kept = []

    def validate(module):
        kept.append(module.weight.item())
        return next(losses)

    train(
        module,
        objective,
        endless(),
        max_iter=50,
        learning_rate=0.1,
        validate=validate,
        eval_interval=10,
    )
    assert module.weight.item() == kept[2]


@pytest.mark.parametrize("max_iter", [1, 2, 3, 5])
@pytest.mark.parametrize("learning_rate", [1e30, math.inf])
def test_divergence_in_few_steps_is_an_error(max_iter, learning_rate):
    module, objective = regression()
    with pytest.raises(FloatingPointError, match="training diverged"):
        train(module, objective, endless(), max_iter=max_iter, learning_rate=learning_rate)


def test_gives_up_on_lasting_non_finite_loss():
    module, objective = regression()
    with pytest.raises(FloatingPointError, match="stayed non-finite at step 6 of 100"):
        train(module, objective, endless(math.nan), max_iter=100, learning_rate=0.1)


@pytest.mark.parametrize("max_iter", [1, 2, 3, 7])
def test_few_steps(max_iter):
    module, objective = regression()
    history = train(module, objective, endless(), max_iter=max_iter, learning_rate=0.1)
    assert history["step"] == [max_iter]


def test_batches_see_every_row_once_an_epoch():
    rows = Batch(torch.arange(10.0).reshape(-1, 1), torch.arange(3.0).reshape(-1, 1))
    stream = batches(rows, 5, (Noise(), Noise()), generator())
    first, second = next(stream), next(stream)
    assert sorted(torch.cat([first.bulk, second.bulk]).flatten().tolist()) == list(range(10))
    # Fewer contrast rows than a batch: all of them, each time.
    assert sorted(second.contrast.flatten().tolist()) == [0, 1, 2]
    assert next(batches(Batch(rows.bulk), 50, (Noise(), Noise()), generator())).bulk.shape == (
        10,
        1,
    )


def test_noise_is_new_each_time_and_scaled_by_feature():
    rows = Batch(torch.zeros(2000, 2, dtype=torch.float64))
    scale = torch.tensor([0.0, 3.0], dtype=torch.float64)
    stream = batches(rows, 2000, (Noise(scale), Noise()), generator())
    a, b = next(stream).bulk, next(stream).bulk
    assert a[:, 0].abs().max() == 0
    assert a[:, 1].std().item() == pytest.approx(3.0, rel=0.1)
    assert not a.equal(b)


def test_uniform_noise_fills_one_step():
    rows = Batch(torch.zeros(5000, 2, dtype=torch.float64))
    width = torch.tensor([2.0, 0.0], dtype=torch.float64)
    drawn = next(batches(rows, 5000, (Noise(None, width), Noise()), generator())).bulk
    assert drawn[:, 1].abs().max() == 0
    assert drawn[:, 0].abs().max() <= 1
    assert drawn[:, 0].std().item() == pytest.approx(2 / 12**0.5, rel=0.05)


def test_seeded_torch_puts_the_global_generator_back():
    before = torch.random.get_rng_state()
    with seeded_torch(3):
        a = torch.rand(2)
    with seeded_torch(3):
        assert torch.rand(2).equal(a)
    assert torch.random.get_rng_state().equal(before)


def test_seeds():
    before = np.random.get_state()[1].copy()
    assert resolve_seed(7) == 7
    assert resolve_seed(np.random.RandomState(0)) == resolve_seed(np.random.RandomState(0))
    assert resolve_seed(None) != resolve_seed(None)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
