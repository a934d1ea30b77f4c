"""Worlds that start over: when, with which layouts, and what their ends looked like."""

import numpy as np
import pytest
import torch

from environments.grid.cells import Thing, code_of
from environments.grid.state import State
from environments.twin.dynamics import step
from environments.twin.episodes import BatchedEpisodes, uniform_hash
from environments.twin.layouts import Layouts, draw_layouts

FORWARD, DONE = 2, 6


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def layouts() -> Layouts:
    return draw_layouts("MiniGrid-Empty-Random-6x6-v0", range(20), max_steps=7)


def _alike(state: State, other: State) -> bool:
    return torch.equal(state.grid, other.grid) and torch.equal(state.position, other.position)


def test_a_world_whose_episode_ends_is_at_its_next_start_at_once(layouts: Layouts) -> None:
    episodes = BatchedEpisodes(layouts, 6, generator=_generator())
    for _ in range(6):
        assert not len(episodes.step(torch.full((6,), DONE)).ended)
    advance = episodes.step(torch.full((6,), DONE))
    assert advance.ended.tolist() == list(range(6))
    assert advance.final.time.tolist() == [7] * 6
    assert _alike(episodes.state, layouts.start[episodes.layout])
    assert not episodes.state.time.any()


def test_starts_do_not_depend_on_what_is_done(layouts: Layouts) -> None:
    starts = []
    for seed in (1, 2):
        episodes, rng = BatchedEpisodes(layouts, 3, generator=_generator()), np.random.default_rng(seed)
        seen: list[list[int]] = [[int(layout)] for layout in episodes.layout]
        for _ in range(100):
            for world in episodes.step(torch.tensor(rng.integers(0, 3, 3))).ended.tolist():
                seen[world].append(int(episodes.layout[world]))
        starts.append(seen)
    for one, other in zip(*starts, strict=True):
        shared = min(len(one), len(other))
        assert shared > 10
        assert one[:shared] == other[:shared]


def test_reset_begins_the_same_first_episodes(layouts: Layouts) -> None:
    episodes = BatchedEpisodes(layouts, 8, generator=_generator())
    first = episodes.layout.tolist()
    for _ in range(9):
        episodes.step(torch.full((8,), FORWARD))
    episodes.reset()
    assert episodes.layout.tolist() == first
    assert _alike(episodes.state, layouts.start[episodes.layout])


def test_the_pool_of_layouts_stays_as_it_was(layouts: Layouts) -> None:
    before = layouts.start.clone()
    episodes = BatchedEpisodes(layouts, 8, generator=_generator())
    for action in np.random.default_rng(0).integers(0, 7, (50, 8)):
        episodes.step(torch.tensor(action))
    assert _alike(layouts.start, before)


def test_layouts_are_drawn_as_often_as_their_probability_says(layouts: Layouts) -> None:
    start = layouts.start[torch.arange(3)]
    lopsided = Layouts(layouts.spec, start, torch.tensor([0.5, 0.0, 0.5], dtype=torch.float64))
    drawn = BatchedEpisodes(lopsided, 4000, generator=_generator()).layout.bincount(minlength=3)
    assert drawn[1] == 0
    assert abs(int(drawn[0]) - 2000) < 150


def test_other_worlds_have_other_starts(layouts: Layouts) -> None:
    drawn = BatchedEpisodes(layouts, 400, generator=_generator()).layout
    assert len(drawn.unique()) == len(layouts)


def test_hashes_are_spread_evenly_over_the_unit_interval() -> None:
    numbers = uniform_hash(torch.arange(-5000, 5000))
    counts = torch.histc(numbers.float(), bins=10, min=0, max=1)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert (counts - 1000).abs().max() < 150


def test_a_hash_is_splitmix64_in_unbounded_integers() -> None:
    def reference(number: int) -> float:
        mask = 2**64 - 1
        number &= mask
        number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & mask
        number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & mask
        return ((number ^ (number >> 31)) >> 11) / 2**53

    numbers = [0, 1, -1, 2**62, -(2**63), 123456789]
    assert uniform_hash(torch.tensor(numbers)).tolist() == [reference(number) for number in numbers]


def test_a_state_can_be_kept_and_gone_back_to(layouts: Layouts) -> None:
    episodes = BatchedEpisodes(layouts, 4, generator=_generator())
    kept = episodes.state.clone()
    ways = []
    for _ in range(2):
        episodes.put(kept)
        for action in (FORWARD, 0, FORWARD):
            episodes.step(torch.full((4,), action))
        ways.append(episodes.state.clone())
    assert _alike(*ways)


