import pytest
import torch

from dtinterp.agents.advantage import generalised_advantage


def slow_advantage(reward, value, is_last, value_after, *, discount, decay):
    """Equation 16 as it stands: every step sums the discounted surprises of all steps of its episode that follow."""
    n_steps, n_worlds = reward.shape
    advantage = torch.zeros(n_steps, n_worlds)
    for world in range(n_worlds):
        for start in range(n_steps):
            weight = 1.0
            for step in range(start, n_steps):
                surprise = reward[step, world] + discount * value_after[step, world] - value[step, world]
                advantage[start, world] += weight * surprise
                weight *= discount * decay
                if is_last[step, world]:
                    break
    return advantage


@pytest.fixture
def rollout():
    """Rewards, values, ends and what follows: at some ends nothing, at others a value that was cut off."""
    rng = torch.Generator().manual_seed(0)
    reward, value = torch.randn(11, 5, generator=rng), torch.randn(11, 5, generator=rng)
    is_last = torch.rand(11, 5, generator=rng) < 0.3
    is_cut = is_last & (torch.rand(11, 5, generator=rng) < 0.5)
    cut_off, next_value = torch.randn(11, 5, generator=rng), torch.randn(5, generator=rng)
    following = torch.cat([value[1:], next_value[None]])
    return reward, value, is_last, torch.where(is_cut, cut_off, following * ~is_last)


@pytest.mark.parametrize(("discount", "decay"), [(0.99, 0.95), (1.0, 1.0), (0.9, 0.0)])
def test_it_is_the_sum_that_the_equation_writes(rollout, discount, decay):
    ours = generalised_advantage(*rollout, discount=discount, decay=decay)
    torch.testing.assert_close(ours, slow_advantage(*rollout, discount=discount, decay=decay))


def test_an_example_worked_by_hand():
    reward, value = torch.tensor([[0.0], [0.0], [1.0]]), torch.full((3, 1), 0.5)
    is_last, value_after = torch.tensor([[False], [False], [True]]), torch.tensor([[0.5], [0.5], [0.0]])
    ours = generalised_advantage(reward, value, is_last, value_after, discount=0.9, decay=0.8)
    # surprises −.05 −.05 .5; each later one weighs .72 less
    torch.testing.assert_close(ours, torch.tensor([[0.1732], [0.31], [0.5]]))


def test_an_episode_that_was_cut_off_worked_by_hand():
    reward, value = torch.zeros(3, 1), torch.full((3, 1), 0.5)
    is_last, value_after = torch.tensor([[False], [True], [False]]), torch.tensor([[0.5], [1.0], [2.0]])
    ours = generalised_advantage(reward, value, is_last, value_after, discount=0.9, decay=0.8)
    # surprises −.05 .4 1.3; the second episode's stays out of the first
    torch.testing.assert_close(ours, torch.tensor([[0.238], [0.4], [1.3]]))


def test_without_decay_it_is_the_return_less_the_value(rollout):
    reward, value, _, _ = rollout
    never, next_value = torch.zeros(11, 5, dtype=torch.bool), torch.ones(1, 5)
    value_after = torch.cat([value[1:], next_value])
    ours = generalised_advantage(reward, value, never, value_after, discount=1.0, decay=1.0)
    torch.testing.assert_close(ours, reward.flip(0).cumsum(0).flip(0) + next_value - value)


def test_the_discounted_return_is_that_of_a_slow_loop(rollout):
    reward, value, is_last, _ = rollout
    value_after = torch.cat([value[1:], torch.zeros(1, 5)]) * ~is_last
    ours = generalised_advantage(reward, value, is_last, value_after, discount=0.9, decay=1.0) + value
    for world in range(5):
        rest = 0.0
        for step in reversed(range(11)):
            rest = float(reward[step, world]) + (0.0 if is_last[step, world] else 0.9 * rest)
            assert ours[step, world].item() == pytest.approx(rest, abs=1e-5)


def test_nothing_crosses_the_end_of_an_episode(rollout):
    reward, value, _, value_after = rollout
    is_last = torch.zeros(11, 5, dtype=torch.bool)
    is_last[4] = True
    other = reward.clone()
    other[5:] += 3.0
    before, after = (
        generalised_advantage(each, value, is_last, value_after, discount=0.99, decay=0.95) for each in (reward, other)
    )
    assert torch.equal(before[:5], after[:5])
    assert not torch.isclose(before[5:], after[5:]).any()
