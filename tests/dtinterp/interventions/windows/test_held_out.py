import pytest
import torch

from dtinterp.foundation.errors import UserError


def test_windows_end_at_held_out_steps_with_these_facts(choose, planted_subject):
    chosen = choose("held_out", where={"instruction": "key", "direction": "east"}, n=20)
    steps = chosen.windows.step[:, -1]
    assert torch.isin(steps, planted_subject.split.held_out).all()
    assert len(steps.unique()) == len(chosen) == 20
    assert (chosen.fact("instruction") == 0).all()
    assert (chosen.fact("direction") == 0).all()


def test_the_same_seed_draws_the_same_windows(choose):
    first, again, other = (choose("held_out", n=8, seed=seed).windows.step for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_return_that_is_asked_for_is_asked_at_the_start(choose, planted_subject):
    own, asked = choose("held_out", n=30), choose("held_out", n=30, asked=0.5)
    episode = planted_subject.trajectories.episode[own.windows.step[:, -1]]
    shift = 0.5 - planted_subject.trajectories.episode_return[episode]
    mask = own.windows.mask
    expected = (own.windows.rtg + shift[:, None])[mask]
    torch.testing.assert_close(asked.windows.rtg[mask], expected)
    assert (asked.windows.rtg[~mask] == 0).all()


def test_facts_that_never_hold_are_refused(choose):
    with pytest.raises(UserError, match="no held-out step has x: 77"):
        choose("held_out", where={"x": 77})
