from dataclasses import replace

import pytest
import torch

from dtinterp.adversaries.scene import scene
from dtinterp.foundation.errors import UserError
from dtinterp.interventions.instruction_flip.scenarios import LEFT, RIGHT, decision_points, with_complement
from environments.grid.observation import observe
from environments.vocabulary import CHANNELS

KEY, BALL = (CHANNELS[0].index(name) for name in ("key", "ball"))


def test_the_states_show_what_the_window_shows(views):
    for each in views:
        assert each.n_real == 5
        assert torch.equal(observe(each.states, each.spec), each.frames)


def test_what_the_world_could_show_are_the_windows_of_all_starts(views):
    for each in views:
        assert torch.equal(each.possible[0], each.frames)
        others = {view.frames.numpy().tobytes() for view in views}
        assert {window.numpy().tobytes() for window in each.possible} == others


def test_best_is_the_turn_to_the_instruction(views):
    for each in views:
        for window, best in zip(each.possible, each.best, strict=True):
            goes_left = window[0, 2, 6, 0] == window[4, 1, 6, 0]  # the instruction and the left target on arrival
            assert best[[LEFT, RIGHT]].tolist() == [bool(goes_left), not goes_left]


def test_a_window_that_cannot_occur_is_refused(graph):
    points = with_complement(decision_points(graph, n_slots=10, target_return=0.9), [(0, 5)])
    with pytest.raises(UserError, match=r"the window 'decoy' cannot occur in MiniGrid-MemoryS7FixedStartStatic-v0"):
        scene(graph, points.windows[:1], points.frames, "decoy")


def test_a_full_window_may_begin_in_the_middle_of_an_episode(graph, views):
    points = decision_points(graph, n_slots=10, target_return=0.9)
    later = replace(points.windows, time=points.windows.time + 3)[:1]
    found = scene(graph, later, points.frames, "later")
    assert torch.equal(found.frames, views[0].frames)
    assert len(found.possible) > len(views[0].possible)
