import pytest
import torch

from dtinterp.dataset.split import COMMON, split
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.foundation.errors import UserError


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def made_of(episodes: list[str]) -> Trajectories:
    """Episodes written as words: each letter is a frame, seen once and acted on with action 2."""
    letters = "".join(episodes)
    n_steps = len(letters)
    return Trajectories(
        env_id="Made-v0",
        max_steps=50,
        frames=torch.arange(26, dtype=torch.uint8)[:, None, None, None].expand(26, 7, 7, 3).contiguous(),
        frame_id=torch.tensor([ord(letter) - ord("a") for letter in letters], dtype=torch.int32),
        action=torch.full((n_steps,), 2, dtype=torch.int8),
        reward=torch.zeros(n_steps),
        fact_table=torch.zeros(1, 1, dtype=torch.int16),
        fact_id=torch.zeros(n_steps, dtype=torch.int32),
        length=torch.tensor([len(episode) for episode in episodes], dtype=torch.int32),
        terminated=torch.ones(len(episodes), dtype=torch.bool),
        sampler=torch.zeros(len(episodes), dtype=torch.int8),
        fact_names=("time",),
        samplers=("greedy",),
    )


def contents_of(trajectories, steps):
    """The contents that these steps belong to, as sets of (frames, actions)."""
    found = set()
    for episode in torch.unique(trajectories.episode[steps]).tolist():
        inside = trajectories.episode == episode
        found.add((tuple(trajectories.frame_id[inside].tolist()), tuple(trajectories.action[inside].tolist())))
    return found


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_every_step_is_on_one_side_and_every_content_too(trajectories, share):
    sides = split(trajectories, share=share, generator=rng())
    assert torch.equal(torch.cat([sides.train, sides.held_out]).sort().values, torch.arange(trajectories.n_steps))
    train, held_out = contents_of(trajectories, sides.train), contents_of(trajectories, sides.held_out)
    assert not train & held_out
    assert len(train | held_out) == sides.n_contents
    assert len(held_out) == round(share * sides.n_contents)


def test_whole_episodes_are_held_out(trajectories):
    sides = split(trajectories, share=0.3, generator=rng())
    is_held_out = torch.zeros(trajectories.n_steps, dtype=torch.bool)
    is_held_out[sides.held_out] = True
    by_episode = torch.zeros(trajectories.n_episodes).index_add(0, trajectories.episode, is_held_out.float())
    assert torch.isin(by_episode / trajectories.length, torch.tensor([0.0, 1.0])).all()


def test_held_out_frames_are_those_that_training_never_shows():
    trajectories = made_of(["ab", "ac", "ad", "ae", "ab"])
    sides = split(trajectories, share=0.25, generator=rng())
    shown = set(trajectories.frame_id[sides.train].tolist())
    assert set(sides.held_out_frames.tolist()) == set(range(26)) - shown
    assert (set(trajectories.frame_id[sides.held_out].tolist()) - {0}) <= set(sides.held_out_frames.tolist())


def test_what_a_good_agent_repeats_is_never_held_out():
    episodes = ["ab"] * 50 + ["c" + letter for letter in "defghijklm"]
    assert COMMON * len(episodes) < 50
    for seed in range(20):
        sides = split(made_of(episodes), share=0.5, generator=rng(seed))
        assert torch.isin(torch.arange(100), sides.train).all()
        assert len(sides.held_out) > 0


def test_a_seed_gives_one_split_and_another_seed_another(trajectories):
    one, same, other = (split(trajectories, share=0.3, generator=rng(seed)) for seed in (0, 0, 1))
    assert torch.equal(one.held_out, same.held_out)
    assert not torch.equal(one.held_out, other.held_out)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_an_impossible_share_is_refused(trajectories, share):
    with pytest.raises(UserError, match=f"the held-out share is {share}, expected a number between 0 and 1"):
        split(trajectories, share=share, generator=rng())


@pytest.mark.parametrize("episodes", [[], ["ab"], ["ab", "ab", "ab"], ["a", "b"], ["ab", "ab", "cd", "cd"]])
def test_too_few_distinct_episodes_are_refused(episodes):
    sentence = r"\d distinct episodes cannot be split with a held-out share of 0.2: collect more steps"
    with pytest.raises(UserError, match=sentence):
        split(made_of(episodes), share=0.2, generator=rng())
