import json
import math
from dataclasses import replace

import pytest
import torch

from dtinterp.dataset.windows import window
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.logbook import Logbook
from dtinterp.foundation.seeding import generator
from dtinterp.model.config import TrainConfig
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.training.descent import learning_rate, optimizer_of
from dtinterp.model.training.train import ModelRecord, _batch, checkpoint_steps
from dtinterp.model.validation import action_loss, validate, validation_windows
from tests.dtinterp.model.conftest import TINY, Kept, weights


def test_training_learns_what_the_demonstrator_prefers(train, trajectories, sides, items):
    held_out = validation_windows(trajectories, sides, TINY)
    before = validate(train(replace(TINY, steps=1)), held_out, items)
    after = validate(train(replace(TINY, steps=100, learning_rate=1e-2)), held_out, items)
    shares = torch.bincount(held_out.action[held_out.mask], minlength=7) / int(held_out.mask.sum())
    entropy = -(shares * shares.clamp(min=1e-9).log()).sum().item()  # the best that a blind model could do
    assert before.loss == pytest.approx(math.log(7), abs=0.05)
    assert after.loss < entropy + 0.05
    assert after.accuracy > before.accuracy


def slow_training(trajectories, sides, items, config):
    """Whole windows, one loop, nothing packed."""
    model = DecisionTransformer(config.model, generator(config.seed, "model/weights"))
    optimizer = optimizer_of(model, config)
    for step in range(config.steps):
        batch = _batch(trajectories, sides, config, step)
        optimizer.zero_grad()
        action_loss(model(batch, items), batch).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.max_gradient)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, config)
        optimizer.step()
    return model


def test_training_is_what_a_slow_loop_does(train, trajectories, sides, items):
    config = replace(TINY, steps=12, max_gradient=0.1)
    start = weights(DecisionTransformer(config.model, generator(config.seed, "model/weights")))
    ours, slow = weights(train(config)), weights(slow_training(trajectories, sides, items, config))
    assert (ours - slow).norm() < 0.01 * (slow - start).norm()


def test_one_seed_gives_the_same_bits_and_another_seed_others(train):
    assert torch.equal(weights(train()), weights(train()))
    assert not torch.equal(weights(train()), weights(train(replace(TINY, seed=1))))


def test_models_are_kept_at_log_spaced_steps_and_at_every_measurement(train):
    kept = Kept()
    trained = train(replace(TINY, n_checkpoints=4), record=ModelRecord(keeper=kept))
    assert list(kept.steps) == [1, 3, 7, 20]
    assert list(kept.measured) == [7, 14, 20]
    assert torch.equal(kept.steps[20], weights(trained))
    assert torch.equal(kept.steps[7], kept.measured[7][0])
    assert not torch.equal(kept.steps[3], kept.steps[7])


def test_batches_hold_no_held_out_step(trajectories, sides):
    batches = [_batch(trajectories, sides, TINY, step) for step in range(20)]
    shown = torch.cat([batch.step[batch.mask] for batch in batches])
    assert not torch.isin(shown, sides.held_out).any()
    assert torch.isin(torch.cat([batch.step[:, -1] for batch in batches]), sides.train).all()
    assert not torch.equal(batches[0].step, batches[1].step)


def test_checkpoints_are_log_spaced_from_the_first_step_to_the_last():
    steps = checkpoint_steps(TrainConfig(steps=10_000, n_checkpoints=5))
    assert steps == (1, 10, 100, 1000, 10_000)
    assert checkpoint_steps(TrainConfig(steps=10_000)) == ()
    assert checkpoint_steps(TrainConfig(steps=3, n_checkpoints=20)) == (1, 2, 3)


def test_the_log_tells_how_fast_training_was(train, tmp_path):
    train(record=ModelRecord(Logbook(tmp_path / "log.jsonl")))
    logged = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert all(0 < row["tokens_per_second"] < 1e9 for row in logged)


def test_bfloat16_trains_much_as_float32_does(train, trajectories, sides, items):
    held_out = validation_windows(trajectories, sides, TINY)
    full, low = (validate(train(replace(TINY, precision=each)), held_out, items) for each in ("float32", "bfloat16"))
    assert low.loss == pytest.approx(full.loss, abs=0.02)
    assert low.loss != full.loss


@pytest.mark.parametrize(
    "options",
    [
        {"gated_mlp": True, "act_fn": "silu", "normalization_type": "RMS"},
        {"attend_to_padding": True, "position_embedding": True, "n_slots": 9},
        {"return_to_go": False, "time_embedding": False, "normalization_type": "none"},
    ],
)
def test_every_kind_of_model_learns(train, trajectories, sides, items, options):
    config = replace(TINY, model=replace(TINY.model, **options), steps=100, learning_rate=1e-2)
    held_out = validation_windows(trajectories, sides, config)
    fresh = validate(DecisionTransformer(config.model, generator(config.seed, "model/weights")), held_out, items)
    assert validate(train(config), held_out, items).loss < fresh.loss - 0.05


def test_facts_never_reach_the_model(train, trajectories, items):
    scrambled = replace(trajectories, fact_table=torch.randint_like(trajectories.fact_table, 9))
    model, other = train(), train(data=scrambled)
    chosen = torch.arange(0, trajectories.n_steps, 50)
    assert torch.equal(weights(model), weights(other))
    with torch.no_grad():
        assert torch.equal(model(window(trajectories, chosen), items), model(window(scrambled, chosen), items))


def test_a_training_that_diverges_says_so_and_keeps_its_state(train, tmp_path):
    file = tmp_path / "under-way.safetensors"
    config = replace(TINY, steps=200, learning_rate=1e4, warmup=0, validate_every=1)
    with pytest.raises(UserError, match=r"the loss is (nan|inf) after \d+ steps, .*: give a smaller --learning-rate"):
        train(config, record=ModelRecord(resume_file=file))
    assert file.exists()


def test_episodes_longer_than_the_model_knows_are_refused_before_anything_is_trained(train):
    config = replace(TINY, model=replace(TINY.model, max_time=40))
    with pytest.raises(UserError, match="may last 50 steps, max_time is 40: give --max-time 50"):
        train(config)
    train(replace(config, steps=1, model=replace(config.model, time_embedding=False)))
