"""Plays that are played again."""

import pytest
import torch

from dtinterp.equivalence.populations.moves import Moves, replayed
from environments.graph.enumeration import CONTINUES


def _moves(start, actions):
    return Moves(
        torch.tensor([start] * len(actions), dtype=torch.int32),
        torch.tensor([action for each in actions for action in each], dtype=torch.int8),
        torch.tensor([len(each) for each in actions], dtype=torch.int32),
    )


def test_the_states_are_those_of_a_walk_and_known_frames_keep_their_rows(graph, trajectories):
    start = int(graph.start[0])
    found = replayed(_moves(start, [[2, 0, 1], [0]]), graph, known=trajectories.frames, player="me")
    states = [start, int(graph.next_state[start, 2])]
    states += [int(graph.next_state[states[1], 0]), start]
    assert found.state.tolist() == states
    shown = found.trajectories.frames[found.trajectories.frame_id.long()]
    assert torch.equal(shown, torch.tensor(graph.frames)[torch.tensor(graph.frame_id)[found.state].long()])
    assert torch.equal(found.trajectories.frames[: len(trajectories.frames)], trajectories.frames)
    assert found.trajectories.terminated.tolist() == [False, False]


def test_moves_that_the_world_does_not_have_are_refused(graph, trajectories):
    state, action = (int(each[0]) for each in (graph.outcome != CONTINUES).nonzero())
    over = _moves(state, [[action, 0]])
    with pytest.raises(ValueError, match="goes on after"):
        replayed(over, graph, known=trajectories.frames, player="me")
    with pytest.raises(ValueError, match="does not have"):
        replayed(_moves(graph.n_states, [[0]]), graph, known=trajectories.frames, player="me")
    with pytest.raises(ValueError, match="plays of 1 steps, but 2 actions"):
        Moves(torch.zeros(1, dtype=torch.int32), torch.zeros(2, dtype=torch.int8), torch.ones(1, dtype=torch.int32))
