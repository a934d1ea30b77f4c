"""Policies as trees, against the windows of the exact evaluation."""

import numpy as np
import pytest
import torch

from dtinterp.equivalence.plays.policy_tree import PlaysConfig, policy_tree
from dtinterp.foundation.errors import UserError
from dtinterp.interventions.returns.expectation import windows_of
from dtinterp.model.network.frames import encoded
from environments.graph.evaluation import PAD, SeenWindows
from environments.registration import WorldError

PLAYS = PlaysConfig(horizon=3, target_return=0.5)


def _seen(found, time):
    """Return the windows of all histories of so many actions as the exact evaluation tells them."""
    path = found.tree.path(np.flatnonzero(found.tree.time == time).astype(np.int32), 9)
    frame_id = np.where(path == -1, PAD, found.frame_id.numpy()[path]).astype(np.int32)
    action = np.where(path == -1, PAD, found.tree.action[path]).astype(np.int32)
    return windows_of(SeenWindows(frame_id, action, time), target_return=found.target_return)


@torch.no_grad()
@pytest.mark.parametrize("is_substituted", [False, True])
def test_it_is_the_model_on_the_window_of_every_history(model, graph, is_substituted):
    items = encoded(torch.tensor(graph.frames), 980)
    substitute = torch.arange(len(graph.frames)).roll(5) if is_substituted else None
    found = policy_tree(model, graph, PLAYS, substitute=substitute)
    shown = items[substitute] if is_substituted else items
    expected = [model(_seen(found, time), shown)[:, -1] for time in range(4)]
    torch.testing.assert_close(found.logits, torch.cat(expected), atol=5e-5, rtol=1e-5)
    assert torch.equal(found.frame_id, torch.tensor(graph.frame_id[found.tree.state]).long())


def test_all_actions_are_more_plays_than_moves(graph):
    assert len(PlaysConfig(horizon=2, actions="all").tree(graph)) == 4 * (1 + 7 + 49)
    assert len(PlaysConfig(horizon=2).tree(graph)) == 4 * (1 + 3 + 9)


def test_plays_that_nobody_can_mean_are_refused(graph):
    with pytest.raises(UserError, match="horizon is -1, expected a number from 0 to 127"):
        PlaysConfig(horizon=-1)
    with pytest.raises(WorldError, match="the largest that fits is 8"):
        PlaysConfig(horizon=20, actions="all").tree(graph)
