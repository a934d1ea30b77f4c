"""Places of states: no two in one, and the policy's own play above."""

import numpy as np
import torch

from dtinterp.equivalence.machines.machine import NO_STATE, PolicyMachine
from dtinterp.report.drawings.machine_layout import IN_A_ROW, fewest_inputs, places


def _fan():
    """State 0 leads to 1, 2 and 3, these to 4, and 4 back to 0; the policy's own play goes by 3."""
    forth = [(0, 0, 0, 1), (0, 0, 1, 2), (0, 0, 2, 3), (1, 0, 0, 4), (2, 0, 0, 4), (3, 0, 0, 4)]
    moves = torch.tensor([*forth, (4, 0, 0, 0)])
    start = torch.tensor([0, NO_STATE, NO_STATE])
    return PolicyMachine(start, torch.zeros(5, dtype=torch.int64), *moves.T.contiguous(), n_actions=1)


def test_the_fewest_inputs_are_counted_from_a_start():
    assert fewest_inputs(_fan()).tolist() == [0, 1, 1, 1, 2]


def test_the_policys_own_play_stands_above_all_others():
    is_own = np.array([False, False, True, False, False, True, False])
    found = places(_fan(), is_own)
    assert found.row.tolist() == [0, 1, 1, 0, 0]
    assert found.column[[0, 3, 4]].tolist() == [0, 1, 2]


def test_no_two_states_stand_in_one_place():
    n_states = 3 * IN_A_ROW
    moves = torch.tensor([(state, 0, 0, state + 1) for state in range(n_states - 1)])
    machine = PolicyMachine(
        torch.tensor([0]), torch.zeros(n_states, dtype=torch.int64), *moves.T.contiguous(), n_actions=1
    )
    found = places(machine, np.zeros(n_states - 1, dtype=bool))
    assert len(set(zip(found.column, found.row, strict=True))) == n_states
    assert found.n_columns == IN_A_ROW + 1
