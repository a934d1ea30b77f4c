"""Posteriors of windows against every play followed one by one."""

from collections import defaultdict
from itertools import product

import numpy as np
import pytest

from environments.graph.beliefs import WindowsOfGraph, beliefs
from environments.graph.enumeration import CONTINUES
from environments.graph.evaluation import PAD
from environments.graph.plays import MOVES
from environments.graph.state_graph import StateGraph, state_graph
from environments.graph.window_posteriors import PlayedWindows, played_windows, same_posterior, window_posteriors

UNSURE = "MiniGrid-MemoryS7-v0"
N_SLOTS, LONGEST = 3, 4


def _by_hand(graph: StateGraph) -> dict[tuple[int, ...], dict[int, float]]:
    """Weights of the last states, by time and window, of every start and every sequence of moves."""
    found: dict[tuple[int, ...], dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for start, chance in zip(graph.start.tolist(), graph.start_probability.tolist(), strict=True):
        for n_moves in range(LONGEST + 1):
            for moves in product(MOVES, repeat=n_moves):
                state, frames, came_by = start, [int(graph.frame_id[start])], [PAD]
                for move in moves:
                    if graph.outcome[state, move] != CONTINUES:
                        break
                    state = int(graph.next_state[state, move])
                    frames.append(int(graph.frame_id[state]))
                    came_by.append(move)
                if len(frames) == n_moves + 1:
                    window = ([PAD] * N_SLOTS + frames)[-N_SLOTS:] + ([PAD] * N_SLOTS + came_by)[-N_SLOTS + 1 :]
                    found[(n_moves, *window)][state] += chance
    return found


def test_chances_are_those_of_all_plays_followed_one_by_one() -> None:
    graph = state_graph(UNSURE)
    played = played_windows(
        graph, MOVES, n_plays=300, n_slots=N_SLOTS, longest=LONGEST, generator=np.random.default_rng(0)
    )
    posterior, expected = window_posteriors(graph, played), _by_hand(graph)
    assert posterior.n_beliefs == len(played.time)
    for n in range(len(played.time)):
        window = (*played.windows.frame_id[n].tolist(), *played.windows.action[n, 1:].tolist())
        weights = expected[(int(played.time[n]), *window)]
        mine = posterior.belief == n
        chances = dict(zip(posterior.state[mine].tolist(), posterior.chance[mine].tolist(), strict=True))
        total = sum(weights.values())
        assert chances == pytest.approx({state: weight / total for state, weight in weights.items()})


def test_what_has_a_chance_is_possible_and_windows_are_different() -> None:
    graph = state_graph(UNSURE)
    played = played_windows(graph, MOVES, n_plays=200, n_slots=5, longest=8, generator=np.random.default_rng(1))
    posterior = window_posteriors(graph, played)
    assert beliefs(graph, played.windows)[posterior.belief, posterior.state].all()
    rows = np.column_stack([played.time, played.windows.frame_id, played.windows.action])
    assert len(np.unique(rows, axis=0)) == len(rows)
    assert set(played.time) == set(range(9))


def test_beliefs_are_the_same_where_states_and_chances_are() -> None:
    graph = state_graph(UNSURE)
    played = played_windows(graph, MOVES, n_plays=200, n_slots=5, longest=5, generator=np.random.default_rng(2))
    posterior = window_posteriors(graph, played)
    label, dense = same_posterior(posterior), np.zeros((posterior.n_beliefs, graph.n_states))
    dense[posterior.belief, posterior.state] = posterior.chance
    alike = (np.abs(dense[:, None] - dense[None]) < 1e-9).all(-1)
    assert np.array_equal(alike, label[:, None] == label)
    assert 1 < label.max() + 1 < len(label)


def test_a_window_that_cannot_be_and_plays_of_less_than_nothing_are_refused() -> None:
    graph = state_graph(UNSURE)
    absent = np.setdiff1d(np.arange(len(graph.frames)), graph.frame_id[graph.start])[:1].astype(np.int32)
    windows = WindowsOfGraph(absent[:, None], np.full((1, 1), PAD, dtype=np.int32))
    with pytest.raises(ValueError, match="window 0 can be left by no play"):
        window_posteriors(graph, PlayedWindows(MOVES, windows, np.zeros(1, dtype=np.int64)))
    with pytest.raises(ValueError, match="plays are of up to -1 actions, expected 0 or more"):
        played_windows(graph, MOVES, n_plays=1, n_slots=1, longest=-1, generator=np.random.default_rng(0))
