import numpy as np
import pytest
import torch

from dtinterp.demonstrations.goal_directed import ASTRAY, HOMEWARD, tours
from environments.graph.enumeration import SUCCESS


@pytest.fixture(scope="module")
def toured(graph):
    return tours(graph, n_tours=4, generator=np.random.default_rng(0))


def test_every_frame_of_the_world_is_shown_by_the_tours_that_are_made_for_it(graph, toured):
    assert torch.equal(toured.frames, torch.tensor(graph.frames))
    for frame in range(len(graph.frames)):
        episodes = torch.isin(toured.episode, torch.arange(4 * frame, 4 * frame + 4))
        shown = toured.episode[episodes & (toured.frame_id == frame)].unique()
        assert len(shown) == 4


def test_episodes_are_what_the_world_does(graph, toured):
    for number in range(0, toured.n_episodes, 7):
        first, length = int(toured.first_step[number]), int(toured.length[number])
        frames, actions = (column[first : first + length] for column in (toured.frame_id, toured.action))
        possible, outcomes = {int(state) for state in graph.start}, set()
        for step in range(length):
            possible = {state for state in possible if graph.frame_id[state] == frames[step]}
            assert possible
            outcomes = {int(graph.outcome[state, actions[step]]) for state in possible}
            possible = {int(graph.next_state[state, actions[step]]) for state in possible}
        earned = float(toured.episode_return[number])
        if earned > 0:
            assert SUCCESS in outcomes
            assert earned == pytest.approx(1 - 0.9 * length / graph.max_steps)
        assert bool(toured.terminated[number]) or length == graph.max_steps


def test_those_that_go_home_succeed(toured):
    assert toured.samplers == (HOMEWARD, ASTRAY)
    home = toured.sampler == 0
    assert int(home.sum()) == toured.n_episodes // 2
    assert bool((toured.episode_return[home] > 0).all())


def test_the_same_generator_makes_the_same_tours(graph, toured):
    again = tours(graph, n_tours=4, generator=np.random.default_rng(0))
    assert torch.equal(again.frame_id, toured.frame_id)
    assert torch.equal(again.action, toured.action)
