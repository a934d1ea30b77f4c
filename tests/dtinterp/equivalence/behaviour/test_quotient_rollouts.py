import pytest
import torch

from dtinterp.agents.network import RecurrentActorCritic
from dtinterp.equivalence.behaviour.quotient_rollouts import (
    AGENT,
    INTACT,
    MODEL,
    RolloutSetup,
    Substitution,
    roll_out_quotients,
)
from dtinterp.foundation.seeding import generator


@pytest.fixture(scope="module")
def stage(graph):
    return RolloutSetup(graph, n_episodes=12, target_return=0.9, seed=0)


@pytest.fixture(scope="module")
def nothing(graph):
    return Substitution(len(graph.frames), torch.arange(len(graph.frames)))


@pytest.fixture(scope="module")
def everything(graph):
    """All observations are shown as the first one."""
    return Substitution(1, torch.zeros(len(graph.frames), dtype=torch.int64))


def test_where_nothing_is_exchanged_every_episode_ends_as_it_did(model, stage, nothing, everything):
    intact, same, blind = roll_out_quotients(model, None, {"nothing": nothing, "everything": everything}, stage)
    assert (intact.player, intact.shown, intact.n_classes) == (MODEL, INTACT, None)
    assert (same.shown, same.n_classes, blind.n_classes) == ("nothing", nothing.n_classes, 1)
    assert (same.played.change.estimate, same.played.change.low, same.played.change.high) == (0, 0, 0)
    assert same.played.success == intact.played.success
    assert intact.played.success.n == stage.n_episodes


def test_the_agent_plays_where_there_is_one(model, stage, everything):
    agent = RecurrentActorCritic(n_items=980, n_actions=7, d_hidden=8, generator=generator(0, "agent"))
    found = roll_out_quotients(model, agent, {"everything": everything}, stage)
    assert [each.player for each in found] == [MODEL, MODEL, AGENT, AGENT]
    assert found[:2] == roll_out_quotients(model, None, {"everything": everything}, stage)
    assert found[2].played.change.low == found[2].played.change.high == 0


def test_the_same_seed_plays_the_same_episodes(model, stage, everything):
    one, again = (roll_out_quotients(model, None, {"everything": everything}, stage) for _ in range(2))
    assert one == again


def test_a_player_shown_an_observation_that_changes_its_action_loses_all_that_it_earned(left_at_the_fork, forks, graph):
    """Planted: a turn to the left at the fork wins from one of two starts; a fork shown as a start is walked past."""
    frames = torch.arange(len(graph.frames))
    blind = Substitution(len(frames) - len(forks), frames.index_fill(0, forks, int(graph.frame_id[graph.start][0])))
    stage = RolloutSetup(graph, n_episodes=24, target_return=0.9, seed=0)
    intact, lost = roll_out_quotients(left_at_the_fork, None, {"blind": blind}, stage)
    assert 0 < intact.played.success.estimate < 1
    assert intact.played.mean_return.estimate == pytest.approx(0.892 * intact.played.success.estimate)
    assert lost.played.success.estimate == 0
    assert lost.played.mean_return.estimate == 0
    assert lost.played.change.estimate == pytest.approx(-intact.played.mean_return.estimate)
