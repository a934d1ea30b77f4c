from dataclasses import replace

import pytest
import torch

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.windows.histories import PlayHistory, graph_of, returns_asked, starts, windows_of
from environments.graph.state_graph import state_graph


def test_starts_have_the_published_names_in_the_published_order(graph):
    assert [each.name for each in starts(graph)] == ["Key,Key-Ball", "Key,Ball-Key", "Ball,Ball-Key", "Ball,Key-Ball"]


def test_starts_of_one_configuration_are_told_apart_by_what_differs():
    names = [each.name for each in starts(state_graph("MiniGrid-MemoryS7-v0"))]
    assert names[:4] == ["Key,Key-Ball x=1", "Key,Key-Ball x=2", "Key,Key-Ball x=3", "Key,Key-Ball x=4"]
    assert len({*names}) == 16


def test_attainable_is_what_the_shortest_way_returns(graph):
    asked = returns_asked(graph, starts(graph), "attainable")
    assert asked.tolist() == pytest.approx([1 - 0.9 * 6 / 50] * 4)
    assert returns_asked(graph, starts(graph), 0.5).tolist() == [0.5] * 4


def test_a_history_longer_than_the_window_shows_its_newest_frames(planted_subject, graph):
    turning = starts(graph)[0]
    for _ in range(12):
        turning = turning.then(0, int(graph.next_state[turning.states[-1], 0]))
    windows = windows_of(planted_subject, graph, [turning], asked=0.5).windows
    assert windows.time.tolist() == [[*range(3, 13)]]
    assert windows.action.tolist() == [[0] * 9 + [7]]


def test_no_history_is_refused(planted_subject, graph):
    with pytest.raises(UserError, match="no history of MiniGrid-MemoryS7FixedStartStatic-v0 is left"):
        windows_of(planted_subject, graph, [], asked=0.5)


def test_a_world_without_a_state_graph_is_refused(planted_subject):
    elsewhere = replace(
        planted_subject, trajectories=replace(planted_subject.trajectories, env_id="MiniGrid-Fetch-5x5-N2-v0")
    )
    with pytest.raises(UserError, match="the states of MiniGrid-Fetch-5x5-N2-v0 cannot be enumerated"):
        graph_of(elsewhere)


def test_a_history_grows_by_one_action_and_one_state():
    assert PlayHistory("a", (3,)).then(2, 5) == PlayHistory("a", (3, 5), (2,))


def test_frames_that_the_demonstrations_lack_go_behind_their_table(planted_subject, graph):
    own = planted_subject.trajectories
    few = replace(own, frames=own.frames[:1].clone(), frame_id=torch.zeros_like(own.frame_id))
    chosen = windows_of(replace(planted_subject, trajectories=few), graph, starts(graph), asked=0.5)
    assert torch.equal(chosen.frames[0], few.frames[0])
    first = chosen.shown[:, -1].numpy()
    assert (first == graph.frames[graph.frame_id[[each.states[0] for each in starts(graph)]]]).all()
