"""Frames into vectors over 980 items, one item per thing that one cell of the view can hold, and back."""

import torch
from jaxtyping import Float, UInt8
from minigrid.core.actions import Actions
from minigrid.core.constants import COLOR_TO_IDX, OBJECT_TO_IDX, STATE_TO_IDX
from torch import Tensor

ACTIONS: tuple[str, ...] = tuple(action.name for action in Actions)
"""Names of the actions 0 to 6."""

VIEW = 7
"""Cells along each side of the agent's view."""

CHANNELS: tuple[tuple[str, ...], ...] = (tuple(OBJECT_TO_IDX), tuple(COLOR_TO_IDX), tuple(STATE_TO_IDX))
"""The values that each channel of a frame can take: objects, colours, door states."""

_N_CELLS = VIEW * VIEW
_N_VALUES = tuple(len(values) for values in CHANNELS)
_FIRST_VALUE = (0, _N_VALUES[0], _N_VALUES[0] + _N_VALUES[1])

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


def one_hot(frames: UInt8[Tensor, "*shape 7 7 3"]) -> Float[Tensor, "*shape 980"]:
    """Return one vector per frame, float32, with a one at each of its 147 items: object, colour and state of 49 cells.

    Raises ValueError for a value that its channel does not have.
    """
    for channel, n_values in enumerate(_N_VALUES):
        largest = int(frames[..., channel].max()) if frames.numel() else 0
        if largest >= n_values:
            raise ValueError(f"Channel {channel} of a frame holds {largest}; its values are 0 to {n_values - 1}.")
    first_value = torch.tensor(_FIRST_VALUE, device=frames.device)
    cell = torch.arange(_N_CELLS, device=frames.device).reshape(VIEW, VIEW, 1)
    item = ((frames + first_value) * _N_CELLS + cell).flatten(-3)  # *shape 147
    vectors = torch.zeros(*frames.shape[:-3], len(ITEMS), device=frames.device)
    return vectors.scatter_(-1, item, 1.0)


def decode(vectors: Float[Tensor, "*shape 980"]) -> UInt8[Tensor, "*shape 7 7 3"]:
    """Return the frames whose one-hot vectors these are, the inverse of `one_hot`.

    Raises ValueError for a vector that is not the one-hot vector of a frame.
    """
    cells = vectors.unflatten(-1, (-1, VIEW, VIEW)).movedim(-3, -1)  # *shape x y value
    frames = torch.stack([block.argmax(-1) for block in cells.split(_N_VALUES, dim=-1)], dim=-1).to(torch.uint8)
    if not torch.equal(one_hot(frames).to(vectors.dtype), vectors):
        raise ValueError(
            "A vector is not one-hot: every cell of a frame has exactly one object, one colour and one state."
        )
    return frames
