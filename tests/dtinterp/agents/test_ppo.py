from dataclasses import replace

import pytest
import torch

from dtinterp.agents.config import AgentConfig
from dtinterp.agents.network import RecurrentActorCritic
from dtinterp.agents.ppo import Lesson, improve, lesson_of, ppo_loss
from dtinterp.agents.rollout import Runner
from environments.worlds import GraphWorlds

TINY = AgentConfig(steps=4 * 8 * 3, n_worlds=8, n_rollout=4, d_hidden=8, n_minibatches=2)


@pytest.fixture
def under_way(graph):
    """A rollout that begins in the middle of episodes, and the network that made it."""
    rng = torch.Generator().manual_seed(0)
    network = RecurrentActorCritic(n_items=980, n_actions=7, d_hidden=8, generator=rng)
    with torch.no_grad():
        network.policy_head.weight.normal_(std=0.7, generator=rng)
    runner = Runner(network, GraphWorlds(graph, 8, generator=rng), rng)
    runner.roll(5)
    return network, lesson_of(runner.roll(60), runner.items, TINY)


def slow_loss(network, lesson, group, config):
    """Equation 9, one step of one world at a time."""
    rollout, advantage, items = lesson.rollout, lesson.advantage, lesson.items.table
    gains = advantage[:, group].flatten()
    policy, value, entropy = [], [], []
    for world in group.tolist():
        hidden = rollout.memory[world : world + 1]
        for step in range(len(rollout.action)):
            gates = network.gates(items[rollout.frame_id[step, world]][None])
            hidden = network.advance(gates, rollout.is_first[step, world][None], hidden)
            chances = torch.softmax(network.policy_head(hidden)[0], dim=-1)
            ratio = chances[rollout.action[step, world]] / rollout.log_prob[step, world].exp()
            gain = (advantage[step, world] - gains.mean()) / gains.std()
            policy.append(min(ratio * gain, ratio.clamp(1 - config.clip, 1 + config.clip) * gain))
            old, now = rollout.value[step, world], network.value_head(hidden)[0, 0]
            target = advantage[step, world] + old
            errors = [(now - target) ** 2]
            if config.clip_value:
                errors.append((old + (now - old).clamp(-config.clip, config.clip) - target) ** 2)
            value.append(max(errors))
            entropy.append(-(chances * chances.log()).sum())
    means = [torch.stack(each).mean() for each in (policy, value, entropy)]
    return -means[0] + config.value_weight * means[1] - config.entropy * means[2]


@torch.no_grad()
@pytest.mark.parametrize("clip_value", [False, True])
@pytest.mark.parametrize("drift", [0.0, 0.3])
def test_the_loss_is_that_of_a_slow_loop_before_and_after_the_policy_moves(under_way, drift, clip_value):
    network, lesson = under_way
    config = replace(TINY, clip_value=clip_value)
    rng = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        parameter.add_(drift * torch.randn(parameter.shape, generator=rng))
    lesson = replace(lesson, advantage=torch.randn(60, 8, generator=rng))
    group = torch.tensor([6, 1, 3])
    ours = ppo_loss(network, lesson, group, config, entropy_weight=config.entropy)
    torch.testing.assert_close(ours, slow_loss(network, lesson, group, config), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_a_clipped_value_is_not_rewarded_for_moving_further_than_it_may(under_way):
    network, lesson = under_way
    lesson = replace(lesson, advantage=torch.ones(60, 8))  # so that each value should rise by one
    network.value_head.bias.add_(0.5)

    def value_loss(*, clip_value: bool) -> float:
        config = replace(TINY, clip_value=clip_value, clip=0.2, value_weight=1.0)
        without = replace(config, value_weight=0.0)
        with_it, without_it = (
            ppo_loss(network, lesson, torch.arange(8), each, entropy_weight=0.0) for each in (config, without)
        )
        return (with_it - without_it).item()

    assert value_loss(clip_value=False) == pytest.approx(0.5**2, abs=1e-4)
    assert value_loss(clip_value=True) == pytest.approx(0.8**2, abs=1e-4)


def learnt(under_way, config, passed) -> torch.Tensor:
    """The weights after one improvement."""
    network, lesson = under_way
    copy = RecurrentActorCritic(n_items=980, n_actions=7, d_hidden=8, generator=torch.Generator())
    copy.load_state_dict(network.state_dict())
    optimizer = torch.optim.Adam(copy.parameters(), lr=1.0)
    improve(copy, optimizer, lesson, config, passed=passed, rng=torch.Generator().manual_seed(0))
    return torch.cat([parameter.detach().flatten() for parameter in copy.parameters()])


@pytest.mark.parametrize(
    ("config", "half"),
    [
        (replace(TINY, learning_rate_schedule="linear"), {"learning_rate": TINY.learning_rate / 2}),
        (
            replace(TINY, learning_rate_schedule="constant", entropy=0.4, entropy_schedule="linear"),
            {"entropy": 0.2},
        ),
    ],
)
def test_half_way_a_linear_schedule_is_at_half_its_start(under_way, config, half):
    constant = replace(config, learning_rate_schedule="constant", entropy_schedule="constant")
    assert torch.equal(learnt(under_way, config, 0.5), learnt(under_way, replace(constant, **half), 0.5))
    assert torch.equal(learnt(under_way, config, 0.0), learnt(under_way, constant, 0.0))
    assert not torch.equal(learnt(under_way, config, 0.5), learnt(under_way, constant, 0.5))


def test_each_frame_of_a_group_is_embedded_once(under_way, monkeypatch):
    network, lesson = under_way
    shown, of = [], type(lesson.items).of
    monkeypatch.setattr(type(lesson.items), "of", lambda items, frame_id: shown.append(frame_id) or of(items, frame_id))
    group = torch.tensor([2, 5])
    ppo_loss(network, lesson, group, TINY, entropy_weight=0.0)
    assert [sorted(frames.tolist()) for frames in shown] == [
        sorted(set(lesson.rollout.frame_id[:, group].flatten().tolist()))
    ]


def test_a_lesson_holds_the_advantages_of_its_rollout(under_way):
    _, lesson = under_way
    assert isinstance(lesson, Lesson)
    rollout = lesson.rollout
    last = rollout.reward[-1] + TINY.discount * rollout.value_after[-1] - rollout.value[-1]
    torch.testing.assert_close(lesson.advantage[-1], last)
