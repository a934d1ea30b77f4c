import json
import math
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from dtinterp.dataset.packing import pack
from dtinterp.dataset.split import split
from dtinterp.dataset.windows import window
from dtinterp.demonstrations.storage import save_trajectories
from dtinterp.foundation.artefact import Content, write_artefact
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.logbook import Logbook
from dtinterp.foundation.resume import Training
from dtinterp.foundation.seeding import generator
from dtinterp.model import training as training_module
from dtinterp.model.config import ModelConfig, TrainConfig
from dtinterp.model.storage import load_model
from dtinterp.model.training import (
    DECAYED,
    Record,
    _batch,
    _optimizer,
    _summed_loss,
    _train_step,
    action_loss,
    checkpoint_steps,
    learning_rate,
    train_model,
    validate,
    validation_windows,
)
from dtinterp.model.transformer import DecisionTransformer

TINY = TrainConfig(
    ModelConfig(d_model=16, n_heads=2, d_mlp=16), steps=20, batch_size=16, warmup=5, validate_every=7, held_out=0.3
)


@pytest.fixture(autouse=True)
def _few_validation_windows(monkeypatch):
    monkeypatch.setattr(training_module, "VALIDATION_WINDOWS", 128)


@pytest.fixture(scope="module")
def sides(trajectories):
    return split(trajectories, share=0.3, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def train(trajectories, sides, items):
    def trained(config=TINY, record=None, data=trajectories, held=sides):
        return train_model(data, held, config, items=items, record=record or Record())

    return trained


def weights(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def rows(path):
    return [{**json.loads(line), "clock": 0, "tokens_per_second": 0} for line in path.read_text().splitlines()]


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
    optimizer = _optimizer(model, config)
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


class PlugPulledError(Exception):
    pass


def interrupted_at(n_measurements):
    """A probe that lets some measurements pass and then pulls the plug, before the state of training is written."""
    left = [n_measurements]

    def probe(_):
        left[0] -= 1
        if left[0] < 0:
            raise PlugPulledError
        return {"probed": 1.0}

    return probe


class Kept:
    """Remembers what a training would have kept."""

    def __init__(self):
        self.steps, self.measured = {}, {}

    def keep_step(self, model, step):
        self.steps[step] = weights(model)

    def keep_best(self, model, step, measured):
        self.measured[step] = (weights(model), measured)


def test_models_are_kept_at_log_spaced_steps_and_at_every_measurement(train):
    kept = Kept()
    trained = train(replace(TINY, n_checkpoints=4), record=Record(keeper=kept))
    assert list(kept.steps) == [1, 3, 7, 20]
    assert list(kept.measured) == [7, 14, 20]
    assert torch.equal(kept.steps[20], weights(trained))
    assert torch.equal(kept.steps[7], kept.measured[7][0])
    assert not torch.equal(kept.steps[3], kept.steps[7])


@pytest.mark.parametrize("n_measurements", [0, 1, 2])
def test_an_interrupted_training_goes_on_to_the_same_bits_and_the_same_log(train, tmp_path, n_measurements):
    whole = train(record=Record(Logbook(tmp_path / "whole.jsonl"), None, lambda _: {"probed": 1.0}))
    kept = Record(Logbook(tmp_path / "parts.jsonl"), tmp_path / "run.safetensors")
    with pytest.raises(PlugPulledError):
        train(record=replace(kept, probe=interrupted_at(n_measurements)))
    assert (tmp_path / "run.safetensors").exists() == (n_measurements > 0)
    kept.logbook.write(step=19, loss=0.0)  # a row that was written just before the plug was pulled
    resumed = train(record=replace(kept, probe=lambda _: {"probed": 1.0}))
    assert torch.equal(weights(resumed), weights(whole))
    assert rows(tmp_path / "parts.jsonl") == rows(tmp_path / "whole.jsonl")
    assert [row["step"] for row in rows(tmp_path / "whole.jsonl")] == [7, 14, 20]


def test_a_finished_training_is_not_trained_again(train, tmp_path):
    record = Record(resume_file=tmp_path / "run.safetensors")
    assert torch.equal(weights(train(record=record)), weights(train(record=record)))


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"seed": 1}, "seed 0, not 1"),
        ({"model": ModelConfig(d_model=16, n_heads=4, d_mlp=16)}, "n_heads 2, not 4"),
        ({"steps": 30, "warmup": 3}, "steps 20, not 30, warmup 5, not 3"),
    ],
)
def test_a_training_under_way_refuses_other_settings(train, tmp_path, change, difference):
    record = Record(resume_file=tmp_path / "run.safetensors")
    train(record=record)
    with pytest.raises(UserError, match=f"run.safetensors is a training under way with {difference}: ask for the same"):
        train(replace(TINY, **change), record=record)


