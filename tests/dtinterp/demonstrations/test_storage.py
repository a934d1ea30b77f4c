import json
from dataclasses import fields

import pytest
import torch
from safetensors.torch import load_file

from dtinterp.demonstrations.storage import load_trajectories, save_trajectories
from dtinterp.foundation.artefact import Content, write_artefact
from dtinterp.foundation.errors import UserError


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


def test_the_metrics_count_each_sampler(trajectories, agent, tmp_path):
    save_trajectories(tmp_path / "demonstrations", trajectories, parent=agent, seed=4)
    metrics = json.loads((tmp_path / "demonstrations" / "manifest.json").read_text())["metrics"]
    by_sampler = metrics["by_sampler"]
    assert list(by_sampler) == ["temperature=1", "temperature=5"]
    assert sum(each["n_episodes"] for each in by_sampler.values()) == metrics["n_episodes"] == trajectories.n_episodes
    assert metrics["n_steps"] == trajectories.n_steps
    chosen = trajectories.sampler == 1
    returns, lengths = trajectories.episode_return[chosen], trajectories.length[chosen]
    expected = {
        "n_episodes": int(chosen.sum()),
        "mean_return": round(sum(returns.tolist()) / len(returns), 4),
        "mean_length": round(sum(lengths.tolist()) / len(lengths), 2),
        "share_rewarded": round(sum(each > 0 for each in returns.tolist()) / len(returns), 4),
    }
    assert by_sampler["temperature=5"] == pytest.approx(expected)


def test_bytes_per_step_are_those_on_the_disk(trajectories, agent, tmp_path):
    metrics = save_trajectories(tmp_path / "demonstrations", trajectories, parent=agent, seed=4).manifest.metrics
    file = tmp_path / "demonstrations" / "tensors.safetensors"
    on_disk = sum(tensor.nbytes for tensor in load_file(file).values())
    assert metrics["bytes_per_step"] == round(on_disk / trajectories.n_steps, 2)
    assert on_disk <= file.stat().st_size


def test_what_are_no_demonstrations_is_refused(agent):
    with pytest.raises(UserError, match="is of kind agent, expected demonstrations"):
        load_trajectories(agent.path)
