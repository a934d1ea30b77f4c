"""Machines that are planted in plays are found again."""

import numpy as np
import pytest

from dtinterp.equivalence.machines.learning import learn_machine
from dtinterp.equivalence.machines.machine import NO_STATE


def _learned(counted, label, *, seed=0, **settings):
    return learn_machine(
        counted.seen,
        label,
        n_actions=7,
        n_frames=counted.n_frames,
        generator=np.random.default_rng(seed),
        **settings,
    )


def _said(machine, seen):
    state = machine.states_at(seen)
    assert (state != NO_STATE).all()
    return machine.output.numpy()[state]


def test_a_policy_that_counts_to_two_has_two_states(counted):
    machine = _learned(counted, counted.odd)
    assert machine.n_states == 2
    assert (_said(machine, counted.seen) == counted.odd).all()


@pytest.mark.parametrize("most_taught", [1, 20, 10_000])
def test_the_machine_agrees_with_every_play_however_few_it_is_taught_at_first(counted, most_taught):
    label = np.random.default_rng(1).integers(0, 2, len(counted.seen))
    label[counted.seen.time < 3] = 0
    assert (_said(_learned(counted, label, most_taught=most_taught), counted.seen) == label).all()


def test_the_same_seed_gives_the_same_machine(counted):
    label = np.random.default_rng(1).integers(0, 3, len(counted.seen))
    one, other = (_learned(counted, label, seed=3) for _ in range(2))
    assert one.target.equal(other.target)
    assert one.origin.equal(other.origin)
    assert one.output.equal(other.output)


def test_states_are_numbered_as_plays_reach_them(counted):
    state = _learned(counted, counted.seen.time % 3).states_at(counted.seen)
    first = np.unique(state, return_index=True)[1]
    assert (np.diff(first) > 0).all()


def test_labels_for_other_plays_are_refused(counted):
    with pytest.raises(ValueError, match="plays have 3 labels"):
        _learned(counted, counted.odd[:3])
