"""Machines on plays, by hand."""

import numpy as np
import pytest
import torch

from dtinterp.equivalence.machines.machine import NO_STATE, PolicyMachine, seen_plays
from environments.graph.plays import PlayTree

LEFT, RIGHT = 0, 1


def _machine(transitions, *, start, output):
    rows = torch.tensor(transitions).reshape(-1, 4).T.contiguous()
    return PolicyMachine(torch.tensor(start), torch.tensor(output), *rows, n_actions=2)


@pytest.fixture
def switch():
    """Frame 1 after any action leads to state 1, frame 0 to where it was; nothing is known of frame 2."""
    moves = [(state, action, frame, 1 if frame else state) for state in (0, 1) for action in (0, 1) for frame in (0, 1)]
    return _machine(moves, start=[0, 1, NO_STATE], output=[LEFT, RIGHT])


@pytest.fixture
def plays():
    """Two starts that look alike, from each of which both actions show other frames."""
    tree = PlayTree(
        parent=np.array([-1, -1, 0, 1, 2, 3], dtype=np.int32),
        action=np.array([-1, -1, 0, 0, 1, 1], dtype=np.int8),
        state=np.arange(6, dtype=np.int32),
        time=np.array([0, 0, 1, 1, 2, 2], dtype=np.int8),
    )
    return seen_plays(tree, np.array([0, 0, 1, 2, 0, 0]))


def test_histories_that_look_alike_become_one(plays):
    assert plays.of_history.tolist() == [0, 0, 1, 2, 3, 4]
    assert plays.parent.tolist() == [-1, 0, 0, 1, 2]
    assert plays.time.tolist() == [0, 1, 1, 2, 2]
    assert [(each.start, each.stop) for each in plays.levels] == [(0, 1), (1, 3), (3, 5)]


def test_shorter_plays_keep_their_numbers(plays):
    short = plays.until(1)
    assert short.frame_id.tolist() == plays.frame_id[:3].tolist()
    assert short.of_history.tolist() == [0, 0, 1, 2]


def test_a_machine_follows_what_it_is_shown_and_is_lost_after_what_it_never_saw(switch, plays):
    assert switch.states_at(plays).tolist() == [0, 1, NO_STATE, 1, NO_STATE]


def test_a_machine_that_stays_keeps_its_state_and_remembers_that_it_met_something_new(switch, plays):
    assert switch.states_at(plays, stays=True).tolist() == [0, 1, 0, 1, 0]
    assert switch.meets_unknown(plays).tolist() == [False, False, True, False, True]


def test_two_transitions_for_one_input_are_refused():
    with pytest.raises(ValueError, match="two transitions for one input"):
        _machine([(0, 0, 0, 0), (0, 0, 0, 1)], start=[0], output=[0, 1])


def test_a_transition_to_no_state_is_refused():
    with pytest.raises(ValueError, match="target outside 0 to 1"):
        _machine([(0, 0, 0, 2)], start=[0], output=[0, 1])
