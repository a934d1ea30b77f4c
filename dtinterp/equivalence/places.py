"""Where frames stand in the table of a state graph."""

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from dtinterp.foundation.errors import UserError
from environments.graph.state_graph import StateGraph


def places(graph: StateGraph, frames: UInt8[Tensor, "frame view view 3"]) -> Int64[Tensor, " frame"]:
    """Find each frame in the graph's table by what it shows: trajectories number theirs otherwise.

    Raises `UserError` where the world never shows one of them.
    """
    place = {frame.tobytes(): index for index, frame in enumerate(graph.frames)}
    contents = [frame.tobytes() for frame in frames.numpy()]
    for row, content in enumerate(contents):
        if content not in place:
            raise UserError(f"frame {row} is never shown by {graph.env_id}: give frames of that world.")
    return torch.tensor([place[content] for content in contents], dtype=torch.int64)
