import signal
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from pydantic import TypeAdapter
from safetensors.torch import load_file

from dtinterp.agents.policy import Decision
from dtinterp.demonstrations.collect import COLUMNS, Collection, Share, collect
from dtinterp.demonstrations.quality import Quality, quality
from dtinterp.demonstrations.samplers import Temperature, UniformMixture
from dtinterp.demonstrations.storage import TABLES, load_trajectories, record_trajectories, save_trajectories
from dtinterp.foundation.artefacts.artefact import Content, write_artefact
from dtinterp.foundation.errors import UserError
from environments.worlds import GraphWorlds

SHARES = [Share(Temperature(1.0), 1600), Share(UniformMixture(0.5), 801)]


@pytest.fixture
def agent(tmp_path):
    return write_artefact(tmp_path / "agent", Content("agent", {}, {}, {}), parents=(), seed=0)


def test_saved_trajectories_come_back_to_the_bit(trajectories, agent, tmp_path):
    written = save_trajectories(tmp_path / "demonstrations", trajectories, parent=agent, seed=4)
    back, artefact = load_trajectories(tmp_path / "demonstrations")
    for field in fields(trajectories):
        ours, theirs = getattr(trajectories, field.name), getattr(back, field.name)
        if isinstance(ours, torch.Tensor):
            assert ours.dtype == theirs.dtype
            assert torch.equal(ours, theirs)
        else:
            assert ours == theirs
    assert artefact.manifest == written.manifest
    assert artefact.manifest.parents == {"agent/agent": agent.manifest.digest}


def test_the_metrics_are_the_quality_of_what_is_stored(trajectories, agent, tmp_path):
    save_trajectories(tmp_path / "demonstrations", trajectories, parent=agent, seed=4)
    back, artefact = load_trajectories(tmp_path / "demonstrations")
    metrics = dict(artefact.manifest.metrics)
    metrics.pop("bytes_per_step")
    assert TypeAdapter(Quality).validate_python(metrics) == quality(back) == quality(trajectories)


def test_demonstrations_from_elsewhere_have_no_parent(trajectories, tmp_path):
    assert save_trajectories(tmp_path / "foreign", trajectories, parent=None, seed=0).manifest.parents == {}


def test_bytes_per_step_are_those_on_the_disk(trajectories, agent, tmp_path):
    metrics = save_trajectories(tmp_path / "demonstrations", trajectories, parent=agent, seed=4).manifest.metrics
    file = tmp_path / "demonstrations" / "tensors.safetensors"
    on_disk = sum(tensor.nbytes for tensor in load_file(file).values())
    assert metrics["bytes_per_step"] == round(on_disk / trajectories.n_steps, 2)
    assert on_disk <= file.stat().st_size


def test_what_are_no_demonstrations_is_refused(agent):
    with pytest.raises(UserError, match="is of kind agent, expected demonstrations"):
        load_trajectories(agent.path)


def collection_in(graph, wilful, shares=SHARES):
    return Collection(wilful, GraphWorlds(graph, 8, generator=torch.Generator().manual_seed(7)), shares)


def rng():
    return torch.Generator().manual_seed(1)


def require_equal(ours, theirs):
    for field in fields(theirs):
        one, other = getattr(ours, field.name), getattr(theirs, field.name)
        assert torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other, field.name


def test_what_is_recorded_as_it_comes_is_what_is_collected_in_memory(graph, wilful, agent, tmp_path):
    artefact = record_trajectories(tmp_path / "recorded", collection_in(graph, wilful), rng(), parent=agent, seed=4)
    back, _ = load_trajectories(tmp_path / "recorded")
    worlds = GraphWorlds(graph, 8, generator=torch.Generator().manual_seed(7))
    require_equal(back, collect(wilful, worlds, SHARES, rng()))
    assert artefact.manifest.metrics["complete"] is True
    assert artefact.manifest.metrics["n_steps_asked"] == 1600 + 808
    assert artefact.manifest.parents == {"agent/agent": agent.manifest.digest}


def test_a_recording_has_the_metrics_of_what_is_saved(graph, wilful, agent, tmp_path):
    recorded = record_trajectories(tmp_path / "recorded", collection_in(graph, wilful), rng(), parent=agent, seed=4)
    trajectories, _ = load_trajectories(tmp_path / "recorded")
    saved = save_trajectories(tmp_path / "saved", trajectories, parent=agent, seed=4)
    assert {**saved.manifest.metrics, "complete": True, "n_steps_asked": 2408} == recorded.manifest.metrics


class Impatient:
    """A policy in whose company somebody presses Ctrl-C at its n-th decision."""

    def __init__(self, policy, n_decisions):
        self._policy, self._left = policy, n_decisions

    def start(self, n_worlds):
        return self._policy.start(n_worlds)

    def act(self, observation, memory):
        self._left -= 1
        if self._left == 0:
            signal.raise_signal(signal.SIGINT)
        return self._policy.act(observation, memory)


