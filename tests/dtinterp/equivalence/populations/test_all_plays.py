"""Plays of the small world against a slow walk through its graph."""

from itertools import product
from pathlib import Path

import pytest
import torch

from dtinterp.dataset.windows import window
from dtinterp.demonstrations.storage import load_trajectories
from dtinterp.equivalence.config import EquivalenceConfig
from dtinterp.equivalence.populations.all_plays import plays
from dtinterp.equivalence.report import EQUIVALENCE
from dtinterp.equivalence.swaps.contexts import Contexts
from dtinterp.foundation.artefacts.codec import load
from dtinterp.foundation.errors import UserError
from environments.graph.enumeration import CONTINUES
from environments.graph.state_graph import state_graph

SHIPPED = Path(__file__).parents[4] / "checkpoints"
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


def test_the_worst_swaps_of_a_certificate_that_ships_are_found_where_it_says() -> None:
    report = load(SHIPPED / "studies" / "memory-dt-small-0" / "plays", EQUIVALENCE)
    demonstrations, _ = load_trajectories(SHIPPED / "demonstrations" / "memory-movable")
    tried = plays(state_graph(report.env_id), report.config, known=demonstrations.frames)
    first, second = (~torch.eye(len(report.frames), dtype=torch.bool)).nonzero(as_tuple=True)
    windows = window(tried, report.swaps.worst_step[first, second], 10)
    shown = windows.frame_id.gather(1, report.swaps.worst_slot[first, second][:, None]).squeeze(1)
    assert torch.equal(shown, report.swaps.frame_id[first])
    assert torch.equal(tried.frames[report.chosen.frame_id], report.frames)
