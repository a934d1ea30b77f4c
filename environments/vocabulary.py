"""One-hot vectors of frames, and back: one item per thing that one cell can hold, 980 in the usual frame."""

import torch
from jaxtyping import Float, UInt8
from minigrid.core.actions import Actions
from minigrid.core.constants import COLOR_TO_IDX, DIR_TO_VEC, OBJECT_TO_IDX, STATE_TO_IDX
from torch import Tensor

ACTIONS: tuple[str, ...] = tuple(action.name for action in Actions)
"""Names of the actions 0 to 6."""

VIEW = 7
"""Cells along each side of the agent's view."""

CHANNELS: tuple[tuple[str, ...], ...] = (tuple(OBJECT_TO_IDX), tuple(COLOR_TO_IDX), tuple(STATE_TO_IDX))
"""The values that each channel of a frame can take: objects, colours, door states."""

N_VALUES: tuple[int, int, int] = (len(OBJECT_TO_IDX), len(COLOR_TO_IDX), len(STATE_TO_IDX))
"""How many values each channel of a frame can take."""

N_VALUES_FROM_ABOVE: tuple[int, int, int] = (*N_VALUES[:2], len(DIR_TO_VEC))
"""The same for a world seen from above, where the state of the agent's cell is its direction, which has one more."""

ITEMS: tuple[str, ...] = tuple(
    f"{value} ({x},{y})" for values in CHANNELS for value in values for x in range(VIEW) for y in range(VIEW)
)
"""Names of the items, such as `key (2,6)`: item 49 value + 7 x + y stands for a value, numbered through the three
channels, at the cell (x, y) of the view."""

_INDEX_OF_ITEM = {name: index for index, name in enumerate(ITEMS)}


def item_index(name: str) -> int:
    """Return the index, 0 to 979, of an item such as `key (2,6)`. Raises ValueError for an unknown name."""
    if name not in _INDEX_OF_ITEM:
        raise ValueError(
            f"There is no item named {name!r}; an item is written like 'key (2,6)', with x and y from 0 to {VIEW - 1}."
        )
    return _INDEX_OF_ITEM[name]


def item_name(index: int) -> str:
    """Return the name of the item with this index. Raises ValueError unless it is in 0 to 979."""
    if not 0 <= index < len(ITEMS):
        raise ValueError(f"There is no item {index}; items are numbered from 0 to {len(ITEMS) - 1}.")
    return ITEMS[index]


def one_hot(
    frames: UInt8[Tensor, "*shape width height 3"], n_values: tuple[int, int, int] = N_VALUES
) -> Float[Tensor, "*shape item"]:
    """Return one vector per frame, float32, with a one at each of its items: object, colour and state of each cell.

    Item `width height value + height x + y` stands for a value, numbered through the three channels, at the cell
    (x, y). Views of 7 by 7 have the 980 ITEMS, with 147 ones; frames of other sizes have the same values in other
    cells, and pictures of whole worlds take N_VALUES_FROM_ABOVE. Raises ValueError for a value that its channel does
    not have.
    """
    for channel, n_of_channel in enumerate(n_values):
        largest = int(frames[..., channel].max()) if frames.numel() else 0
        if largest >= n_of_channel:
            raise ValueError(f"Channel {channel} of a frame holds {largest}; its values are 0 to {n_of_channel - 1}.")
    width, height = frames.shape[-3:-1]
    n_cells = width * height
    first_value = torch.tensor([0, n_values[0], n_values[0] + n_values[1]], device=frames.device)
    cell = torch.arange(n_cells, device=frames.device).reshape(width, height, 1)
    item = ((frames + first_value) * n_cells + cell).flatten(-3)  # *shape one
    vectors = torch.zeros(*frames.shape[:-3], sum(n_values) * n_cells, device=frames.device)
    return vectors.scatter_(-1, item, 1.0)


def decode(vectors: Float[Tensor, "*shape 980"]) -> UInt8[Tensor, "*shape 7 7 3"]:
    """Return the frames whose one-hot vectors these are, the inverse of `one_hot`.

    Raises ValueError for a vector that is not the one-hot vector of a frame.
    """
    cells = vectors.unflatten(-1, (-1, VIEW, VIEW)).movedim(-3, -1)  # *shape x y value
    frames = torch.stack([block.argmax(-1) for block in cells.split(N_VALUES, dim=-1)], dim=-1).to(torch.uint8)
    if not torch.equal(one_hot(frames).to(vectors.dtype), vectors):
        raise ValueError(
            "A vector is not one-hot: every cell of a frame has exactly one object, one colour and one state."
        )
    return frames
