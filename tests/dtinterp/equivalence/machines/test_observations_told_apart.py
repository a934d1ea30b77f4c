"""Verdicts of small machines, worked out by hand."""

import numpy as np
import pytest
import torch

from dtinterp.equivalence.machines.machine import NO_STATE, PolicyMachine
from dtinterp.equivalence.machines.observations_told_apart import (
    SAME,
    Verdict,
    observation_verdicts,
    steps_until_apart,
)

ALIKE, TWIN, OTHER, ELSEWHERE = range(4)


def _machine(transitions, output, start=(0, NO_STATE, NO_STATE, NO_STATE)):
    rows = torch.tensor(transitions).T.contiguous()
    return PolicyMachine(torch.tensor(start), torch.tensor(output), *rows, n_actions=2)


@pytest.fixture
def machine():
    """From state 0, the first two frames lead to 1 and the third to 2; the fourth is seen after another action only."""
    moves = [(0, 0, ALIKE, 1), (0, 0, TWIN, 1), (0, 0, OTHER, 2), (1, 1, ELSEWHERE, 0), (2, 1, ELSEWHERE, 2)]
    return _machine(moves, output=[0, 1, 1])


def test_frames_that_lead_to_one_state_are_equivalent_and_those_never_compared_undecided(machine):
    found = observation_verdicts([machine], torch.arange(4))
    verdict = found.verdict[0]
    assert verdict[ALIKE, TWIN] == Verdict.EQUIVALENT
    assert verdict[ALIKE, OTHER] == verdict[TWIN, OTHER] == Verdict.TOLD_APART
    assert verdict[ALIKE, ELSEWHERE] == verdict[OTHER, ELSEWHERE] == Verdict.UNDECIDED
    assert (found.n_pairs, found.n_compared, found.count(Verdict.EQUIVALENT)) == (6, 3, 1)
    assert verdict.equal(verdict.T)


def test_greedy_classes_hold_no_two_that_are_told_apart(machine):
    classes = observation_verdicts([machine], torch.arange(4)).compatible
    assert classes.label.tolist() == [0, 0, 1, 0]


def test_what_some_machines_tell_apart_and_others_do_not_is_counted(machine):
    merging = _machine([(0, 0, ALIKE, 1), (0, 0, TWIN, 1), (0, 0, OTHER, 1)], output=[0, 1])
    found = observation_verdicts([machine, merging], torch.arange(4))
    assert (found.n_always_apart, found.n_sometimes_apart) == (0, 2)


def test_frames_that_plays_never_show_are_left_out(machine):
    assert observation_verdicts([machine], torch.tensor([ALIKE, OTHER])).n_pairs == 1


def test_starts_compare_what_they_show():
    machine = _machine([(0, 0, OTHER, 0)], output=[0, 1], start=(0, 1, NO_STATE, NO_STATE))
    assert observation_verdicts([machine], torch.arange(4)).verdict[0, ALIKE, TWIN] == Verdict.TOLD_APART


def test_states_differ_after_as_few_inputs_as_it_takes():
    moves = [(0, 0, 0, 1), (2, 0, 0, 3), (1, 0, 0, 4), (3, 0, 0, 5), (6, 1, 0, 5)]
    machine = _machine(moves, output=[0, 0, 0, 0, 0, 1, 0])
    steps = steps_until_apart(machine)
    assert steps[0, 5] == 0
    assert steps[1, 3] == 1
    assert steps[0, 2] == 2
    assert steps[0, 6] == SAME
    assert np.array_equal(steps, steps.T)
