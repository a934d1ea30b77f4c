import pytest
import torch

from dtinterp.agents.policy import Decision
from dtinterp.demonstrations.rollout import roll_out
from dtinterp.demonstrations.samplers import Greedy, Temperature, probabilities
from dtinterp.foundation.errors import UserError
from environments.worlds import GraphWorlds


def worlds_of(graph, n_worlds=4):
    return GraphWorlds(graph, n_worlds, generator=torch.Generator().manual_seed(7))


def test_steps_are_those_of_the_worlds_stepped_by_hand(graph, wilful):
    twin, rng = worlds_of(graph), torch.Generator().manual_seed(1)
    frame_id, time = twin.reset(), torch.zeros(4, dtype=torch.int64)
    steps = roll_out(
        wilful, worlds_of(graph), Temperature(2.0), n_steps=120, generator=torch.Generator().manual_seed(1)
    )
    for step in steps:
        facts = twin.facts()
        logits = wilful._by_frame[frame_id] + wilful._by_time[time]
        action = torch.multinomial(probabilities(Temperature(2.0), logits), 1, generator=rng).squeeze(-1)
        outcome = twin.step(action)
        ended = outcome.terminated | outcome.truncated
        for ours, by_hand in [
            (step.frame_id, frame_id),
            (step.facts, facts),
            (step.action, action),
            (step.reward, outcome.reward),
            (step.terminated, outcome.terminated),
            (step.truncated, outcome.truncated),
            (step.success, outcome.success),
            (step.is_last, ended),
        ]:
            assert torch.equal(ours, by_hand)
        frame_id, time = outcome.frame_id, torch.where(ended, 0, time + 1)


def test_a_rollout_begins_with_a_reset(graph, wilful):
    worlds = worlds_of(graph)
    one, other = (
        [step.frame_id for step in roll_out(wilful, worlds, Greedy(), n_steps=9, generator=torch.Generator())]
        for _ in range(2)
    )
    assert torch.equal(torch.stack(one), torch.stack(other))


def test_a_policy_for_a_world_of_other_actions_is_refused(graph):
    class Foreign:
        def start(self, n_worlds):
            return torch.zeros(n_worlds)

        def act(self, observation, memory):
            return Decision(torch.zeros(len(observation.frame_id), 4), memory)

    steps = roll_out(Foreign(), worlds_of(graph), Greedy(), n_steps=9, generator=torch.Generator())
    with pytest.raises(UserError, match=r"the policy chooses among 4 actions, but MiniGrid-\S+ has 7: give a policy"):
        next(steps)