def test_a_training_under_way_refuses_other_demonstrations(train, tmp_path, trajectories):
    record = Record(resume_file=tmp_path / "run.safetensors")
    train(record=record)
    other = replace(trajectories, action=(trajectories.action + 1) % 7)
    with pytest.raises(UserError, match=r"is a training under way with demonstrations [0-9a-f]{12}, not [0-9a-f]{12}"):
        train(record=record, data=other)


def test_batches_hold_no_held_out_step(trajectories, sides):
    batches = [_batch(trajectories, sides, TINY, step) for step in range(20)]
    shown = torch.cat([batch.step[batch.mask] for batch in batches])
    assert not torch.isin(shown, sides.held_out).any()
    assert torch.isin(torch.cat([batch.step[:, -1] for batch in batches]), sides.train).all()
    assert not torch.equal(batches[0].step, batches[1].step)


def test_validation_windows_are_held_out_and_always_the_same(trajectories, sides):
    windows = validation_windows(trajectories, sides, TINY)
    assert torch.isin(windows.step[windows.mask], sides.held_out).all()
    assert torch.equal(windows.step, validation_windows(trajectories, sides, TINY).step)
    assert len(windows) == min(len(sides.held_out), training_module.VALIDATION_WINDOWS)


def test_loss_and_accuracy_are_those_of_a_slow_loop(model, windows, items, monkeypatch):
    with torch.no_grad():
        logits = model(windows, items)
    losses, hits = [], []
    for batch in range(len(windows)):
        for slot in range(windows.n_slots):
            if windows.mask[batch, slot]:
                scores = logits[batch, slot].double()
                action = int(windows.action[batch, slot])
                losses.append(math.log(sum(math.exp(score) for score in scores.tolist())) - float(scores[action]))
                hits.append(int(scores.argmax()) == action)
    monkeypatch.setattr(training_module, "VALIDATION_BATCH", 10)
    measured = validate(model, windows, items)
    assert measured.loss == pytest.approx(sum(losses) / len(losses), rel=1e-5)
    assert measured.accuracy == pytest.approx(sum(hits) / len(hits))
    assert measured.n_actions == len(hits)
    assert action_loss(logits, windows).item() == pytest.approx(measured.loss, rel=1e-6)


def test_the_learning_rate_rises_then_falls_to_a_tenth():
    config = TrainConfig(steps=1000, warmup=100, learning_rate=2.0)
    rates = [learning_rate(step, config) for step in range(1000)]
    assert rates[0] == pytest.approx(0.02)
    assert rates[99] == rates[100] == 2.0
    assert rates[:100] == sorted(rates[:100])
    assert rates[100:] == sorted(rates[100:], reverse=True)
    assert rates[550] == pytest.approx(1.1)  # half-way down, the mean of the peak and its tenth
    assert rates[-1] == pytest.approx(0.2, abs=1e-4)


def test_an_interrupted_training_keeps_the_models_that_the_whole_one_keeps(train, tmp_path):
    whole, parts = Kept(), Kept()
    config = replace(TINY, n_checkpoints=4)
    train(config, record=Record(keeper=whole))
    record = Record(resume_file=tmp_path / "run.safetensors", keeper=parts)
    with pytest.raises(PlugPulledError):
        train(config, record=replace(record, probe=interrupted_at(1)))
    train(config, record=record)
    assert list(parts.steps) == list(whole.steps)
    assert all(torch.equal(parts.steps[step], whole.steps[step]) for step in whole.steps)
    assert all(torch.equal(parts.measured[step][0], whole.measured[step][0]) for step in whole.measured)


def test_checkpoints_are_log_spaced_from_the_first_step_to_the_last():
    steps = checkpoint_steps(TrainConfig(steps=10_000, n_checkpoints=5))
    assert steps == (1, 10, 100, 1000, 10_000)
    assert checkpoint_steps(TrainConfig(steps=10_000)) == ()
    assert checkpoint_steps(TrainConfig(steps=3, n_checkpoints=20)) == (1, 2, 3)


