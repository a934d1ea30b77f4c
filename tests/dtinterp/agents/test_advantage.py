import pytest
import torch

from dtinterp.agents.advantage import generalised_advantage


def slow_advantage(reward, value, is_last, next_value, *, discount, decay):
    """Equation 16 as it stands: every step sums the discounted surprises of all steps of its episode that follow."""
    n_steps, n_worlds = reward.shape
    values = torch.cat([value, next_value[None]])
    advantage = torch.zeros(n_steps, n_worlds)
    for world in range(n_worlds):
        for start in range(n_steps):
            weight = 1.0
            for step in range(start, n_steps):
                goes_on = not is_last[step, world]
                seen = values[step + 1, world] if goes_on else 0.0
                advantage[start, world] += weight * (reward[step, world] + discount * seen - values[step, world])
                weight *= discount * decay
                if not goes_on:
                    break
    return advantage


@pytest.fixture
def rollout():
    rng = torch.Generator().manual_seed(0)
    reward, value = torch.randn(11, 5, generator=rng), torch.randn(11, 5, generator=rng)
    is_last = torch.rand(11, 5, generator=rng) < 0.3
    return reward, value, is_last, torch.randn(5, generator=rng)


@pytest.mark.parametrize(("discount", "decay"), [(0.99, 0.95), (1.0, 1.0), (0.9, 0.0)])
def test_it_is_the_sum_that_the_equation_writes(rollout, discount, decay):
    ours = generalised_advantage(*rollout, discount=discount, decay=decay)
    torch.testing.assert_close(ours, slow_advantage(*rollout, discount=discount, decay=decay))


def test_an_example_worked_by_hand():
    reward, value = torch.tensor([[0.0], [0.0], [1.0]]), torch.full((3, 1), 0.5)
    is_last = torch.tensor([[False], [False], [True]])
    ours = generalised_advantage(reward, value, is_last, torch.tensor([7.0]), discount=0.9, decay=0.8)
    # surprises −.05 −.05 .5; each later one weighs .72 less
    torch.testing.assert_close(ours, torch.tensor([[0.1732], [0.31], [0.5]]))


def test_without_decay_it_is_the_return_less_the_value(rollout):
    reward, value, _, next_value = rollout
    never = torch.zeros(11, 5, dtype=torch.bool)
    ours = generalised_advantage(reward, value, never, next_value, discount=1.0, decay=1.0)
    torch.testing.assert_close(ours, reward.flip(0).cumsum(0).flip(0) + next_value - value)


def test_nothing_crosses_the_end_of_an_episode(rollout):
    reward, value, _, next_value = rollout
    is_last = torch.zeros(11, 5, dtype=torch.bool)
    is_last[4] = True
    other = reward.clone()
    other[5:] += 3.0
    before, after = (
        generalised_advantage(each, value, is_last, next_value, discount=0.99, decay=0.95) for each in (reward, other)
    )
    assert torch.equal(before[:5], after[:5])
    assert not torch.isclose(before[5:], after[5:]).any()
