"""Classes beside a machine, by hand."""

import pytest
import torch

from dtinterp.demonstrations.frame_table import FrameTable
from dtinterp.equivalence.config import EquivalenceConfig
from dtinterp.equivalence.machines.certificate_beside import certificate_beside
from dtinterp.equivalence.machines.machine import NO_STATE, PolicyMachine
from dtinterp.equivalence.machines.observations_told_apart import observation_verdicts
from dtinterp.equivalence.partition import partition_of
from dtinterp.equivalence.relation import Relation
from dtinterp.equivalence.report import EquivalenceReport


def _certified(frames, pairs):
    """Return as much of a report as is read: these frames, of which some are joined two by two."""
    label = torch.arange(len(frames))
    for one, other in pairs:
        label[other] = label[one]
    bits = (torch.arange(len(frames))[:, None] + torch.arange(len(frames))[None, :]).float().fill_diagonal_(0)
    relation = Relation(bits / 100, bits / 100, torch.ones_like(bits).long(), torch.arange(len(frames)), "by hand")
    report = object.__new__(EquivalenceReport)
    report.__dict__.update(
        frames=frames, partition=partition_of(label, "by hand"), relation=relation, config=EquivalenceConfig()
    )
    return report


def test_pairs_are_counted_by_both_and_disputed_ones_named(graph):
    """Frame 0 and 1 lead to one state, 2 to another, which the next output tells; 3 is never seen beside them."""
    table = FrameTable(torch.tensor(graph.frames), graph.env_id)
    frames = torch.tensor(graph.frames)[:4]
    shown = table.rows_of(frames)
    start = torch.full((len(graph.frames),), NO_STATE)
    start[shown[:3]] = torch.tensor([0, 0, 1])
    nothing = torch.zeros(0, dtype=torch.int64)
    machine = PolicyMachine(start, torch.tensor([0, 1]), nothing, nothing, nothing, nothing, n_actions=7)
    verdicts = observation_verdicts([machine], shown.sort().values)
    found = certificate_beside(machine, verdicts, table, _certified(frames, [(0, 2)]), "classes")
    assert found.n_frames == 4
    assert found.joined == (0, 0, 1)
    assert found.separate == (3, 1, 1)
    (pair,) = found.disputed
    assert {pair.first, pair.second} == {int(shown[0]), int(shown[2])}
    assert (pair.n_compared, pair.n_apart, pair.n_inputs, pair.n_machines) == (1, 1, 0, 1)
    assert pair.divergence == pytest.approx(0.02)