def test_a_constant_learning_rate_stays_at_its_peak_once_warm():
    config = TrainConfig(steps=1000, warmup=100, learning_rate=2.0, learning_rate_schedule="constant")
    cosine = replace(config, learning_rate_schedule="cosine")
    assert [learning_rate(step, config) for step in range(100)] == [learning_rate(step, cosine) for step in range(100)]
    assert {learning_rate(step, config) for step in range(100, 1000)} == {2.0}


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
        loss = _train_step(training, batch, items, config, step=0)
        gradients[n_micro_batches] = torch.cat([weight.grad.flatten() for weight in model.parameters()])
        assert loss == pytest.approx(action_loss(model(batch, items), batch).item(), rel=1e-5)
        model.zero_grad()
    assert gradients[1].norm() > 0.1
    for parts in (2, 5):
        torch.testing.assert_close(gradients[parts], gradients[1], atol=1e-5, rtol=1e-4)


def test_ctrl_c_saves_the_step_under_way_and_the_training_goes_on_to_the_same_bits(train, tmp_path):
    class PressesCtrlC(Kept):
        def keep_step(self, model, step):
            super().keep_step(model, step)
            if step == 3:
                signal.raise_signal(signal.SIGINT)

    config = replace(TINY, n_checkpoints=4)
    record = Record(Logbook(tmp_path / "log.jsonl"), tmp_path / "run.safetensors", keeper=PressesCtrlC())
    with pytest.raises(KeyboardInterrupt, match=r"after 3 of 20 steps, which .*run\.safetensors keeps: give the same"):
        train(config, record=record)
    goes_on = Kept()
    assert torch.equal(weights(train(config, record=replace(record, keeper=goes_on))), weights(train(config)))
    assert list(goes_on.steps) == [7, 20]


def test_ctrl_c_without_a_file_says_how_far_it_came(train):
    with pytest.raises(KeyboardInterrupt, match=r"interrupted after 7 of 20 steps\.$"):
        train(record=Record(probe=lambda _: signal.raise_signal(signal.SIGINT) or {}))


def test_the_log_tells_how_fast_training_was(train, tmp_path):
    train(record=Record(Logbook(tmp_path / "log.jsonl")))
    logged = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert all(0 < row["tokens_per_second"] < 1e9 for row in logged)


@pytest.mark.parametrize("warmup", [0, 5, 50])
def test_any_warmup_gives_positive_rates(warmup):
    config = TrainConfig(steps=5, warmup=warmup)
    assert all(0 < learning_rate(step, config) <= config.learning_rate for step in range(5))


def test_only_matrices_inside_the_blocks_decay(draw_model):
    model = draw_model(gated_mlp=True, position_embedding=True)
    decayed, spared = _optimizer(model, TrainConfig(weight_decay=0.3)).param_groups
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.3, 0.0)
    kinds = [names[id(parameter)].rpartition(".")[2] for parameter in decayed["params"]]
    assert sorted(kinds) == sorted([*DECAYED, *DECAYED])  # two blocks
    assert all(names[id(parameter)].startswith("blocks.") for parameter in decayed["params"])
    assert len(decayed["params"]) + len(spared["params"]) == len(names)


def test_bfloat16_trains_much_as_float32_does(train, trajectories, sides, items):
    held_out = validation_windows(trajectories, sides, TINY)
    full, low = (validate(train(replace(TINY, precision=each)), held_out, items) for each in ("float32", "bfloat16"))
    assert low.loss == pytest.approx(full.loss, abs=0.02)
    assert low.loss != full.loss


@pytest.mark.parametrize("option", [{"attend_to_padding": True, "position_embedding": True}, {"return_to_go": False}])
def test_packed_windows_give_the_loss_of_the_windows_themselves(draw_model, windows, items, option):
    model = draw_model(**option)
    packs = pack(windows, cut=not model.cfg.attend_to_padding)
    whole = action_loss(model(windows, items), windows)
    packed = _summed_loss(model, packs, items, "float32") / windows.mask.sum()
    torch.testing.assert_close(packed, whole, atol=1e-5, rtol=1e-5)


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


