"""Pictures of frames and states, drawn with MiniGrid's own tiles."""

import base64
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt8
from minigrid.core.constants import DIR_TO_VEC, OBJECT_TO_IDX
from minigrid.core.grid import Grid

from environments.graph.state_graph import StateGraph

_NORTH = 3


@dataclass(frozen=True)
class _Pose:
    position: tuple[int, int]
    direction: int


def render_frame(frame: UInt8[np.ndarray, "view view 3"], tile_size: int = 16) -> UInt8[np.ndarray, "height width 3"]:
    """Draw what the agent sees, itself in the middle of the bottom row looking up; cells that it cannot see stay dark.

    The picture is RGB, `tile_size` pixels to a cell.
    """
    grid, is_visible = Grid.decode(frame)
    agent = (grid.width // 2, grid.height - 1)
    return grid.render(tile_size, agent_pos=agent, agent_dir=_NORTH, highlight_mask=is_visible)


def render_state(graph: StateGraph, state: int, tile_size: int = 16) -> UInt8[np.ndarray, "height width 3"]:
    """Draw the whole world from above in one state of its graph, with the cells that the agent sees highlighted.

    The picture is RGB, `tile_size` pixels to a cell. Raises ValueError for a state that the graph does not have.
    """
    if not 0 <= state < graph.n_states:
        raise ValueError(f"There is no state {state} in {graph.env_id}; its states are 0 to {graph.n_states - 1}.")
    overview = graph.overview[state]
    pose = _pose(overview)
    grid, _ = Grid.decode(overview)
    is_seen = _seen_from(pose, graph.frames[graph.frame_id[state]], size=(grid.width, grid.height))
    return grid.render(tile_size, agent_pos=pose.position, agent_dir=pose.direction, highlight_mask=is_seen)


def png_data_uri(image: UInt8[np.ndarray, "height width 3"]) -> str:
    """Return an RGB picture as a `data:` address of a PNG file, for a page that must need nothing but itself."""
    height, width, _ = image.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits of red, green, blue; no interlacing
    unfiltered = np.pad(image.reshape(height, -1), ((0, 0), (1, 0)))  # each line opens with its filter: 0, none
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(unfiltered.tobytes(), 9)), (b"IEND", b""))
    file = b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(name, content) for name, content in chunks)
    return "data:image/png;base64," + base64.b64encode(file).decode("ascii")


def _png_chunk(name: bytes, content: bytes) -> bytes:
    """Return a chunk as the PNG specification (section 5.3) lays it out: length, name, content, checksum."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _pose(overview: UInt8[np.ndarray, "width height 3"]) -> _Pose:
    """Find the agent in the world seen from above."""
    x, y = np.argwhere(overview[..., 0] == OBJECT_TO_IDX["agent"])[0]
    return _Pose(position=(int(x), int(y)), direction=int(overview[x, y, 2]))


def _seen_from(
    pose: _Pose, frame: UInt8[np.ndarray, "view view 3"], *, size: tuple[int, int]
) -> Bool[np.ndarray, "width height"]:
    """Return which cells of the world the frame shows, by turning the view back into the agent's direction."""
    view = frame.shape[0]
    ahead = DIR_TO_VEC[pose.direction]
    rightward = np.array((-ahead[1], ahead[0]))
    view_x, view_y = np.nonzero(frame[..., 0] != OBJECT_TO_IDX["unseen"])
    steps_ahead, steps_right = view - 1 - view_y, view_x - view // 2
    cells = pose.position + np.outer(steps_ahead, ahead) + np.outer(steps_right, rightward)  # cell 2
    is_inside = ((cells >= 0) & (cells < size)).all(axis=1)
    is_seen = np.zeros(size, dtype=bool)
    is_seen[tuple(cells[is_inside].T)] = True
    return is_seen
