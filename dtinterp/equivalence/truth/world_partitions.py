"""The partitions of frames that the world itself makes."""

import torch
from jaxtyping import UInt8
from torch import Tensor

from dtinterp.demonstrations.frame_table import FrameTable
from dtinterp.equivalence.partition import Partition, partition_of
from environments.graph.partitions import bisimulation, frame_partition, optimal_actions, same_image
from environments.graph.state_graph import StateGraph

STATE_LABELS = {
    "same image": same_image,
    "same optimal actions": optimal_actions,
    "reward bisimulation": bisimulation,
}
"""What each partition calls alike: frames that are shown by states of the same set of labels."""


def world_partitions(graph: StateGraph, frames: UInt8[Tensor, "frame view view 3"]) -> tuple[Partition, ...]:
    """Return the partitions of `STATE_LABELS`, restricted to `frames`, in their order.

    Raises `UserError` where the world never shows one of the frames.
    """
    place = FrameTable.of_graph(graph).rows_of(frames)
    return tuple(
        partition_of(torch.from_numpy(frame_partition(graph, label(graph))).long()[place], name)
        for name, label in STATE_LABELS.items()
    )