@pytest.mark.parametrize("n_decisions", [60, 280])
def test_an_interrupted_collection_keeps_the_episodes_that_ended(graph, wilful, agent, tmp_path, n_decisions):
    collection = collection_in(graph, Impatient(wilful, n_decisions))
    sentence = (
        r"^interrupted; .*recorded keeps the \d+ steps of whole episodes .* of the 2408 asked for, .* not complete"
    )
    with pytest.raises(KeyboardInterrupt, match=sentence):
        record_trajectories(tmp_path / "recorded", collection, rng(), parent=agent, seed=4)
    back, artefact = load_trajectories(tmp_path / "recorded")
    assert artefact.manifest.metrics["complete"] is False
    assert artefact.manifest.metrics["n_steps_asked"] == 2408
    whole = collect(wilful, GraphWorlds(graph, 8, generator=torch.Generator().manual_seed(7)), SHARES, rng())
    time = back.facts[:, back.fact_names.index("time")]
    assert torch.equal(time.long(), back.time)
    assert torch.equal(back.terminated, back.length < back.max_steps)
    first_share = collect(
        wilful,
        GraphWorlds(graph, 8, generator=torch.Generator().manual_seed(7)),
        [Share(Temperature(1.0), 8 * min(n_decisions, 200))],
        rng(),
    )
    n = first_share.n_steps
    assert torch.equal(back.frames[back.frame_id[:n].long()], first_share.frames[first_share.frame_id.long()])
    assert torch.equal(back.action[:n], first_share.action)
    assert 0 < back.n_steps < whole.n_steps
    assert (back.n_steps > n) == (n_decisions > 200)


def test_an_interruption_before_any_episode_ended_leaves_nothing(graph, wilful, agent, tmp_path):
    collection = collection_in(graph, Impatient(wilful, 2))
    with pytest.raises(KeyboardInterrupt, match=r"^interrupted before any episode ended; nothing was kept\.$"):
        record_trajectories(tmp_path / "recorded", collection, rng(), parent=agent, seed=4)
    assert [path.name for path in tmp_path.iterdir()] == ["agent"]


def test_a_collection_that_fails_leaves_nothing(graph, agent, tmp_path):
    class Foreign:
        def start(self, n_worlds):
            return torch.zeros(n_worlds)

        def act(self, observation, memory):
            return Decision(torch.zeros(len(observation.frame_id), 4), memory)

    with pytest.raises(UserError, match="the policy chooses among 4 actions"):
        record_trajectories(tmp_path / "recorded", collection_in(graph, Foreign()), rng(), parent=agent, seed=4)
    assert [path.name for path in tmp_path.iterdir()] == ["agent"]


def test_columns_are_files_of_their_own_and_the_tables_are_small(graph, wilful, agent, tmp_path):
    record_trajectories(tmp_path / "recorded", collection_in(graph, wilful), rng(), parent=agent, seed=4)
    shards = {path.name for path in (tmp_path / "recorded").glob("tensors.*.safetensors")}
    assert shards == {f"tensors.{name}.safetensors" for name in COLUMNS}
    assert load_file(tmp_path / "recorded" / "tensors.safetensors").keys() == set(TABLES)


@pytest.mark.parametrize("name", ["tensors.reward.safetensors", "tensors.length.safetensors", "tensors.safetensors"])
def test_a_damaged_shard_is_named(graph, wilful, agent, tmp_path, name):
    record_trajectories(tmp_path / "recorded", collection_in(graph, wilful), rng(), parent=agent, seed=4)
    data = bytearray((tmp_path / "recorded" / name).read_bytes())
    data[-1] ^= 1
    (tmp_path / "recorded" / name).write_bytes(bytes(data))
    with pytest.raises(UserError, match=rf"{name} is damaged .*: restore it, or make the artefact again"):
        load_trajectories(tmp_path / "recorded")


def test_facts_travel_with_their_steps(graph, wilful, agent, tmp_path):
    record_trajectories(tmp_path / "recorded", collection_in(graph, wilful), rng(), parent=agent, seed=4)
    back, _ = load_trajectories(tmp_path / "recorded")
    assert back.fact_names == graph.fact_names
    seen_in = graph.frames[graph.frame_id]  # state view view 3
    shown = {(*facts[:-1], frame.tobytes()) for facts, frame in zip(graph.facts.tolist(), seen_in, strict=True)}
    for facts, frame_id, time in zip(back.facts.tolist(), back.frame_id.tolist(), back.time.tolist(), strict=True):
        assert (*facts[:-1], back.frames[frame_id].numpy().tobytes()) in shown
        assert facts[-1] == time


def test_demonstrations_that_ship_open():
    trajectories, artefact = load_trajectories(Path("checkpoints/demonstrations/memory-movable"))
    metrics = artefact.manifest.metrics
    assert trajectories.n_steps == metrics["n_steps"]
    assert torch.equal(trajectories.facts[:, -1].long(), trajectories.time)
