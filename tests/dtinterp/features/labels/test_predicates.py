import re
from dataclasses import replace

import pytest
import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.activations.harvest import Activations, harvest
from dtinterp.dataset.windows import Windows, window
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.features.labels.predicates import AGENT, Predicates, n_before, predicates_of, regions
from dtinterp.foundation.errors import UserError
from dtinterp.model.network.transformer import DecisionTransformer
from environments.vocabulary import ACTIONS, CHANNELS, VIEW

DEEP = "blocks.0.hook_resid_post"
SQUARES = [(x, y) for x in range(VIEW) for y in range(VIEW) if (x, y) != AGENT]


@pytest.fixture
def deep(model: DecisionTransformer, windows: Windows, items: Float32[Tensor, "frame item"]) -> Activations:
    return harvest(model, windows, items, DEEP)


@pytest.fixture
def statements(deep: Activations, trajectories: Trajectories) -> Predicates:
    return predicates_of(deep, trajectories)


def slowly(words: str, step: int, slot: int, trajectories: Trajectories) -> bool:
    """Whether a statement is true, read off the frames one cell at a time."""
    episode = int(trajectories.episode[step])
    first = int(trajectories.first_step[episode])
    past = [back for back in range(1, slot + 1) if step - back >= first]
    frames = [trajectories.frames[int(trajectories.frame_id[step - back])].tolist() for back in [0, *past]]
    now = frames[0]
    kinds = CHANNELS[0]
    if found := re.fullmatch(r"(.+) at \((\d),(\d)\)", words):
        value, x, y = found[1], int(found[2]), int(found[3])
        channel = next(place for place, values in enumerate(CHANNELS) if value in values)
        return now[x][y][channel] == CHANNELS[channel].index(value)
    if found := re.fullmatch(r"carrying (\w+)", words):
        return kinds[now[3][6][0]] == found[1]
    if found := re.fullmatch(r"(\w+) seen within (\d) steps?", words):
        seen = {kinds[cell[0]] for frame in frames[: int(found[2]) + 1] for column in frame for cell in column}
        return found[1] in seen
    if found := re.fullmatch(r"(\w+) just done", words):
        return bool(past) and ACTIONS[int(trajectories.action[step - 1])] == found[1]
    if found := re.fullmatch(r"at least (\d) steps? of past", words):
        return len(past) >= int(found[1])
    thing, place = words.split(" ", 1)
    where = {
        "in view": lambda _x, _y: True,
        "to the left": lambda x, _y: x < 3,
        "to the right": lambda x, _y: x > 3,
        "straight ahead": lambda x, _y: x == 3,
        "in the far half": lambda _x, y: y < 3,
        "in the near half": lambda _x, y: y >= 3,
    }
    where |= {f"in row {row}": lambda _x, y, row=row: y == row for row in range(VIEW)}
    where |= {f"in column {column}": lambda x, _y, column=column: x == column for column in range(VIEW)}
    where |= {f"within {far} cells": lambda x, y, far=far: abs(x - 3) + abs(y - 6) <= far for far in (1, 2, 3)}
    return any(kinds[now[x][y][0]] == thing and where[place](x, y) for x, y in SQUARES)


def test_every_statement_agrees_with_the_frames_read_cell_by_cell(
    statements: Predicates, deep: Activations, trajectories: Trajectories
) -> None:
    for row in torch.randperm(len(deep.step), generator=torch.Generator().manual_seed(0))[:12].tolist():
        step, slot = int(deep.step[row]), int(deep.slot[row])
        expected = [slowly(words, step, slot, trajectories) for words in statements.words]
        assert statements.holds[row].tolist() == expected


def test_the_past_ends_where_the_window_does(windows: Windows, deep: Activations, trajectories: Trajectories) -> None:
    before = n_before(deep, trajectories)
    place = 0
    for mask in windows.mask:
        n_real = int(mask.sum())
        assert before[place : place + n_real].tolist() == list(range(n_real))
        place += n_real


def test_nothing_is_said_of_the_past_where_rows_know_none(
    deep: Activations, statements: Predicates, trajectories: Trajectories
) -> None:
    flat = predicates_of(replace(deep, site="hook_obs_embed"), trajectories)
    assert not any(" seen within " in words or words.endswith(("just done", "of past")) for words in flat.words)
    assert flat.words == statements.words[: len(flat.words)]


def test_names_differ_and_costs_make_a_prefix_code(statements: Predicates) -> None:
    assert len(set(statements.words)) == len(statements.words)
    assert float((2.0 ** -statements.bits.double()).sum()) == pytest.approx(1, abs=1e-5)


def test_telling_statements_vary_and_differ_and_are_the_cheapest_of_their_like() -> None:
    holds = torch.tensor([[1, 1, 0, 0, 1], [0, 0, 0, 1, 1]], dtype=torch.bool)
    found = Predicates(holds, ("dear", "cheap", "never", "other", "always"), torch.tensor([5.0, 2.0, 1.0, 3.0, 1.0]))
    assert found.only(found.telling).words == ("cheap", "other")


def test_the_agents_own_cell_is_in_no_region() -> None:
    assert all(not cells[AGENT] for cells in regions().values())
    assert int(regions()["in view"].sum()) == VIEW * VIEW - 1


def test_windows_made_by_hand_have_no_statements(trajectories: Trajectories, deep: Activations) -> None:
    with pytest.raises(UserError, match="made by hand"):
        predicates_of(replace(deep, step=deep.step - 10**6), trajectories)


def test_a_first_step_has_no_past(
    model: DecisionTransformer, trajectories: Trajectories, items: Float32[Tensor, "frame item"]
) -> None:
    rows = harvest(model, window(trajectories, trajectories.first_step[:5]), items, DEEP)
    found = predicates_of(rows, trajectories)
    later = [place for place, words in enumerate(found.words) if words.endswith(("just done", "of past"))]
    assert not found.holds[:, later].any()
