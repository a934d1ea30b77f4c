import weakref
from dataclasses import fields

import pytest
import torch

from dtinterp.demonstrations.episodes import whole_episodes
from dtinterp.demonstrations.rollout import Step, roll_out
from dtinterp.demonstrations.samplers import Temperature
from environments.worlds import GraphWorlds

N_WORLDS = 6


def steps_of(graph, wilful, n_steps):
    worlds = GraphWorlds(graph, N_WORLDS, generator=torch.Generator().manual_seed(7))
    return roll_out(wilful, worlds, Temperature(1.0), n_steps=n_steps, generator=torch.Generator().manual_seed(1))


def episodes_in(parts):
    """Every episode as its rows, in no order."""
    found = []
    for part in parts:
        begin = 0
        for length, terminated in zip(part.length.tolist(), part.terminated.tolist(), strict=True):
            rows = slice(begin, begin + length)
            columns = (part.frame_id, part.action, part.reward, part.facts)
            found.append((terminated, *(str(column[rows].tolist()) for column in columns)))
            begin += length
        assert begin == len(part.frame_id)
    return sorted(found)


@pytest.mark.parametrize("n_rows", [1, 7, 60, 200, 10**6])
def test_episodes_are_the_same_however_many_rows_are_gathered(graph, wilful, n_rows):
    whole = list(whole_episodes(steps_of(graph, wilful, 300), n_worlds=N_WORLDS))
    assert len(whole) == 1
    parts = list(whole_episodes(steps_of(graph, wilful, 300), n_worlds=N_WORLDS, n_rows=n_rows))
    assert episodes_in(parts) == episodes_in(whole)


def test_an_episode_is_handed_on_as_soon_as_its_rows_are_gathered(graph, wilful):
    steps = list(steps_of(graph, wilful, 120))
    ended = torch.stack([step.is_last for step in steps]).cumsum(0)  # time world
    parts = whole_episodes(iter(steps), n_worlds=N_WORLDS, n_rows=10 * N_WORLDS)
    handed_on = torch.tensor([len(part.length) for part in parts]).cumsum(0)
    assert handed_on.tolist() == ended[9::10].sum(1).tolist()


def test_an_episode_that_is_going_on_at_the_end_is_dropped(graph, wilful):
    steps = list(steps_of(graph, wilful, 120))
    kept = sum(len(part.frame_id) for part in whole_episodes(iter(steps), n_worlds=N_WORLDS))
    going_on = [next(k for k in range(120) if steps[119 - k].is_last[world]) for world in range(N_WORLDS)]
    assert sum(going_on) > 0
    assert kept == 120 * N_WORLDS - sum(going_on)


def most_steps_held(graph, wilful, n_steps):
    """The largest number of Step rows that were alive at once."""
    alive, most = 0, 0

    def watched():
        nonlocal alive, most
        for step in steps_of(graph, wilful, n_steps):
            copy = Step(**{field.name: getattr(step, field.name) for field in fields(Step)})
            weakref.finalize(copy, gone)
            alive += 1
            most = max(most, alive)
            yield copy
            del copy

    def gone():
        nonlocal alive
        alive -= 1

    for _ in whole_episodes(watched(), n_worlds=N_WORLDS, n_rows=40 * N_WORLDS):
        pass
    assert alive == 0
    return most


def test_the_rows_held_do_not_grow_with_the_steps(graph, wilful):
    bound = graph.max_steps + 40
    assert 40 < most_steps_held(graph, wilful, 400) <= bound + 1
    assert most_steps_held(graph, wilful, 1600) <= bound + 1


def test_no_steps_give_no_episodes():
    assert list(whole_episodes([], n_worlds=3)) == []
