from dataclasses import replace

import pytest
import torch

from dtinterp.demonstrations import quality as quality_module
from dtinterp.demonstrations.coverage import visited_states
from dtinterp.demonstrations.quality import Lengths, SamplerQuality, quality
from dtinterp.demonstrations.trajectories import episode_content
from dtinterp.foundation.statistics import wilson


def slow_episodes(trajectories, sampler):
    """The (actions, rewards, terminated) of each episode of one sampler."""
    episodes = []
    for episode in range(trajectories.n_episodes):
        begin = int(trajectories.first_step[episode])
        steps = slice(begin, begin + int(trajectories.length[episode]))
        if trajectories.samplers[trajectories.sampler[episode]] == sampler:
            actions, rewards = trajectories.action[steps].tolist(), trajectories.reward[steps].tolist()
            episodes.append((actions, rewards, bool(trajectories.terminated[episode])))
    return episodes


@pytest.mark.parametrize("n_at_once", [1, 7, 4096])
def test_each_sampler_is_judged_as_by_a_slow_loop(trajectories, monkeypatch, n_at_once):
    monkeypatch.setattr(quality_module, "EPISODES_AT_ONCE", n_at_once)
    shuffled = replace(trajectories, sampler=trajectories.sampler[torch.randperm(trajectories.n_episodes)])
    judged = quality(shuffled)
    assert list(judged.by_sampler) == ["temperature=1", "temperature=5"]
    for name, ours in judged.by_sampler.items():
        episodes = slow_episodes(shuffled, name)
        lengths = sorted(len(actions) for actions, _, _ in episodes)
        taken = [action for actions, _, _ in episodes for action in actions]
        n_successes = sum(terminated and rewards[-1] > 0 for _, rewards, terminated in episodes)
        assert ours.n_episodes == len(episodes)
        assert ours.n_steps == sum(lengths)
        assert ours.success == wilson(n_successes, len(episodes))
        assert ours.mean_length == pytest.approx(sum(lengths) / len(lengths), abs=0.01)
        assert ours.mean_return == pytest.approx(sum(sum(r) for _, r, _ in episodes) / len(episodes), abs=1e-4)
        assert ours.length == Lengths(lengths[0], lengths[(len(lengths) - 1) // 2], lengths[-1])
        assert list(ours.action_share) == pytest.approx([taken.count(a) / len(taken) for a in range(7)], abs=1e-4)


def test_counts_are_those_of_the_columns(trajectories, graph):
    judged = quality(trajectories)
    assert (judged.n_steps, judged.n_episodes) == (trajectories.n_steps, trajectories.n_episodes)
    assert judged.n_distinct_frames == len(trajectories.frames)
    assert judged.n_reachable_frames == len(graph.frames)
    assert judged.coverage == len(trajectories.frames) / len(graph.frames)


def test_an_episode_that_is_there_twice_is_one_distinct_episode(trajectories):
    columns = ("frame_id", "fact_id", "action", "reward", "length", "terminated", "sampler")
    doubled = replace(trajectories, **{name: getattr(trajectories, name).repeat(2) for name in columns})
    one, two = quality(trajectories), quality(doubled)
    assert two.n_episodes == 2 * one.n_episodes
    assert two.n_distinct_episodes == one.n_distinct_episodes == int(episode_content(trajectories).max()) + 1


def test_frames_that_the_world_cannot_show_cover_nothing(trajectories, graph):
    strange = trajectories.frames.clone()
    strange[0] = 9
    assert quality(replace(trajectories, frames=strange)).coverage == (len(trajectories.frames) - 1) / len(graph.frames)


def test_a_world_without_a_known_graph_has_no_coverage(trajectories):
    judged = quality(replace(trajectories, env_id="MiniGrid-DoorKey-6x6-v0"))
    assert (judged.n_reachable_frames, judged.coverage) == (None, None)
    assert (judged.n_states, judged.state_coverage) == (None, None)
    assert judged.n_distinct_frames == len(trajectories.frames)


def test_the_states_that_were_passed_through_are_a_share_of_all(trajectories, graph):
    judged = quality(trajectories)
    n_visited = int(visited_states(trajectories, graph).sum())
    assert judged.n_states == graph.n_states
    assert judged.state_coverage == pytest.approx(n_visited / graph.n_states)


def test_without_facts_nothing_is_said_of_states(trajectories):
    bare = replace(trajectories, fact_table=trajectories.fact_table[:, :0], fact_names=())
    judged = quality(bare)
    assert (judged.n_states, judged.state_coverage) == (None, None)
    assert judged.coverage is not None


def test_an_episode_that_ran_out_of_time_is_no_success(trajectories):
    timed_out = replace(trajectories, terminated=torch.zeros_like(trajectories.terminated))
    successes = [each.success for each in quality(timed_out).by_sampler.values()]
    assert [success and success.estimate for success in successes] == [0, 0]


def test_a_sampler_without_episodes_is_named_all_the_same(trajectories):
    judged = quality(replace(trajectories, samplers=(*trajectories.samplers, "greedy")))
    assert judged.by_sampler["greedy"] == SamplerQuality(n_episodes=0)
