"""The 980 items and the one-hot code: names, a slow loop, the inverse."""

import numpy as np
import pytest
import torch
from minigrid.wrappers import FullyObsWrapper, OneHotPartialObsWrapper

from environments.graph.state_graph import state_graph
from environments.grid.observation import observe
from environments.registration import make
from environments.twin.layouts import spec_of, state_of
from environments.vocabulary import (
    ACTIONS,
    CHANNELS,
    ITEMS,
    N_VALUES_FROM_ABOVE,
    decode,
    item_index,
    item_name,
    one_hot,
)

SIZES = (11, 6, 3)


def _random_frames(*shape: int) -> torch.Tensor:
    rng = np.random.default_rng(0)
    channels = [rng.integers(0, size, (*shape, 7, 7)) for size in SIZES]
    return torch.tensor(np.stack(channels, axis=-1), dtype=torch.uint8)


def test_there_are_980_different_items() -> None:
    assert len(ITEMS) == len(set(ITEMS)) == 980


def test_the_actions_are_named_in_minigrids_order() -> None:
    assert ACTIONS == ("left", "right", "forward", "pickup", "drop", "toggle", "done")


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("unseen (0,0)", 0),
        ("key (2,6)", 5 * 49 + 2 * 7 + 6),
        ("ball (4,2)", 6 * 49 + 4 * 7 + 2),
        ("green (0,5)", 12 * 49 + 5),
        ("grey (6,6)", 16 * 49 + 48),
        ("locked (6,6)", 979),
    ],
)
def test_an_item_is_numbered_by_value_then_column_then_row(name: str, index: int) -> None:
    assert item_index(name) == index
    assert item_name(index) == name


def test_names_and_indices_are_inverse() -> None:
    assert [item_index(item_name(index)) for index in range(980)] == list(range(980))


def test_an_unknown_item_is_named() -> None:
    with pytest.raises(ValueError, match=r"no item named 'key \(2,7\)'"):
        item_index("key (2,7)")


@pytest.mark.parametrize("index", [-1, 980])
def test_an_index_outside_the_vocabulary_is_named(index: int) -> None:
    with pytest.raises(ValueError, match=rf"no item {index}; items are numbered from 0 to 979"):
        item_name(index)


def test_one_hot_agrees_with_a_slow_loop_over_names() -> None:
    frames = _random_frames(2, 3)
    expected = torch.zeros(2, 3, 980)
    for row, column, x, y, channel in np.ndindex(2, 3, 7, 7, 3):
        value = CHANNELS[channel][int(frames[row, column, x, y, channel])]
        expected[row, column, item_index(f"{value} ({x},{y})")] = 1
    vectors = one_hot(frames)
    assert vectors.dtype == torch.float32
    assert torch.equal(vectors, expected)


def _cell_by_cell(vectors: torch.Tensor, picture: np.ndarray) -> np.ndarray:
    """A vector laid out as MiniGrid's wrapper lays it out: [x, y, value]."""
    width, height, _ = picture.shape
    return vectors.unflatten(-1, (-1, width, height)).movedim(-3, -1).numpy().astype(np.uint8)


@pytest.mark.parametrize("agent_view_size", [3, 5, 7, 9, 11])
def test_views_of_any_size_are_the_vectors_of_minigrids_wrapper(agent_view_size: int) -> None:
    env = make("MiniGrid-DoorKey-8x8-v0", agent_view_size=agent_view_size)
    wrapped = OneHotPartialObsWrapper(env)
    for seed in range(3):
        expected = wrapped.reset(seed=seed)[0]["image"]
        for action in (0, 2, 1, 2, 3, 5):
            image = observe(state_of(env), spec_of(env, ""))[0]
            assert np.array_equal(_cell_by_cell(one_hot(image), expected), expected)
            expected = wrapped.step(action)[0]["image"]


@pytest.mark.parametrize("env_id", ["MiniGrid-DoorKey-8x8-v0", "MiniGrid-RedBlueDoors-6x6-v0"])
def test_whole_worlds_are_the_vectors_of_minigrids_wrapper(env_id: str) -> None:
    """A world that faces north is one for ours only: MiniGrid's wrapper has no room for its fourth direction."""
    env = make(env_id)
    wrapped, n_compared = OneHotPartialObsWrapper(FullyObsWrapper(env)), 0
    for seed in range(8):
        picture = FullyObsWrapper(env).reset(seed=seed)[0]["image"]
        vectors = one_hot(torch.from_numpy(picture), N_VALUES_FROM_ABOVE)
        assert vectors.sum() == picture.size
        assert np.array_equal(np.stack(_read(vectors, picture), axis=-1), picture)
        if env.agent_dir < 3:
            expected = wrapped.reset(seed=seed)[0]["image"]
            assert np.array_equal(_cell_by_cell(vectors, picture)[..., :20], expected)
            n_compared += 1
    assert n_compared > 3


def _read(vectors: torch.Tensor, picture: np.ndarray) -> list[np.ndarray]:
    """The channels of the picture that a vector stands for."""
    blocks = np.split(_cell_by_cell(vectors, picture), np.cumsum(N_VALUES_FROM_ABOVE)[:2], axis=-1)
    assert all((block.sum(-1) == 1).all() for block in blocks)
    return [block.argmax(-1) for block in blocks]


def test_a_single_frame_needs_no_leading_axis() -> None:
    frames = _random_frames(1)
    assert torch.equal(one_hot(frames[0]), one_hot(frames)[0])


def test_no_frames_give_no_vectors() -> None:
    assert one_hot(_random_frames(0)).shape == (0, 980)


def test_every_real_frame_has_exactly_147_ones() -> None:
    frames = torch.tensor(state_graph("MiniGrid-MemoryS7FixedStart-v0").frames)
    assert one_hot(frames).sum(-1).unique().tolist() == [147]


def test_decoding_a_one_hot_vector_gives_its_frame() -> None:
    frames = _random_frames(4, 5)
    assert torch.equal(decode(one_hot(frames)), frames)


@pytest.mark.parametrize("item", ["wall (3,3)", "blue (0,0)", "closed (6,1)"])
def test_decoding_refuses_a_cell_without_a_value(item: str) -> None:
    vector = one_hot(torch.zeros(7, 7, 3, dtype=torch.uint8))
    vector[item_index(item)] = 1
    with pytest.raises(ValueError, match="exactly one object, one colour and one state"):
        decode(vector)


def test_decoding_refuses_a_pad() -> None:
    with pytest.raises(ValueError, match="not one-hot"):
        decode(torch.zeros(980))


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_a_value_that_its_channel_does_not_have_is_refused(channel: int) -> None:
    frames = _random_frames(3)
    frames[1, 2, 3, channel] = SIZES[channel]
    with pytest.raises(
        ValueError, match=rf"Channel {channel} of a frame holds {SIZES[channel]}; .* to {SIZES[channel] - 1}"
    ):
        one_hot(frames)
