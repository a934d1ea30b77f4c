import json
import re
import signal
from dataclasses import replace

import pytest
import torch

from dtinterp.agents.config import AgentConfig
from dtinterp.agents.items import FrameItems
from dtinterp.agents.network import AgentPolicy
from dtinterp.agents.rollout import Runner
from dtinterp.agents.storage import TrainedAgent, load_agent, save_agent
from dtinterp.agents.training import train_agent
from dtinterp.demonstrations.evaluate import evaluate
from dtinterp.demonstrations.samplers import Greedy
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.jobs.interruption import TrainingRecord
from dtinterp.foundation.logbook import Bar, Logbook, unshown
from environments.minigrid_worlds import MiniGridWorlds
from environments.twin.layouts import draw_layouts
from environments.twin_worlds import TwinWorlds
from environments.worlds import GraphWorlds, Worlds

TINY = AgentConfig(steps=4 * 8 * 6, n_worlds=8, n_rollout=4, d_hidden=8, n_minibatches=2, save_every=2)


def graph_worlds(graph) -> Worlds:
    return GraphWorlds(graph, TINY.n_worlds, generator=torch.Generator().manual_seed(0))


def weights(network) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


def trained(worlds, config, record=None) -> torch.Tensor:
    return weights(train_agent(worlds, config, record or TrainingRecord()).network)


class InterruptedLog(Logbook):
    """Presses Ctrl-C when a row of this update is written."""

    def __init__(self, path, update: int) -> None:
        super().__init__(path)
        self.update = update

    def write(self, **row) -> None:
        super().write(**row)
        if row["update"] == self.update:
            signal.raise_signal(signal.SIGINT)


