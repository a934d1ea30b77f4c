"""The page of a machine shows each state, the policy's own play, and everything that leads away."""

import pytest
import torch

from dtinterp.equivalence.machines.fresh_plays import MachineTest
from dtinterp.equivalence.machines.machine import NO_STATE, PolicyMachine
from dtinterp.equivalence.machines.report import MachineConfig, MachineReport
from dtinterp.foundation.statistics import Interval
from dtinterp.report.drawings.machine import machine_drawing


@pytest.fixture(scope="module")
def page():
    moves = torch.tensor([(0, 2, 1, 1), (0, 2, 2, 1), (0, 0, 1, 0), (1, 0, 0, 0)]).T.contiguous()
    machine = PolicyMachine(torch.tensor([0, NO_STATE, NO_STATE]), torch.tensor([2, 0]), *moves, n_actions=7)
    frames = torch.ones(3, 7, 7, 3, dtype=torch.uint8)
    frames[1, 2, 2, 0], frames[2, 3, 3, 0] = 5, 6  # a key, a ball
    agrees = Interval(1.0, 1.0, 1.0, 1234)
    report = object.__new__(MachineReport)
    report.__dict__.update(
        machine=machine,
        is_own=torch.tensor([True, False, False, True]),
        frames=frames,
        apart=torch.tensor([0, 1]),
        env_id="MiniGrid-Somewhere-v0",
        config=MachineConfig(horizon=3),
        tests=(MachineTest("learned", 1234, agrees, agrees, 0, agrees),),
    )
    return machine_drawing(report)


def test_it_says_what_the_machine_is(page):
    assert "2 states: the policy asked 0.892 in MiniGrid-Somewhere-v0" in page
    assert "1\u202f234 of 1\u202f234 histories" in page
    assert "no machine that does has fewer than 2 states" in page


def test_each_state_is_a_circle_with_its_action(page):
    assert "<title>state 0: forward</title>" in page
    assert "<title>state 1: left</title>" in page


def test_the_policys_own_play_is_thick_and_other_observations_that_lead_the_same_way_are_counted(page):
    assert page.count('stroke-width="2.4" marker-end') == 3  # two arrows, and the start
    assert ">+1</text>" in page


def test_every_observation_is_in_the_table_and_drawn_once(page):
    table = page[page.index("<table>") :]
    assert [table.count(f'href="#f{frame}"') for frame in range(3)] == [1, 2, 1]
    assert [page.count(f'<symbol id="f{frame}"') for frame in range(3)] == [1, 1, 1]
    assert "key (2,2)" in page
