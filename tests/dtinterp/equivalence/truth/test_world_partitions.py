import pytest
import torch

from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence.partition import partition_of
from dtinterp.equivalence.truth.world_partitions import world_partitions
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.seeding import generator
from environments.graph.partitions import bisimulation, frame_partition, optimal_actions
from environments.graph.state_graph import StateGraph


def test_in_the_order_of_the_graph_they_are_the_partitions_of_the_graph(graph: StateGraph) -> None:
    image, optimal, bisimilar = world_partitions(graph, torch.tensor(graph.frames))
    assert image.label.tolist() == list(range(len(graph.frames)))
    for found, labels in ((optimal, optimal_actions), (bisimilar, bisimulation)):
        truth = torch.from_numpy(frame_partition(graph, labels(graph))).long()
        assert torch.equal(found.label, partition_of(truth, "truth").label)
    assert [image.name, optimal.name, bisimilar.name] == ["same image", "same optimal actions", "reward bisimulation"]
    assert 1 < optimal.n_classes < bisimilar.n_classes < image.n_classes


def test_frames_are_found_by_what_they_show(graph: StateGraph) -> None:
    order = torch.randperm(len(graph.frames), generator=generator(0, "order"))[:50]
    whole = world_partitions(graph, torch.tensor(graph.frames))
    part = world_partitions(graph, torch.tensor(graph.frames)[order])
    for all_frames, chosen in zip(whole, part, strict=True):
        assert torch.equal(chosen.label, partition_of(all_frames.label[order], "chosen").label)


def test_the_frames_of_trajectories_are_found(graph: StateGraph, trajectories: Trajectories) -> None:
    table = torch.tensor(graph.frames)
    optimal = world_partitions(graph, table)[1].label
    found = world_partitions(graph, trajectories.frames)[1].label
    row = [int((table == frame).flatten(1).all(1).nonzero()) for frame in trajectories.frames]
    assert row != sorted(row) or len(row) < len(table)  # their tables are not the graph's
    assert torch.equal(found, partition_of(optimal[row], "chosen").label)


def test_a_frame_that_the_world_never_shows_is_refused(graph: StateGraph) -> None:
    frames = torch.tensor(graph.frames[:3])
    frames[1] = 0
    with pytest.raises(UserError, match=f"frame 1 is never shown by {graph.env_id}"):
        world_partitions(graph, frames)
