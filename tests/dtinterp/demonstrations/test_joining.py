from dataclasses import replace

import pytest
import torch

from dtinterp.demonstrations.collect import Share, collect
from dtinterp.demonstrations.joining import join
from dtinterp.demonstrations.quality import quality
from dtinterp.demonstrations.samplers import Temperature
from dtinterp.demonstrations.storage import load_trajectories, save_trajectories
from dtinterp.demonstrations.trajectories import mixture_name
from dtinterp.foundation.artefacts.artefact import Content, write_artefact
from dtinterp.foundation.errors import UserError
from environments.making import make_worlds
from tests.dtinterp.conftest import RandomPolicy

KEY = "MiniGrid-DoorKey-5x5-v0"


@pytest.fixture(scope="session")
def with_doors():
    worlds = make_worlds(KEY, 8, generator=torch.Generator().manual_seed(0), n_layouts=8)
    shares = [Share(Temperature(5.0), 2600)]
    return collect(RandomPolicy(), worlds, shares, torch.Generator().manual_seed(1))


@pytest.fixture(scope="session")
def mixture(trajectories, with_doors):
    return join([trajectories, with_doors])


def test_every_step_shows_the_frame_that_it_showed(trajectories, with_doors, mixture):
    shown = mixture.frames[mixture.frame_id.long()]
    n = trajectories.n_steps
    assert torch.equal(shown[:n], trajectories.frames[trajectories.frame_id.long()])
    assert torch.equal(shown[n:], with_doors.frames[with_doors.frame_id.long()])
    assert len(mixture.frames) == len(torch.unique(shown, dim=0))


def test_every_episode_keeps_its_world_its_sampler_and_its_return(trajectories, with_doors, mixture):
    parts = [trajectories] * trajectories.n_episodes + [with_doors] * with_doors.n_episodes
    worlds = [mixture.env_ids[world] for world in mixture.world.tolist()]
    assert worlds == [part.env_id for part in parts]
    labels = [mixture.samplers[sampler] for sampler in mixture.sampler.tolist()]
    assert labels == [part.samplers[i] for part in (trajectories, with_doors) for i in part.sampler.tolist()]
    returns = torch.cat([trajectories.episode_return, with_doors.episode_return])
    torch.testing.assert_close(mixture.episode_return, returns)


def test_the_facts_that_all_record_are_kept(trajectories, with_doors, mixture):
    shared = [name for name in trajectories.fact_names if name in with_doors.fact_names]
    assert list(mixture.fact_names) == shared
    for part, facts in ((trajectories, mixture.facts[: trajectories.n_steps]), (with_doors, mixture.facts[-1:])):
        chosen = part.facts[:, [part.fact_names.index(name) for name in shared]]
        assert torch.equal(facts, chosen[-len(facts) :])


def test_a_mixture_is_named_after_its_worlds_and_takes_as_long_as_the_longest(trajectories, with_doors, mixture):
    assert mixture.env_id == mixture_name([trajectories.env_id, KEY]) == f"{trajectories.env_id} + {KEY}"
    assert mixture.max_steps == max(trajectories.max_steps, with_doors.max_steps)


def test_trajectories_of_one_world_stay_of_one_world(trajectories):
    twice = join([trajectories, trajectories])
    assert twice.mixture is None
    assert twice.env_ids == (trajectories.env_id,)
    assert quality(twice).n_distinct_episodes == quality(trajectories).n_distinct_episodes
    assert twice.n_steps == 2 * trajectories.n_steps


def test_a_joined_mixture_can_be_joined_again(trajectories, with_doors, mixture):
    again = join([with_doors, mixture])
    assert again.env_ids == (KEY, trajectories.env_id)
    assert torch.equal(again.frames, mixture.frames)
    assert again.world.bincount().tolist() == [2 * with_doors.n_episodes, trajectories.n_episodes]


def test_a_mixture_comes_back_from_the_disk(mixture, tmp_path):
    parents = [
        write_artefact(tmp_path / name, Content("demonstrations", {}, {}, {"name": name}), parents=(), seed=0)
        for name in ("one", "two")
    ]
    save_trajectories(tmp_path / "mixture", mixture, parent=parents, seed=0)
    back, artefact = load_trajectories(tmp_path / "mixture")
    assert back.env_ids == mixture.env_ids
    assert torch.equal(back.world, mixture.world)
    assert len(artefact.manifest.parents) == 2


def test_one_part_is_refused(trajectories):
    with pytest.raises(UserError, match="1 demonstrations cannot be joined: give at least two"):
        join([trajectories])


def test_where_no_fact_is_known_to_all_none_is_kept(trajectories):
    foreign = replace(
        trajectories,
        fact_table=trajectories.fact_table[:1, :0],
        fact_id=torch.zeros_like(trajectories.fact_id),
        fact_names=(),
    )
    assert join([trajectories, foreign]).facts.shape == (2 * trajectories.n_steps, 0)


def test_a_sampler_of_two_agents_in_one_world_becomes_two(trajectories, with_doors):
    both = join([trajectories, with_doors, trajectories], ["first", "first", "second"])
    assert both.samplers == (
        "temperature=1 of first",
        "temperature=5 of first",
        "temperature=5",
        "temperature=1 of second",
        "temperature=5 of second",
    )
    labels = [both.samplers[sampler] for sampler in both.sampler[-trajectories.n_episodes :].tolist()]
    assert labels == [f"{trajectories.samplers[i]} of second" for i in trajectories.sampler.tolist()]


def test_who_is_not_known_has_no_name(trajectories):
    both = join([trajectories, trajectories], ["", "second"])
    assert both.samplers == (*trajectories.samplers, *(f"{name} of second" for name in trajectories.samplers))


def test_two_collections_of_one_agent_are_one_sampler(trajectories):
    assert join([trajectories, trajectories], ["one", "one"]).samplers == trajectories.samplers
