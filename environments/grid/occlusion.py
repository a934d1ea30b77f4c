"""Which cells of a view are seen behind opaque ones: MiniGrid's occlusion, a whole row of the view at a time.

MiniGrid lets sight spread from the agent row by row: within a row sideways through transparent cells, and from each of
these into the next row, straight and aslant (`Grid.process_vis`). What a row passes on depends only on which of its
cells were reached from below and which are opaque, so both are written as numbers, one bit per cell, and looked up.
"""

from functools import lru_cache

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

PITCH = 8
"""Bytes from one column of the view to the next, so that a column of flags is one number of 64 bits."""

WIDEST_TABULATED = 7
"""The widest view whose rows are looked up; a table for the next one, 9, would no longer fit into the cache."""

_LOWEST_BITS = 0x0101010101010101


def see_tabulated(opaque: Bool[Tensor, "world slot"], view: int) -> Bool[Tensor, "world slot"]:
    """Return which cells the agent sees, given which are opaque.

    The slot of the view's cell (x, y) is 8 x + y; the agent stands at (view // 2, view - 1). Slots that are no cell of
    the view are not seen.
    """
    table = _row_table(view, opaque.device)
    shift = torch.arange(view, device=opaque.device)
    columns = opaque.view(torch.int64)  # world x, a byte for each y
    packed = (columns << shift).sum(1)  # byte y holds row y, bit x its cell x
    rows = packed[:, None].view(torch.uint8).t().long()  # y world
    reached = torch.full_like(packed, 1 << (view // 2))
    seen = torch.zeros_like(packed)
    for y in reversed(range(view)):
        entry = table.index_select(0, (reached << view) | rows[y])
        reached = entry >> PITCH
        seen |= (entry & 0xFF) << (PITCH * y)
    return ((seen[:, None] >> shift) & _LOWEST_BITS).view(torch.bool)


def see_swept(opaque: Bool[Tensor, "world view view"]) -> Bool[Tensor, "world view view"]:
    """Return which cells [x, y] the agent sees, cell by cell in MiniGrid's order, for a view of any size."""
    view = opaque.shape[-1]
    seen = torch.zeros_like(opaque)
    seen[:, view // 2, view - 1] = True
    for y in reversed(range(view)):
        for x in range(view - 1):
            _spread(seen, opaque, x=x, y=y, to_x=x + 1)
        for x in reversed(range(1, view)):
            _spread(seen, opaque, x=x, y=y, to_x=x - 1)
    return seen


def _spread(
    seen: Bool[Tensor, "world view view"], opaque: Bool[Tensor, "world view view"], *, x: int, y: int, to_x: int
) -> None:
    """Let sight pass from the cell (x, y), where it is seen and transparent, sideways and into the next row."""
    passes = seen[:, x, y] & ~opaque[:, x, y]
    seen[:, to_x, y] |= passes
    if y > 0:
        seen[:, to_x, y - 1] |= passes
        seen[:, x, y - 1] |= passes


@lru_cache
def _row_table(view: int, device: torch.device) -> Int64[Tensor, " entry"]:
    """Return for each row, at index 2^view * reached + opaque, its seen cells and, 8 bits higher, what it passes on."""
    n_rows = 1 << view
    bit = torch.arange(view)
    reached, opaque = ((torch.arange(n_rows)[:, None] >> bit) & 1).bool(), torch.arange(n_rows)
    entries = []
    for row in reached:
        seen = row.repeat(n_rows, 1)
        onward = torch.zeros_like(seen)
        blocked = ((opaque[:, None] >> bit) & 1).bool()
        for x in range(view - 1):
            _spread_row(seen, onward, blocked=blocked, x=x, to_x=x + 1)
        for x in reversed(range(1, view)):
            _spread_row(seen, onward, blocked=blocked, x=x, to_x=x - 1)
        entries.append(_bits(seen) | _bits(onward) << PITCH)
    return torch.cat(entries).to(device)


def _spread_row(
    seen: Bool[Tensor, "row view"],
    onward: Bool[Tensor, "row view"],
    *,
    blocked: Bool[Tensor, "row view"],
    x: int,
    to_x: int,
) -> None:
    passes = seen[:, x] & ~blocked[:, x]
    seen[:, to_x] |= passes
    onward[:, to_x] |= passes
    onward[:, x] |= passes


def _bits(flags: Bool[Tensor, "row view"]) -> Int64[Tensor, " row"]:
    return (flags.long() << torch.arange(flags.shape[1])).sum(1)
