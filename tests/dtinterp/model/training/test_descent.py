from dataclasses import replace

import pytest
import torch

from dtinterp.dataset.packing import pack
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.jobs.resume import Training
from dtinterp.foundation.seeding import generator
from dtinterp.model.config import TrainConfig
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.training.descent import DECAYED, Descent, learning_rate, optimizer_of, summed_loss
from dtinterp.model.training.train import _batch
from dtinterp.model.validation import action_loss
from tests.dtinterp.model.conftest import TINY, weights


def test_the_learning_rate_rises_then_falls_to_a_tenth():
    config = TrainConfig(steps=1000, warmup=100, learning_rate=2.0)
    rates = [learning_rate(step, config) for step in range(1000)]
    assert rates[0] == pytest.approx(0.02)
    assert rates[99] == rates[100] == 2.0
    assert rates[:100] == sorted(rates[:100])
    assert rates[100:] == sorted(rates[100:], reverse=True)
    assert rates[550] == pytest.approx(1.1)  # half-way down, the mean of the peak and its tenth
    assert rates[-1] == pytest.approx(0.2, abs=1e-4)


def test_a_constant_learning_rate_stays_at_its_peak_once_warm():
    config = TrainConfig(steps=1000, warmup=100, learning_rate=2.0, learning_rate_schedule="constant")
    cosine = replace(config, learning_rate_schedule="cosine")
    assert [learning_rate(step, config) for step in range(100)] == [learning_rate(step, cosine) for step in range(100)]
    assert {learning_rate(step, config) for step in range(100, 1000)} == {2.0}


@pytest.mark.parametrize("warmup", [0, 5, 50])
def test_any_warmup_gives_positive_rates(warmup):
    config = TrainConfig(steps=5, warmup=warmup)
    assert all(0 < learning_rate(step, config) <= config.learning_rate for step in range(5))


def test_only_matrices_inside_the_blocks_decay(draw_model):
    model = draw_model(gated_mlp=True, position_embedding=True)
    decayed, spared = optimizer_of(model, TrainConfig(weight_decay=0.3)).param_groups
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.3, 0.0)
    kinds = [names[id(parameter)].rpartition(".")[2] for parameter in decayed["params"]]
    assert sorted(kinds) == sorted([*DECAYED, *DECAYED])  # two blocks
    assert all(names[id(parameter)].startswith("blocks.") for parameter in decayed["params"])
    assert len(decayed["params"]) + len(spared["params"]) == len(names)


@pytest.mark.parametrize("option", [{"attend_to_padding": True, "position_embedding": True}, {"return_to_go": False}])
def test_packed_windows_give_the_loss_of_the_windows_themselves(draw_model, windows, items, option):
    model = draw_model(**option)
    packs = pack(windows, cut=not model.cfg.attend_to_padding)
    whole = action_loss(model(windows, items), windows)
    packed = summed_loss(model, packs, items, "float32") / windows.mask.sum()
    torch.testing.assert_close(packed, whole, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("n_micro_batches", [2, 3, 16])
def test_a_batch_in_parts_gives_the_step_of_the_whole(train, n_micro_batches):
    config = replace(TINY, steps=12, max_gradient=0.1)
    start = weights(DecisionTransformer(config.model, generator(config.seed, "model/weights")))
    whole, parts = weights(train(config)), weights(train(replace(config, n_micro_batches=n_micro_batches)))
    assert not torch.equal(parts, whole)  # sums are taken in another order
    assert (parts - whole).norm() < 1e-3 * (whole - start).norm()


def test_parts_of_a_batch_add_up_to_its_gradient(model, trajectories, sides, items):
    gradients = {}
    for n_micro_batches in (1, 2, 5):
        config = replace(TINY, n_micro_batches=n_micro_batches, max_gradient=1e9, learning_rate=1e-12)
        training = Training(model, torch.optim.SGD(model.parameters()), {})
        batch = _batch(trajectories, sides, config, 0)
        loss = Descent.begin(training, items, config).step(batch, 0)
        gradients[n_micro_batches] = torch.cat([weight.grad.flatten() for weight in model.parameters()])
        assert loss == pytest.approx(action_loss(model(batch, items), batch).item(), rel=1e-5)
        model.zero_grad()
    assert gradients[1].norm() > 0.1
    for parts in (2, 5):
        torch.testing.assert_close(gradients[parts], gradients[1], atol=1e-5, rtol=1e-4)


def test_compiling_without_a_compiler_is_refused(train, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(UserError, match=r"no C\+\+ compiler was found \(g\+\+, clang\+\+, c\+\+\): install one"):
        train(replace(TINY, compile=True))