ROOT = Path(__file__).parents[3]
PATIENCE = 240
"""Seconds after which a process that should have ended is said to hang."""
SETTING = """
import os, signal, sys, torch
from dataclasses import replace
from pathlib import Path
from safetensors.torch import save_file
from dtinterp.dataset.split import split
from dtinterp.demonstrations.storage import load_trajectories
from dtinterp.foundation.logbook import Logbook
from dtinterp.model import training
from dtinterp.model.config import ModelConfig, TrainConfig
from dtinterp.model.keeping import CheckpointFolder
from dtinterp.model.ranks import joined_ranks
from dtinterp.model.training import Record, train_model
from environments.vocabulary import one_hot

torch.set_num_threads(1)
training.VALIDATION_WINDOWS = 128
trajectories, parent = load_trajectories(Path("walks"))
sides = split(trajectories, share=0.3, generator=torch.Generator().manual_seed(0))
shape = ModelConfig(d_model=16, n_heads=2, d_mlp=16)
config = TrainConfig(shape, steps=20, batch_size=33, warmup=5, validate_every=4, held_out=0.3, learning_rate=1e-2)
items = one_hot(trajectories.frames)
"""
TOGETHER = """
config = replace(config, validate_every=1)
with joined_ranks(torch.device("cpu")) as ranks:
    record = Record(Logbook(Path(f"rank-{ranks.rank}-of-{ranks.count}.jsonl")))
    model = train_model(trajectories, sides, config, items=items, record=record, ranks=ranks)
save_file(model.state_dict(), f"rank-{ranks.rank}-of-{ranks.count}.safetensors")
"""
KILLED = """
def train(folder):
    folder.mkdir(exist_ok=True)
    asked = replace(config, n_checkpoints=4)
    record = Record(Logbook(folder / "log.jsonl"), folder / "state.safetensors", None, kept := CheckpointFolder(
        folder / "steps", asked, parent))
    kept.require_own()
    save_file(train_model(trajectories, sides, asked, items=items, record=record).state_dict(), folder / "end")

def dies_at(moment):
    left = [moment]
    def hear(event, arguments):
        if event in ("open", "os.rename", "os.mkdir", "os.remove", "shutil.rmtree") and "moment" in str(arguments[0]):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hear)

train(Path("whole"))
for moment in range(5, 1000, 9):
    if (child := os.fork()) == 0:
        dies_at(moment)
        train(Path(f"moment-{moment}"))
        os._exit(0)
    if os.WEXITSTATUS(os.waitpid(child, 0)[1]) == 0 and (Path(f"moment-{moment}") / "end").exists():
        break
    train(Path(f"moment-{moment}"))
print(moment)
"""


@pytest.fixture(scope="module")
def ground(tmp_path_factory, trajectories):
    """A folder with the demonstrations, for programs that train in it."""
    folder = tmp_path_factory.mktemp("ground")
    agent = write_artefact(folder / "agent", Content("agent", {}, {}, {}), parents=(), seed=0)
    save_trajectories(folder / "walks", trajectories, parent=agent, seed=0)
    return folder


def carried_out(program, ground, *launcher):
    """What a program prints that trains in a process of its own."""
    (ground / "program.py").write_text(SETTING + program)
    paths = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, *launcher, "program.py"]
    ended = subprocess.run(
        command, cwd=ground, env=paths, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.slow
def test_two_processes_of_torchrun_train_as_one_does_with_the_same_batches(ground):
    carried_out(TOGETHER, ground)
    carried_out(TOGETHER, ground, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    alone, both = rows(ground / "rank-0-of-1.jsonl"), rows(ground / "rank-0-of-2.jsonl")
    assert alone[-1]["loss"] < alone[0]["loss"] - 0.05
    assert [row["step"] for row in both] == [row["step"] for row in alone] == list(range(1, 21))
    for measured in ("train_loss", "loss"):  # float32: the sums over a batch are taken in another order
        assert [row[measured] for row in both] == pytest.approx([row[measured] for row in alone], abs=1e-5)
    assert not (ground / "rank-1-of-2.jsonl").exists()
    first, second = (load_file(ground / f"rank-{rank}-of-2.safetensors") for rank in (0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.slow
def test_a_training_killed_at_any_moment_goes_on_to_the_same_bits(ground):
    last = int(carried_out(KILLED, ground))
    moments = [ground / f"moment-{moment}" for moment in range(5, last, 9)]
    assert len(moments) > 8
    whole = load_file(ground / "whole" / "end")
    kept = sorted(path.name for path in (ground / "whole" / "steps").iterdir())
    for folder in moments:
        ended = load_file(folder / "end")
        assert all(torch.equal(ended[name], weight) for name, weight in whole.items()), folder
        assert rows(folder / "log.jsonl") == rows(ground / "whole" / "log.jsonl"), folder
        assert sorted(path.name for path in (folder / "steps").glob("[!.]*")) == kept, folder
        for name in kept:
            same = [load_model(path / "steps" / name).artefact.manifest for path in (folder, ground / "whole")]
            assert same[0].digest == same[1].digest, (folder, name)
