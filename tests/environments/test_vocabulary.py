"""The 980 items and the one-hot code: names, a slow loop, the inverse."""

import numpy as np
import pytest
import torch

from environments.graph.state_graph import state_graph
from environments.vocabulary import ACTIONS, CHANNELS, ITEMS, decode, item_index, item_name, one_hot

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
