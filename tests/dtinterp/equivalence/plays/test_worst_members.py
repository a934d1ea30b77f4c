"""The search for the worst members, against every combination of members."""

from itertools import product

import pytest
import torch

from dtinterp.equivalence.plays.policy_tree import PlaysConfig, logits_at, model_asked, policy_tree
from dtinterp.equivalence.plays.worst_members import windows_at, worst_members
from dtinterp.equivalence.swaps.divergence import js_divergence
from dtinterp.model.network.prefix_tree import prefix_tree

PLAYS = PlaysConfig(horizon=2)


@pytest.fixture(scope="module")
def searched(model, graph):
    """Return a tree, windows of all its histories, and classes of three frames each."""
    found = policy_tree(model, graph, PLAYS)
    columns = torch.tensor(found.tree.parent).long(), torch.tensor(found.tree.action).long(), found.frame_id
    asked = model_asked(model, graph, PLAYS.target_return)
    windows = windows_at(prefix_tree(*columns), torch.arange(len(found)), asked)
    label = torch.arange(len(graph.frames)) // 3
    return found, asked, windows, label


def test_windows_are_those_of_the_histories(searched):
    found, asked, windows, _ = searched
    with torch.no_grad():
        torch.testing.assert_close(asked.model(windows, asked.items)[:, -1], found.logits, atol=5e-5, rtol=1e-5)


def test_it_shows_members_of_the_classes_only_and_moves_at_least_as_far_as_any_single_one(searched):
    found, asked, windows, label = searched
    worst = worst_members(asked, windows, label)
    assert torch.equal(label[worst.frame_id][windows.mask], label[windows.frame_id][windows.mask])
    assert (worst.frame_id[~windows.mask] == 0).all()
    torch.testing.assert_close(worst.intact, found.logits, atol=5e-5, rtol=1e-5)
    moved = js_divergence(worst.shown, worst.intact)
    for roll in (1, 2):
        mate = (torch.arange(len(label)) + roll) % 3 + label * 3
        alone = torch.where(torch.arange(10) == 9, mate[windows.frame_id], windows.frame_id)
        with torch.no_grad():
            shown = asked.model(type(windows)(**{**vars(windows), "frame_id": alone}), asked.items)[:, -1]
        assert (moved >= js_divergence(shown, worst.intact) - 1e-6).all()


def test_at_starts_it_is_the_worst_of_all_members(searched, graph):
    found, asked, windows, label = searched
    starts = windows[: len(graph.start)]
    worst = worst_members(asked, starts, label)
    moved = js_divergence(worst.shown, worst.intact)
    for row, frame in enumerate(starts.frame_id[:, -1].tolist()):
        members = (label == label[frame]).nonzero()[:, 0]
        tree = policy_tree(asked.model, graph, PlaysConfig(horizon=0)).tree
        each = [
            float(js_divergence(logits_at(asked, tree, member.repeat(len(tree)))[row], found.logits[row]))
            for member in members
        ]
        assert float(moved[row]) == pytest.approx(max(each), abs=1e-5)


def test_a_coordinate_search_does_not_miss_much_of_what_all_combinations_reach(searched):
    _, asked, windows, label = searched
    row = windows[20:21]
    worst = worst_members(asked, row, label)
    real = row.frame_id[0, row.mask[0]]
    choices = product(*((label == label[frame]).nonzero()[:, 0].tolist() for frame in real.tolist()))
    every = torch.tensor(list(choices))
    shown = row[torch.zeros(len(every), dtype=torch.int64)]
    frame_id = shown.frame_id.clone()
    frame_id[:, row.mask[0]] = every
    with torch.no_grad():
        logits = asked.model(type(row)(**{**vars(shown), "frame_id": frame_id}), asked.items)[:, -1]
    best = js_divergence(logits, worst.intact.expand_as(logits)).max()
    found = js_divergence(worst.shown, worst.intact)[0]
    assert 0.5 * best <= found <= best + 1e-6


def test_classes_of_one_move_nothing(searched, graph):
    _, asked, windows, _ = searched
    alone = worst_members(asked, windows, torch.arange(len(graph.frames)))
    assert torch.equal(alone.shown, alone.intact)