G = 0.9
"""Discount of the probe worlds."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("probe", "worth", "action"),
    [
        ("1 constant value", {2: 1.0}, {}),
        ("2 value from the observation", {0: 1.0, 1: -1.0}, {}),
        ("3 discounting", {0: G, 1: 1.0}, {}),
        ("4 reward from the action", {2: 1.0}, {2: 0}),
        ("5 reward from observation and action", {0: 1.0, 1: 1.0}, {0: 0, 1: 1}),
        ("6 the first action decides on the second reward", {2: G, 0: 1.0}, {2: 0}),
        ("7 memory of the first observation", {0: G, 1: G, 2: 1.0}, {}),
    ],
    indirect=["probe"],
)
def test_in_a_probe_world_values_and_actions_are_what_they_must_be(probe, worth, action):
    config = AgentConfig(
        steps=32 * 8 * 100,
        n_worlds=32,
        n_rollout=8,
        d_hidden=32,
        n_minibatches=2,
        learning_rate=5e-3,
        discount=G,
        seed=1,
    )
    network = train_agent(probe, config, TrainingRecord()).network
    rollout = Runner(network, probe, torch.Generator().manual_seed(1)).roll(16)
    assert set(rollout.frame_id.unique().tolist()) == set(worth)
    for frame, value in worth.items():
        values = rollout.value[rollout.frame_id == frame]
        torch.testing.assert_close(values, torch.full_like(values, value), atol=0.05, rtol=0)
    for frame, right in action.items():
        assert (rollout.action[rollout.frame_id == frame] == right).float().mean() > 0.97


def test_without_a_core_nobody_remembers(recall):
    config = AgentConfig(
        steps=64 * 8 * 40, n_worlds=64, n_rollout=8, core="none", d_hidden=16, n_minibatches=2, learning_rate=5e-3
    )
    network = train_agent(recall, config, TrainingRecord()).network
    rollout = Runner(network, recall, torch.Generator().manual_seed(1)).roll(200)
    assert rollout.reward[rollout.is_last].mean() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("core", ["gru", "lstm"])
def test_it_learns_to_act_on_what_it_saw_before(recall, core):
    config = AgentConfig(
        steps=64 * 8 * 80, n_worlds=64, n_rollout=8, core=core, d_hidden=32, n_minibatches=2, learning_rate=5e-3
    )
    network = train_agent(recall, config, TrainingRecord()).network
    policy = AgentPolicy(network, FrameItems(recall))
    judged = evaluate(policy, recall, Greedy(), generator=torch.Generator().manual_seed(1))
    assert judged.success.estimate == 1.0


@pytest.mark.parametrize("core", ["gru", "lstm", "none"])
def test_one_seed_gives_the_same_bits_and_another_seed_others(graph, core):
    config = replace(TINY, core=core)
    assert torch.equal(trained(graph_worlds(graph), config), trained(graph_worlds(graph), config))
    other = trained(graph_worlds(graph), replace(config, seed=1))
    assert not torch.isclose(trained(graph_worlds(graph), config), other).all()


@pytest.fixture
def started(graph, tmp_path) -> TrainedAgent:
    network = train_agent(graph_worlds(graph), replace(TINY, seed=9), TrainingRecord()).network
    save_agent(tmp_path / "start", network, TINY, metrics={})
    return load_agent(tmp_path / "start")


def test_a_training_begins_with_the_weights_of_the_agent_that_it_starts_from(graph, started):
    still = replace(TINY, learning_rate=1e-30)
    learned = train_agent(graph_worlds(graph), still, TrainingRecord(), start=started)
    assert torch.equal(weights(learned.network), weights(started.network))
    assert not torch.equal(trained(graph_worlds(graph), still), weights(started.network))


def test_an_agent_of_another_shape_is_no_start(graph, started):
    with pytest.raises(UserError, match=r"start is an agent with core gru, width 8, .* expected core gru, width 16, "):
        train_agent(graph_worlds(graph), replace(TINY, d_hidden=16), TrainingRecord(), start=started)


def test_a_training_is_not_gone_on_with_from_another_start(graph, started, tmp_path):
    record = TrainingRecord(InterruptedLog(tmp_path / "log.jsonl", update=2), tmp_path / "unfinished.safetensors")
    with pytest.raises(KeyboardInterrupt):
        train_agent(graph_worlds(graph), TINY, record)
    with pytest.raises(UserError, match="is a training under way with another start: "):
        train_agent(graph_worlds(graph), TINY, TrainingRecord(resume_file=record.resume_file), start=started)


def test_the_log_has_a_row_per_update(graph, tmp_path):
    learned = train_agent(graph_worlds(graph), TINY, TrainingRecord(Logbook(tmp_path / "log.jsonl")))
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [32, 64, 96, 128, 160, 192]
    assert all(0 <= row["success"] <= 1 for row in rows)
    assert {"return", "length", "steps_per_second", "rollout_steps_per_second", "update_steps_per_second"} < set(
        rows[0]
    )
    assert learned.n_steps == 192
    assert learned.seconds > 0


def test_the_bar_says_how_the_latest_episodes_went_and_how_fast_it_goes(graph, monkeypatch):
    notes = []
    monkeypatch.setattr(Bar, "advance", lambda _bar, amount=1, note="": notes.append((amount, note)))
    with unshown():  # where nothing is shown, the bar itself is told
        trained(graph_worlds(graph), TINY)
    assert [amount for amount, _ in notes] == [1] * 6
    sentence = r"success \d+\.\d% · return \d\.\d{3} · length \d+\.\d · [\d,]+ steps/s"
    assert all(re.fullmatch(sentence, note) for _, note in notes)


def test_it_ends_early_at_the_mark(recall):
    config = AgentConfig(
        steps=64 * 8 * 200, n_worlds=64, n_rollout=8, d_hidden=16, n_minibatches=2, learning_rate=5e-3, stop_at=0.9
    )
    learned = train_agent(recall, config, TrainingRecord())
    assert learned.n_steps < config.steps
    rollout = Runner(learned.network, recall, torch.Generator().manual_seed(1)).roll(200)
    assert rollout.reward[rollout.is_last].mean() > 0.85


def growing_worlds() -> Worlds:
    layouts = draw_layouts("MiniGrid-LavaGapS5-v0", range(16))
    return TwinWorlds(layouts, TINY.n_worlds, generator=torch.Generator().manual_seed(0))


def moving_worlds() -> Worlds:
    env_id = "MiniGrid-Dynamic-Obstacles-5x5-v0"
    return MiniGridWorlds(env_id, TINY.n_worlds, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("time_limit", ["end", "cut"])
@pytest.mark.parametrize("make", [growing_worlds, moving_worlds])
def test_after_ctrl_c_it_goes_on_as_if_nothing_had_happened(make, tmp_path, time_limit):
    config = replace(TINY, time_limit=time_limit)
    file, log = tmp_path / "run.safetensors", tmp_path / "log.jsonl"
    with pytest.raises(KeyboardInterrupt, match=r"after 3 of 6 updates, which .*run.safetensors keeps: give the same"):
        train_agent(make(), config, TrainingRecord(InterruptedLog(log, 3), file))
    resumed = trained(make(), config, TrainingRecord(Logbook(log), file))
    assert torch.equal(resumed, trained(make(), config))
    assert [json.loads(line)["update"] for line in log.read_text().splitlines()] == [1, 2, 3, 4, 5, 6]


def test_a_run_that_was_killed_goes_on_from_the_last_state_on_disk(graph, tmp_path):
    class Killed(Logbook):
        def write(self, **row) -> None:
            super().write(**row)
            if row["update"] == 5:
                raise MemoryError

    file, log = tmp_path / "run.safetensors", tmp_path / "log.jsonl"
    with pytest.raises(MemoryError):
        train_agent(graph_worlds(graph), TINY, TrainingRecord(Killed(log), file))
    resumed = trained(graph_worlds(graph), TINY, TrainingRecord(Logbook(log), file))
    assert torch.equal(resumed, trained(graph_worlds(graph), TINY))
    assert [json.loads(line)["update"] for line in log.read_text().splitlines()] == [1, 2, 3, 4, 5, 6]


def test_another_training_is_not_gone_on_with(graph, tmp_path):
    file = tmp_path / "run.safetensors"
    trained(graph_worlds(graph), TINY, TrainingRecord(resume_file=file))
    with pytest.raises(UserError, match=r"is a training under way with entropy 0\.01, not 0\.02"):
        train_agent(graph_worlds(graph), replace(TINY, entropy=0.02), TrainingRecord(resume_file=file))


def test_without_a_file_ctrl_c_says_how_far_it_came(graph):
    with pytest.raises(KeyboardInterrupt, match=r"^interrupted after 2 of 6 updates\.$"):
        train_agent(graph_worlds(graph), TINY, TrainingRecord(InterruptedLog(None, 2)))
