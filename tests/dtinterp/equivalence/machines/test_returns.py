"""The return of a machine against that of the policy that it was learned from."""

import numpy as np
import pytest
import torch

from dtinterp.demonstrations.samplers import Greedy
from dtinterp.equivalence.machines.machine import NO_STATE, PolicyMachine
from dtinterp.equivalence.machines.returns import machine_return
from dtinterp.interventions.returns.expectation import expectation

FORWARD = 2


def _reflex(graph, action):
    """Return a machine that answers each frame with an action: its states are the actions."""
    n_frames, inputs = len(graph.frames), np.indices((7, 7, len(graph.frames))).reshape(3, -1)
    origin, taken, frame = (torch.from_numpy(each) for each in inputs)
    assert len(action) == n_frames
    return PolicyMachine(action, torch.arange(7), origin, taken, frame, action[frame], n_actions=7)


def test_a_machine_that_acts_as_a_model_returns_what_it_returns(graph, forks, left_at_the_fork):
    action = torch.full((len(graph.frames),), FORWARD).index_fill(0, forks, 0)
    machine = _reflex(graph, action)
    found = machine_return(machine, graph, machine.chances())
    model = expectation(left_at_the_fork, graph, Greedy(), target_return=0.892)
    assert found.expected_return == pytest.approx(model.expected_return)
    assert found.success == pytest.approx(model.success) == 0.5
    assert found.failure == pytest.approx(model.failure)
    assert found.unknown == 0


def test_a_machine_that_knows_no_start_goes_on_from_its_first_state_and_says_so(graph):
    nothing = torch.zeros(0, dtype=torch.int64)
    start = torch.full((len(graph.frames),), NO_STATE)
    machine = PolicyMachine(start, torch.tensor([FORWARD]), nothing, nothing, nothing, nothing, n_actions=7)
    found = machine_return(machine, graph, machine.chances())
    assert found.unknown == pytest.approx(1)
    assert found.success == 0


def test_chances_that_hesitate_are_followed_all(graph):
    machine = _reflex(graph, torch.zeros(len(graph.frames), dtype=torch.int64))
    found = machine_return(machine, graph, np.full((7, 7), 1 / 7))
    assert 0 < found.success < 1
    assert 0 < found.failure < 1
    assert found.success * 0.1 < found.expected_return < found.success
