"""Own play against what the world's graph says of it, and against the plan of its random actions."""

import pytest
import torch

from dtinterp.demonstrations.samplers import Greedy
from dtinterp.equivalence.populations.own_play import NOT_RANDOM, PlayConfig, beginnings, own_play, player
from dtinterp.foundation.seeding import generator
from dtinterp.interventions.returns.expectation import expectation
from dtinterp.model.config import ModelConfig
from dtinterp.model.network.transformer import DecisionTransformer

CONFIG = PlayConfig(n_plays=24, most_random=4, seed=3)


@pytest.fixture(scope="module")
def begun(graph):
    return beginnings(graph, CONFIG)


@pytest.fixture(scope="module")
def plays(model, begun):
    return begun.played(player(model, begun, 0.892))


def test_the_random_actions_are_taken_and_then_the_model_acts(graph, begun, plays):
    n = min(begun.plan.shape[1], plays.action.shape[1])
    planned = (begun.plan[:, :n] != NOT_RANDOM) & plays.is_running[:, :n]
    assert 0 < planned.sum() < planned.numel()
    assert torch.equal(plays.action[:, :n][planned], begun.plan[:, :n][planned])
    number = (begun.plan != NOT_RANDOM).sum(1)
    assert set(number.tolist()) == set(range(CONFIG.most_random + 1))
    assert (begun.plan < graph.n_actions).all()


def test_without_random_actions_the_return_is_the_exact_one(reflexes, graph):
    ahead = torch.full((len(graph.frames),), 2)
    model = reflexes(ahead)
    begun = beginnings(graph, PlayConfig(n_plays=64, most_random=0))
    plays = begun.played(player(model, begun, 0.892))
    exact = expectation(model, graph, Greedy(), target_return=0.892)
    assert float(plays.returned.mean()) == pytest.approx(exact.expected_return)
    assert plays.is_running.sum(1).float().mean() == pytest.approx(exact.steps)


def test_equal_seeds_give_equal_plays_and_repeated_ones_are_the_same_again(model, graph, begun, plays):
    twice = begun.repeated(graph, 2)
    first, second = twice.played(player(model, twice, 0.892)).split(2)
    for again in (first, second, beginnings(graph, CONFIG).played(player(model, begun, 0.892))):
        assert again.same_actions(plays).all()
        assert torch.equal(again.ended, plays.ended)
        assert torch.equal(again.start, plays.start)


def test_moves_lead_through_the_frames_that_were_seen(graph, plays):
    state = plays.start.clone()
    for time in range(plays.action.shape[1]):
        running = plays.is_running[:, time]
        assert torch.equal(torch.tensor(graph.frame_id)[state[running]].long(), plays.frame_id[running, time])
        after = torch.tensor(graph.next_state)[state, plays.action[:, time]].long()
        state = torch.where(running & (after >= 0), after, state)
    assert int(plays.moves.length.sum()) == int(plays.is_running.sum())


def test_asked_for_what_is_attainable_it_plays_otherwise_than_asked_for_one_return(graph):
    """Planted: nothing but the return asked for reaches the model, so what it does is a function of it."""
    network = DecisionTransformer(ModelConfig(d_model=16, n_layers=1, n_heads=2, d_mlp=32), generator(1, "asked"))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter *= 8
        network.get_parameter("W_rtg").mul_(40)
    one, other = (own_play(network, graph, CONFIG, asks_attainable=each) for each in (False, True))
    assert torch.equal(one.start, other.start)
    assert one.action.tolist() != other.action.tolist()
