"""Populations: whose histories they are, what is asked along them, and that they are found again."""

from dataclasses import replace

import pytest
import torch

from dtinterp.equivalence.classes.verification import CertifyInputs
from dtinterp.equivalence.config import EquivalenceConfig
from dtinterp.equivalence.populations.population import populated, refuse_plays, tried_on
from dtinterp.foundation.errors import UserError

OWN = EquivalenceConfig(n_plays=12, n_tested=4, most_random=3)


@pytest.fixture(scope="module")
def inputs(model, trajectories, halves, items):
    return CertifyInputs(model, model, trajectories, halves.held_out, items)


@pytest.mark.parametrize("asked", ["own", "attainable"])
def test_own_play_is_found_again_from_its_moves(inputs, graph, trajectories, asked):
    config = replace(OWN, asked=asked)
    moved, moves = populated(inputs, config, graph)
    again = tried_on(config, moves, trajectories)
    for name in ("frame_id", "action", "length", "return_to_go", "frames"):
        assert torch.equal(getattr(again, name), getattr(moved.trajectories, name))
    assert moved.n_known == len(trajectories.frames)


def test_some_episodes_are_set_aside_to_be_tested(inputs, graph):
    moved, _ = populated(inputs, OWN, graph)
    episode = moved.trajectories.episode
    assert moved.tested is not None
    assert episode[moved.steps].unique().tolist() == list(range(12))
    assert episode[moved.tested].unique().tolist() == list(range(12, 16))
    assert len(moved.all_steps) == moved.trajectories.n_steps
    few = moved.at(moved.all_steps[::2])
    assert few.tested is not None
    assert torch.equal(few.all_steps, moved.all_steps[::2])
    alone, _ = populated(inputs, replace(OWN, n_tested=0), graph)
    assert alone.tested is None


def test_own_play_is_asked_for_the_target(inputs, graph):
    moved, _ = populated(inputs, replace(OWN, target_return=0.7), graph)
    assert (moved.trajectories.return_to_go == torch.tensor(0.7)).all()


def test_demonstrations_keep_their_returns_or_are_asked_for_the_target(inputs, graph, trajectories):
    held_out, none = populated(inputs, EquivalenceConfig(contexts="held-out"), graph)
    assert none is None
    assert held_out.trajectories is trajectories
    config = EquivalenceConfig(contexts="held-out", asked="target")
    asked, _ = populated(inputs, config, graph)
    assert (asked.trajectories.return_to_go == torch.tensor(0.892)).all()
    assert torch.equal(asked.steps, inputs.steps)
    assert torch.equal(tried_on(config, None, trajectories).return_to_go, asked.trajectories.return_to_go)


def test_successful_demonstrations_are_those_that_earned_something(inputs, graph, trajectories):
    config = EquivalenceConfig(contexts="successful")
    found, _ = populated(inputs, config, graph)
    earned = trajectories.episode_return[trajectories.episode[found.steps]]
    assert 0 < len(found.steps) < len(inputs.steps)
    assert (earned > 0).all()
    failed = replace(trajectories, reward=torch.zeros_like(trajectories.reward))
    with pytest.raises(UserError, match="no held-out demonstration succeeds"):
        populated(replace(inputs, trajectories=failed), config, graph)


def test_what_is_attainable_is_asked_in_own_play_alone():
    with pytest.raises(UserError, match="give --contexts own-play"):
        EquivalenceConfig(contexts="held-out", asked="attainable")


def test_all_plays_are_found_again_and_refused_where_demonstrations_are_asked_for(inputs, graph, trajectories):
    config = EquivalenceConfig(contexts="plays", horizon=1)
    moved, moves = populated(inputs, config, graph)
    assert moves is None
    assert torch.equal(tried_on(config, None, trajectories).frame_id, moved.trajectories.frame_id)
    refuse_plays(OWN, "mine")
    with pytest.raises(UserError, match="mine was certified in plays of the world"):
        refuse_plays(config, "mine")
