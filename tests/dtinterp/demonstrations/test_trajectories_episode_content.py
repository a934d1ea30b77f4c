from dataclasses import replace

import torch

from dtinterp.demonstrations.trajectories import Trajectories, episode_content


def made_of(episodes: list[str]) -> Trajectories:
    """Episodes written as words: each letter is a frame, acted on with action 2."""
    letters = "".join(episodes)
    return Trajectories(
        env_id="Made-v0",
        max_steps=50,
        frames=torch.zeros(26, 7, 7, 3, dtype=torch.uint8),
        frame_id=torch.tensor([ord(letter) - ord("a") for letter in letters], dtype=torch.int32),
        fact_table=torch.zeros(1, 0, dtype=torch.int16),
        fact_id=torch.zeros(len(letters), dtype=torch.int32),
        action=torch.full((len(letters),), 2, dtype=torch.int8),
        reward=torch.zeros(len(letters)),
        length=torch.tensor([len(episode) for episode in episodes], dtype=torch.int32),
        terminated=torch.ones(len(episodes), dtype=torch.bool),
        sampler=torch.zeros(len(episodes), dtype=torch.int8),
        fact_names=(),
        samplers=("greedy",),
    )


def test_contents_are_numbered_as_they_appear():
    trajectories = made_of(["ab", "c", "ab", "abc", "c"])
    assert episode_content(trajectories).tolist() == [0, 1, 0, 2, 1]
    acted = replace(trajectories, action=torch.tensor([2, 2, 2, 2, 1, 2, 2, 2, 2], dtype=torch.int8))
    assert episode_content(acted).tolist() == [0, 1, 2, 3, 1]


def test_contents_are_those_of_a_slow_comparison(trajectories):
    frames, actions = trajectories.frame_id.tolist(), trajectories.action.tolist()
    seen, expected = [], []
    for begin, length in zip(trajectories.first_step.tolist(), trajectories.length.tolist(), strict=True):
        content = (frames[begin : begin + length], actions[begin : begin + length])
        if content not in seen:
            seen.append(content)
        expected.append(seen.index(content))
    assert episode_content(trajectories).tolist() == expected