def test_bad_calls_are_refused(layouts: Layouts) -> None:
    with pytest.raises(ValueError, match=r"number of worlds is 0; at least 1"):
        BatchedEpisodes(layouts, 0, generator=_generator())
    episodes = BatchedEpisodes(layouts, 4, generator=_generator())
    with pytest.raises(ValueError, match=r"There are 3 actions for 4 worlds"):
        episodes.step(torch.zeros(3, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"An action is 9; actions are 0 to 6"):
        episodes.step(torch.full((4,), 9))
    with pytest.raises(ValueError, match=r"The state has 2 worlds of 36 cells; these are 4 worlds of 36 cells"):
        episodes.put(layouts.start[torch.arange(2)])


@pytest.mark.parametrize("kind", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64])
def test_actions_of_any_integer_type_do_the_same(kind: torch.dtype, layouts: Layouts) -> None:
    rng = np.random.default_rng(0)
    ours, theirs = (BatchedEpisodes(layouts, 8, generator=_generator()) for _ in range(2))
    for action in torch.tensor(rng.integers(0, 7, (20, 8))):
        ours.step(action.to(kind))
        theirs.step(action)
        assert _alike(ours.state, theirs.state)
        assert torch.equal(ours.state.direction, theirs.state.direction)


@pytest.mark.parametrize(
    ("action", "complaint"),
    [
        (torch.full((4,), 2.0), r"The actions are torch\.float32; actions are integers, 0 to 6"),
        (torch.ones(4, dtype=torch.bool), r"The actions are torch\.bool"),
        (torch.full((4, 1), 2), r"The actions have shape \(4, 1\); give a row of them, one for each world"),
        (torch.tensor(2), r"The actions have shape \(\)"),
        (torch.tensor([2]), r"There are 1 actions for 4 worlds; give each world one"),
    ],
)
def test_actions_that_are_no_row_of_integers_are_refused(
    action: torch.Tensor, complaint: str, layouts: Layouts
) -> None:
    episodes = BatchedEpisodes(layouts, 4, generator=_generator())
    before = episodes.state.clone()
    with pytest.raises(ValueError, match=complaint):
        episodes.step(action)
    with pytest.raises(ValueError, match=complaint):
        step(before.clone(), action, layouts.spec)
    assert _alike(episodes.state, before)


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("direction", 4, r"World 2: The agent's direction is 4"),
        ("position", 999, r"World 2: The agent is in cell 999"),
        ("position", 0, r"World 2: The agent stands at \(0, 0\) on a wall"),
        ("time", -5, r"World 2: The time is -5; it runs from 0 to 7"),
        ("time", 10**6, r"World 2: The time is 1000000"),
        ("hand", code_of(Thing("goal", "green")), r"World 2: The agent carries Thing\(kind='goal'"),
        ("hand", 255, r"World 2: The agent carries 255, which cannot be carried"),
        ("hand", 10**6, r"World 2: The agent carries 1000000"),
    ],
)
def test_states_in_which_minigrid_could_not_be_do_not_get_in(
    field: str, value: int, complaint: str, layouts: Layouts
) -> None:
    episodes = BatchedEpisodes(layouts, 4, generator=_generator())
    state = episodes.state.clone()
    getattr(state, field)[2] = value
    with pytest.raises(ValueError, match=complaint):
        episodes.put(state)
    with pytest.raises(ValueError, match=complaint):
        Layouts(layouts.spec, state, torch.full((4,), 0.25, dtype=torch.float64))


def test_gone_back_to_a_kept_state_with_its_episode_the_same_episodes_follow(layouts: Layouts) -> None:
    episodes = BatchedEpisodes(layouts, 4, generator=_generator())
    for _ in range(9):
        episodes.step(torch.full((4,), DONE))
    kept, episode, layout = episodes.state.clone(), episodes.episode.clone(), episodes.layout.clone()
    ways = []
    for _ in range(2):
        episodes.put(kept, episode=episode)
        assert torch.equal(episodes.layout, layout)
        ways.append([(episodes.step(torch.full((4,), DONE)), episodes.layout.tolist())[1] for _ in range(30)])
    assert ways[0] == ways[1]
    assert len({tuple(layouts) for layouts in ways[0]}) > 3


def test_the_next_episodes_can_be_begun_before_the_present_ones_end(layouts: Layouts) -> None:
    ours, theirs = (BatchedEpisodes(layouts, 8, generator=_generator()) for _ in range(2))
    for _ in range(3):
        ours.step(torch.full((8,), FORWARD))
        ours.begin_next()
        for _ in range(7):
            theirs.step(torch.full((8,), DONE))
        assert torch.equal(ours.layout, theirs.layout)
        assert _alike(ours.state, theirs.state)
        assert not ours.state.time.any()
