"""Trees of plays against counts made by others, and against a slow walk through the graph."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from environments.graph.enumeration import CONTINUES
from environments.graph.plays import MOVES, ROOT, PlayTree, count_histories, play_tree
from environments.graph.state_graph import state_graph
from environments.registration import WorldError

STATIC, MOVABLE = "MiniGrid-MemoryS7FixedStartStatic-v0", "MiniGrid-MemoryS7FixedStart-v0"
KNOWN = [4, 12, 36, 108, 324, 972, 2_908, 8_716, 26_044]
"""Histories after 0 to 8 moves in either world, counted in plain MiniGrid."""


@pytest.mark.parametrize("env_id", [STATIC, MOVABLE])
def test_the_tree_of_moves_is_as_large_as_an_independent_count_says(env_id):
    tree = play_tree(state_graph(env_id), horizon=8, actions=MOVES)
    assert np.bincount(tree.time).tolist() == KNOWN


def test_counting_ahead_is_counting_what_was_made():
    graph = state_graph(MOVABLE)
    tree = play_tree(graph, horizon=4, actions=range(7))
    ahead = [n for _, n in zip(range(5), count_histories(graph, range(7)), strict=False)]
    assert ahead == np.bincount(tree.time).tolist()


def test_every_sequence_of_actions_is_there_and_no_other():
    graph = state_graph(MOVABLE)
    walked = set()
    for start, n_actions in product(graph.start.tolist(), range(4)):
        for actions in product((0, 2, 3), repeat=n_actions):
            state = start
            for action in actions:
                state = (
                    -1 if state < 0 or graph.outcome[state, action] != CONTINUES else graph.next_state[state, action]
                )
            if state >= 0:
                walked.add((start, actions, int(state)))
    tree = play_tree(graph, horizon=3, actions=(0, 2, 3))
    path = tree.path(np.arange(len(tree), dtype=np.int32), 3)
    found = {
        (int(tree.state[steps[0]]), tuple(tree.action[steps[1:]].tolist()), int(tree.state[steps[-1]]))
        for steps in (row[row != ROOT] for row in path)
    }
    assert found == walked
    assert len(tree) == len(walked)


def test_no_history_is_one_at_which_nothing_can_be_decided():
    graph = state_graph(STATIC)
    tree = play_tree(graph, horizon=6, actions=MOVES)
    assert tree.is_leaf[tree.time == 6].all()
    ended = tree.is_leaf & (tree.time < 6)
    assert (graph.outcome[tree.state[ended]][:, MOVES] != CONTINUES).all()
    goes_on = (graph.outcome[tree.state][:, MOVES] == CONTINUES).sum(1)
    n_children = np.bincount(tree.parent[tree.parent != ROOT], minlength=len(tree))
    assert np.array_equal(n_children[tree.time < 6], goes_on[tree.time < 6])


def test_a_tree_ends_where_time_runs_out():
    graph = replace(state_graph(STATIC), max_steps=3)
    assert play_tree(graph, horizon=9, actions=MOVES).time.max() == 2


def test_too_many_histories_are_refused_by_the_horizon_that_would_fit():
    with pytest.raises(
        WorldError, match="4,364 histories, more than 2,000, and horizon is 120: the largest that fits is 5"
    ):
        play_tree(state_graph(STATIC), horizon=120, actions=MOVES, most_histories=2_000)
    with pytest.raises(WorldError, match="none fits"):
        play_tree(state_graph(STATIC), horizon=1, actions=MOVES, most_histories=3)


@pytest.mark.parametrize(
    ("horizon", "actions", "says"), [(-1, MOVES, "horizon is -1"), (1, (), "actions are"), (1, (7,), "0 to 6")]
)
def test_settings_that_mean_nothing_are_refused(horizon, actions, says):
    with pytest.raises(WorldError, match=says):
        play_tree(state_graph(STATIC), horizon=horizon, actions=actions)


def test_a_tree_out_of_order_is_refused():
    tree = play_tree(state_graph(STATIC), horizon=1, actions=MOVES)
    with pytest.raises(ValueError, match="in order of time"):
        PlayTree(tree.parent[::-1].copy(), tree.action, tree.state, tree.time)
