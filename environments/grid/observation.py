"""What the agent sees, as MiniGrid encodes it: from its own eyes, or the whole grid from above."""

from functools import lru_cache

import torch
from jaxtyping import Int32, Int64, UInt8
from minigrid.core.constants import DIR_TO_VEC, OBJECT_TO_IDX
from torch import Tensor

from environments.grid.cells import cell_of_code
from environments.grid.occlusion import PITCH, WIDEST_TABULATED, see_swept, see_tabulated
from environments.grid.state import State
from environments.grid.world_spec import WorldSpec


def look(state: State, spec: WorldSpec) -> Int32[Tensor, "world slot"]:
    """Return the cells in view, 0 where they are not seen; the agent's own cell shows what it carries.

    The slot of the view's cell (x, y) is `pitch * x + y`, see `pitch_of`. Slots that are no cell of the view mean
    nothing.
    """
    grid_cell = cells_in_view(spec, state.position.device).index_select(0, state.position * 4 + state.direction)
    cells = state.grid.gather(1, grid_cell)  # world slot
    if not spec.sees_through_walls:
        cells *= _seen(cells, spec.view)
    own_slot = pitch_of(spec.view) * (spec.view // 2) + spec.view - 1
    cells[:, own_slot] = cell_of_code(state.position.device).index_select(0, state.hand)
    return cells


def frames_of(cells: Int32[Tensor, "world slot"], view: int) -> UInt8[Tensor, "world view view 3"]:
    """Return the frames that show these cells: object, colour and state of each cell [x, y] of the view."""
    channels = cells.view(torch.uint8).unflatten(1, (view, pitch_of(view), 4))  # world x y channel
    frames = torch.empty(len(cells), view, view, 3, dtype=torch.uint8, device=cells.device)
    for channel in range(3):  # channel by channel torch copies three times as fast as all at once
        frames[..., channel] = channels[:, :, :view, channel]
    return frames


def observe(state: State, spec: WorldSpec) -> UInt8[Tensor, "world view view 3"]:
    """Return the frame that each agent sees, MiniGrid's `image`."""
    return frames_of(look(state, spec), spec.view)


def overview(state: State, spec: WorldSpec) -> UInt8[Tensor, "world width height 3"]:
    """Return each world from above, the agent's cell holding (agent, red, direction): MiniGrid's FullyObsWrapper."""
    channels = state.grid[:, :-1].contiguous().view(torch.uint8)
    image = channels.unflatten(1, (spec.n_cells, 4))[:, :, :3].contiguous()
    agent = torch.zeros(len(state), 1, 3, dtype=torch.uint8, device=image.device)
    agent[:, 0, 0] = OBJECT_TO_IDX["agent"]
    agent[:, 0, 2] = state.direction
    image.scatter_(1, state.position[:, None, None].expand(-1, 1, 3), agent)
    return image.unflatten(1, (spec.width, spec.height))


def pitch_of(view: int) -> int:
    """Return the number of slots from one column of the view to the next."""
    return PITCH if view <= WIDEST_TABULATED else view


@lru_cache
def cells_in_view(spec: WorldSpec, device: torch.device) -> Int64[Tensor, "pose slot"]:
    """Return which cell of the grid each slot of the view shows, by pose: 4 position + direction.

    What lies outside the grid, and slots that are no cell of the view, show the wall around it, the grid's last cell.
    """
    view, pitch = spec.view, pitch_of(spec.view)
    x, y = torch.arange(spec.width)[:, None, None, None], torch.arange(spec.height)[:, None, None]
    rightward, ahead = torch.arange(view)[:, None] - view // 2, view - 1 - torch.arange(pitch)
    poses = torch.full((spec.width, spec.height, 4, view, pitch), spec.n_cells)
    for direction, (step_x, step_y) in enumerate(DIR_TO_VEC):
        cell_x = x + ahead * int(step_x) - rightward * int(step_y)
        cell_y = y + ahead * int(step_y) + rightward * int(step_x)
        is_inside = (cell_x >= 0) & (cell_x < spec.width) & (cell_y >= 0) & (cell_y < spec.height) & (ahead >= 0)
        poses[:, :, direction] = torch.where(is_inside, cell_x * spec.height + cell_y, spec.n_cells)
    return poses.reshape(spec.n_cells * 4, view * pitch).to(device)


def _seen(cells: Int32[Tensor, "world slot"], view: int) -> Tensor:
    """Return which slots are seen, as Bool["world slot"]; opaque cells are negative numbers."""
    if view <= WIDEST_TABULATED:
        return see_tabulated(cells < 0, view)
    return see_swept((cells < 0).unflatten(1, (view, view))).flatten(1)
