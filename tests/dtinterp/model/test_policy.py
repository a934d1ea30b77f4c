from dataclasses import replace

import pytest
import torch

from dtinterp.agents.items import FrameItems
from dtinterp.agents.policy import PAD_ACTION, Observation
from dtinterp.dataset.windows import blank_windows, window
from dtinterp.demonstrations.collect import Share, collect
from dtinterp.demonstrations.samplers import Greedy, UniformMixture
from dtinterp.model.policy import WindowPolicy
from environments.vocabulary import one_hot
from environments.worlds import GraphWorlds

TARGET = 0.892


class Recorded:
    """Does as a policy does and keeps what it was asked and what it answered."""

    def __init__(self, policy):
        self.policy, self.logits, self.is_first = policy, [], []

    def start(self, n_worlds):
        return self.policy.start(n_worlds)

    def act(self, observation, memory):
        decision = self.policy.act(observation, memory)
        self.logits.append(decision.logits)
        self.is_first.append(observation.is_first)
        return decision

    def logits_of_whole_episodes(self):
        """In the order of trajectories: world after world, without the episodes that were still going on."""
        kept = []
        for logits, is_first in zip(torch.stack(self.logits, 1), torch.stack(self.is_first, 1), strict=True):
            kept.append(logits[: int(is_first.nonzero().max())])
        return torch.cat(kept)


@pytest.fixture
def known(trajectories):
    return FrameItems(trajectories)


@pytest.fixture
def worlds(graph):
    return GraphWorlds(graph, 12, generator=torch.Generator().manual_seed(11))


@pytest.mark.parametrize("sampler", [Greedy(), UniformMixture(0.5)])
def test_it_acts_as_the_model_does_on_the_windows_of_what_was_recorded(model, worlds, sampler):
    policy = Recorded(WindowPolicy(model, FrameItems(worlds), target_return=TARGET))
    recorded = collect(policy, worlds, [Share(sampler, 12 * 75)], torch.Generator().manual_seed(0))
    windows = window(recorded, torch.arange(recorded.n_steps))
    asked = replace(windows, rtg=TARGET * windows.mask)  # nothing is earned before an episode's last step
    with torch.no_grad():
        logits = model(asked, one_hot(recorded.frames))[:, -1]
    torch.testing.assert_close(policy.logits_of_whole_episodes(), logits, atol=1e-4, rtol=1e-4)
    if sampler == Greedy():
        assert torch.equal(logits.argmax(-1), recorded.action.long())
    assert recorded.length.max() > 10


def slow_window(history, n_slots):
    """One world's window, from the list of (frame, last action, last reward) that its episode has been so far."""
    pads = max(n_slots - len(history), 0)
    times = range(len(history))[-n_slots:]
    actions = [action for _, action, _ in history[1:]] + [PAD_ACTION]
    earned = [sum(reward for _, _, reward in history[1 : time + 1]) for time in times]
    return {
        "frame_id": [0] * pads + [history[time][0] for time in times],
        "action": [PAD_ACTION] * pads + [actions[time] for time in times],
        "time": [0] * pads + list(times),
        "mask": [False] * pads + [True] * len(times),
        "rtg": [0.0] * pads + [TARGET - each for each in earned],
    }


def test_it_remembers_what_a_slow_loop_remembers_even_where_every_step_pays(model, known):
    rng = torch.Generator().manual_seed(0)
    policy = WindowPolicy(model, known, target_return=TARGET)
    memory, histories = policy.start(4), [[] for _ in range(4)]
    for time in range(30):
        begins = torch.rand(4, generator=rng) < (1.0 if time == 0 else 0.1)
        seen = Observation(
            frame_id=torch.randint(len(known.table), (4,), generator=rng),
            is_first=begins,
            last_action=torch.where(begins, PAD_ACTION, torch.randint(7, (4,), generator=rng)),
            last_reward=torch.where(begins, 0.0, torch.rand(4, generator=rng)),
        )
        memory = policy.act(seen, memory).memory
        for world, history in enumerate(histories):
            if begins[world]:
                history.clear()
            history.append(
                (seen.frame_id[world].item(), seen.last_action[world].item(), seen.last_reward[world].item())
            )
            expected = slow_window(history, 10)
            for name in ("frame_id", "action", "time", "mask"):
                assert getattr(memory.windows, name)[world].tolist() == expected[name]
            assert memory.windows.rtg[world].tolist() == pytest.approx(expected["rtg"], abs=1e-5)


def test_acting_leaves_the_old_memory_as_it_was(model, known):
    policy = WindowPolicy(model, known, target_return=TARGET)
    start = policy.start(2)
    seen = Observation(torch.tensor([1, 2]), torch.tensor([True, True]), torch.tensor([7, 7]), torch.zeros(2))
    after = policy.act(seen, start).memory
    kept = {name: column.clone() for name, column in vars(after.windows).items()}
    policy.act(
        Observation(torch.tensor([3, 4]), torch.tensor([False, True]), torch.tensor([2, 7]), torch.zeros(2)), after
    )
    assert not start.windows.mask.any()
    assert all(torch.equal(getattr(after.windows, name), column) for name, column in kept.items())


def test_worlds_that_differ_in_their_return_alone_are_told_apart(model, known):
    policy = WindowPolicy(model, known, target_return=TARGET)
    begin = Observation(torch.tensor([1, 1, 1]), torch.ones(3, dtype=torch.bool), torch.full((3,), 7), torch.zeros(3))
    first = policy.act(begin, policy.start(3))
    later = Observation(
        torch.tensor([2, 2, 2]),
        torch.zeros(3, dtype=torch.bool),
        torch.tensor([2, 2, 2]),
        torch.tensor([0.0, 0.5, 0.0]),
    )
    logits = policy.act(later, first.memory).logits
    assert torch.equal(logits[0], logits[2])
    assert not torch.allclose(logits[0], logits[1])


def test_hooks_patch_what_it_does(model, known):
    def blank(activation, **_):
        return torch.zeros_like(activation)

    seen = Observation(torch.tensor([1, 2]), torch.tensor([True, True]), torch.tensor([7, 7]), torch.zeros(2))
    plain = WindowPolicy(model, known, target_return=TARGET)
    blind = WindowPolicy(model, known, target_return=TARGET, hooks=[("hook_obs_embed", blank)])
    sighted, unsighted = plain.act(seen, plain.start(2)).logits, blind.act(seen, blind.start(2)).logits
    assert not torch.allclose(sighted[0], sighted[1])
    torch.testing.assert_close(unsighted[0], unsighted[1])
    assert not model.is_listened_to()


def test_a_blank_window_is_all_padding():
    windows = blank_windows(3, 10)
    assert not windows.mask.any()
    assert set(windows.action.flatten().tolist()) == {PAD_ACTION}
    assert windows.rtg.shape == (3, 10)
