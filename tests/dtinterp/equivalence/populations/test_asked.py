"""What is asked along histories: known answers."""

import pytest
import torch

from dtinterp.equivalence.populations.asked import asked_attainable, asked_for, attainable
from dtinterp.equivalence.populations.moves import Moves, replayed
from environments.graph.shortest import NO_WAY


def test_from_the_start_0_892_is_attainable_and_nothing_where_no_time_is_left(graph):
    start = torch.tensor(graph.start).long()
    time = torch.zeros_like(start)
    assert attainable(graph, start, time).tolist() == pytest.approx([0.892] * len(start))
    assert attainable(graph, start, time + graph.max_steps).tolist() == [0.0] * len(start)


def test_a_detour_costs_what_its_steps_cost(graph, trajectories):
    """Left has to be turned back: two steps lost at once, 0.9 × 2 / 50, and none by turning back."""
    start = graph.start[:1]
    moves = Moves(
        torch.from_numpy(start.copy()).int(),
        torch.tensor([0, 1, 2], dtype=torch.int8),
        torch.tensor([3], dtype=torch.int32),
    )
    found = replayed(moves, graph, known=trajectories.frames, player="me")
    asked = asked_attainable(found.trajectories, graph, found.state).return_to_go
    assert asked.tolist() == pytest.approx([0.892, 0.856, 0.856], abs=1e-6)
    assert (graph.steps_to_success[found.state] != NO_WAY).all()


def test_one_return_stands_at_every_step(trajectories):
    assert (asked_for(trajectories, 0.3).return_to_go == torch.tensor(0.3)).all()
