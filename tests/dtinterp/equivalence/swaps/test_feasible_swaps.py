import pytest
import torch

from dtinterp.demonstrations.frame_table import FrameTable
from dtinterp.equivalence.swaps.feasible_swaps import frames_that_could_stand, reachable, steps_of_equals
from dtinterp.equivalence.swaps.trials import try_swaps
from dtinterp.foundation.errors import UserError


@pytest.fixture(scope="module")
def table(graph, trajectories):
    return FrameTable.of_graph(graph).rows_of(trajectories.frames)


@pytest.fixture(scope="module")
def could_stand(graph, trajectories, contexts, table):
    everything = torch.arange(len(trajectories.frames))
    return frames_that_could_stand(graph, trajectories, contexts, table=table, frame_id=everything)


def _slowly(graph, trajectories, step, table):
    """Follow every start through the episode, and keep those that showed just what was seen."""
    first = int(trajectories.first_step[trajectories.episode[step]])
    states = [int(state) for state in graph.start]
    for past in range(first, step):
        shows, action = int(table[trajectories.frame_id[past]]), int(trajectories.action[past])
        states = [int(graph.next_state[s, action]) for s in states if graph.frame_id[s] == shows]
    return {int(graph.frame_id[state]) for state in states if state >= 0}


def test_it_is_what_following_every_start_finds(graph, trajectories, contexts, table, could_stand):
    steps = contexts.windows.step.gather(1, contexts.slot[:, None]).squeeze(1)
    for index in range(0, len(contexts), 3):
        found = {int(table[frame]) for frame in could_stand[index].nonzero().squeeze(1)}
        assert found == _slowly(graph, trajectories, int(steps[index]), table) & set(table.tolist())


def test_what_stood_there_could_stand_there(contexts, could_stand):
    assert could_stand[torch.arange(len(contexts)), contexts.frame_id].all()
    assert could_stand.sum() > len(contexts)  # and somewhere something else could
    assert could_stand.double().mean() < 0.2


def test_only_contexts_where_the_stand_in_could_be_seen_count(model, contexts, items, could_stand):
    frame_id = contexts.frame_id.unique()
    trials = try_swaps(model, contexts, items=items, frame_id=frame_id)
    mask = could_stand[:, frame_id]
    found = reachable(trials, mask)
    for a in range(len(frame_id)):
        own = contexts.frame_id == frame_id[a]
        for b in range(len(frame_id)):
            there = own & mask[:, b]
            assert int(found.n_contexts[a, b]) == int(there.sum())
            assert float(found.maximum[a, b]) == (float(trials.peak[there, b].max()) if there.any() else 0.0)


def test_at_steps_of_equals_each_of_their_frames_could_stand(graph, trajectories, halves, table):
    steps = steps_of_equals(graph, trajectories, halves.held_out, table=table)
    frames = {int(table[frame]) for frame in trajectories.frame_id[steps].unique()}
    assert len(frames) > 1
    assert torch.isin(steps, halves.held_out).all()
    for step in steps[::20].tolist():
        assert frames <= _slowly(graph, trajectories, step, table)


def test_where_nothing_is_in_doubt_there_are_no_equals(graph, trajectories, halves, table):
    late = halves.held_out[trajectories.time[halves.held_out] > 3][:200]
    assert all(len(_slowly(graph, trajectories, step, table)) == 1 for step in late.tolist())
    with pytest.raises(UserError, match="no two observations could stand in the same place: leave only_reachable out"):
        steps_of_equals(graph, trajectories, late, table=table)
