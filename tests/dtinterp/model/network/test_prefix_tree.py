"""Trees of histories against a dictionary of what each one shows."""

import pytest
import torch

from dtinterp.agents.policy import PAD_ACTION
from dtinterp.model.network.prefix_tree import ROOT, prefix_tree, subtrees

PARENT = torch.tensor([ROOT, ROOT, ROOT, 2, 0, 1, 1, 0, 4, 6, 7, 3])
ACTION = torch.tensor([-1, -1, -1, 0, 1, 1, 0, 1, 2, 2, 2, 6])
FRAME = torch.tensor([5, 5, 3, 4, 1, 1, 2, 0, 9, 9, 9, 9])
"""Twelve histories; the first two begin alike, so that 4 and 5 are alike, and 8 follows either."""


def _shown(tree, node):
    """Return the frames and actions of a history, the last first."""
    seen = []
    while node != ROOT:
        seen += [int(tree.frame_id[node]), int(tree.action[node])]
        node = int(tree.parent[node])
    return tuple(seen)


def _told(history):
    seen = []
    while history != ROOT:
        begins = PARENT[history] == ROOT
        seen += [int(FRAME[history]), PAD_ACTION if begins else int(ACTION[history])]
        history = int(PARENT[history])
    return tuple(seen)


@pytest.fixture(scope="module")
def grown():
    return prefix_tree(PARENT, ACTION, FRAME)


def test_each_history_stands_where_its_own_frames_and_actions_do(grown):
    assert [_shown(grown.tree, int(node)) for node in grown.node] == [_told(each) for each in range(len(PARENT))]


def test_histories_that_show_the_same_are_one(grown):
    assert len(grown.tree) == len({_told(each) for each in range(len(PARENT))}) == 10
    assert grown.node[0] == grown.node[1]
    assert grown.node[4] == grown.node[5]
    assert grown.tree.n_at == (2, 4, 4)


def test_children_are_consecutive(grown):
    tree = grown.tree
    for node in range(len(tree)):
        first, n = int(tree.first_child[node]), int(tree.n_children[node])
        assert (tree.parent == node).nonzero().flatten().tolist() == list(range(first, first + n))


def test_subtrees_are_as_large_as_what_goes_on_from_a_history(grown):
    tree = grown.tree
    below = [{node} for node in range(len(tree))]
    for node in reversed(range(tree.n_at[0], len(tree))):
        below[int(tree.parent[node])] |= below[node]
    assert tree.sizes().tolist() == [len(each) for each in below]


@pytest.mark.parametrize("most", [1, 2, 4, 100])
def test_subtrees_hold_every_history_once_and_what_comes_before_it(grown, most):
    parts = list(subtrees(grown.tree, most))
    assert torch.cat([part.node[part.n_above :] for part in parts]).sort().values.tolist() == list(range(10))
    for part in parts:
        shown = [_shown(part.tree, node) for node in range(len(part.tree))]
        assert shown == [_shown(grown.tree, int(node)) for node in part.node]
    assert len(parts) == {1: 5, 2: 5, 4: 3, 100: 1}[most]


def test_windows_end_at_their_histories(grown):
    windows = grown.tree.windows(grown.node[8:9], time=2, n_slots=4, target_return=0.5)
    assert windows.frame_id.tolist() == [[0, 5, 1, 9]]
    assert windows.action.tolist() == [[PAD_ACTION, 1, 2, PAD_ACTION]]
    assert windows.time.tolist() == [[0, 0, 1, 2]]
    assert windows.rtg.tolist() == [[0, 0.5, 0.5, 0.5]]
    cut = grown.tree.windows(grown.node[8:9], time=2, n_slots=2, target_return=0.5)
    assert (cut.frame_id.tolist(), cut.action.tolist(), cut.time.tolist()) == ([[1, 9]], [[2, PAD_ACTION]], [[1, 2]])


@pytest.mark.parametrize("parent", [[ROOT, 0, ROOT], [ROOT, 1, 0], [ROOT, 0, 1, 0], [0, ROOT]])
def test_histories_out_of_order_are_refused(parent):
    column = torch.tensor(parent)
    with pytest.raises(ValueError, match="in order of time"):
        prefix_tree(column, torch.zeros_like(column), torch.zeros_like(column))
