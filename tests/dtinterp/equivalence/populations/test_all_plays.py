"""Plays of the small world against a slow walk through its graph."""

from itertools import product

import pytest
import torch

from dtinterp.dataset.windows import window
from dtinterp.equivalence.config import EquivalenceConfig
from dtinterp.equivalence.populations.all_plays import plays
from dtinterp.equivalence.swaps.contexts import Contexts
from dtinterp.foundation.errors import UserError
from environments.graph.enumeration import CONTINUES

CONFIG = EquivalenceConfig(contexts="plays", horizon=2, target_return=0.892)


@pytest.fixture(scope="module")
def played(graph, trajectories):
    return plays(graph, CONFIG, known=trajectories.frames)


def _walked(graph, horizon):
    """Return what is seen in each play of up to so many actions, as pictures and actions, by trying them all."""
    seen = set()
    for start in graph.start.tolist():
        for n_actions in range(horizon + 1):
            for actions in product(range(graph.n_actions), repeat=n_actions):
                states = [start]
                for action in actions:
                    if graph.outcome[states[-1], action] != CONTINUES:
                        break
                    states.append(int(graph.next_state[states[-1], action]))
                else:
                    pictures = tuple(graph.frames[graph.frame_id[state]].tobytes() for state in states)
                    seen.add((pictures, actions))
    return seen


def _shown(played):
    """Return what the windows that end at each step show, as pictures and actions."""
    windows = window(played, torch.arange(played.n_steps), 10)
    found = set()
    for frame_id, action, mask in zip(windows.frame_id, windows.action, windows.mask, strict=True):
        pictures = tuple(played.frames[frame].numpy().tobytes() for frame in frame_id[mask].tolist())
        found.add((pictures, tuple(action[mask].tolist()[:-1])))
    return found


@pytest.mark.parametrize("horizon", [0, 1, 2, 3])
def test_every_play_is_there_and_no_other(graph, trajectories, horizon):
    config = EquivalenceConfig(contexts="plays", horizon=horizon)
    assert _shown(plays(graph, config, known=trajectories.frames)) == _walked(graph, horizon)


def test_no_play_is_the_beginning_of_another_one(played):
    ends = played.first_step + played.length - 1
    contexts = Contexts(window(played, ends, 10), torch.full((len(ends),), 9))
    assert len(contexts.seen().unique(dim=0)) == played.n_episodes


def test_the_return_asked_for_stands_at_every_step(played):
    assert (played.return_to_go == torch.tensor(0.892)).all()


def test_known_frames_keep_their_rows(played, graph, trajectories):
    assert torch.equal(played.frames[: len(trajectories.frames)], trajectories.frames)
    assert {frame.tobytes() for frame in played.frames.numpy()} == {frame.tobytes() for frame in graph.frames}
    assert len(played.frames) == len(graph.frames)


def test_more_contexts_than_are_allowed_are_refused_before_they_are_made(graph, trajectories):
    config = EquivalenceConfig(contexts="plays", horizon=9, most_contexts=600)
    with pytest.raises(UserError, match=r"648 contexts by their 3\. observation, more than most_contexts, 600"):
        plays(graph, config, known=trajectories.frames)
