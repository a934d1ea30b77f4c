import numpy as np
import pytest
import torch

from dtinterp.equivalence.behaviour.quotient import judge_of, most_visited_members
from dtinterp.equivalence.classes.verification import CertifyInputs
from dtinterp.equivalence.partition import partition_of
from dtinterp.equivalence.swaps.chosen_frames import most_visited
from dtinterp.equivalence.truth.screened_agreement import (
    ScreenedAgreementConfig,
    screened_agreement,
)
from dtinterp.equivalence.truth.world_partitions import world_partitions


@pytest.fixture(scope="module")
def found(model, trajectories, halves, items, graph):
    chosen = most_visited(trajectories, halves.held_out, 20)
    bench = CertifyInputs(model, model, trajectories, halves.held_out, items)
    partition = partition_of(torch.arange(20) // 2, "pairs")
    comparing = ScreenedAgreementConfig(n_draws=5, n_quotient_draws=1, target_return=0.9)
    rng = np.random.default_rng(0)
    return chosen, partition, screened_agreement(bench, graph, chosen, partition, config=comparing, generator=rng)


def test_the_classes_are_held_against_each_partition_of_the_world(found):
    _, partition, stands = found
    assert [each.world for each in stands.likenesses] == [
        "same image",
        "same optimal actions",
        "reward bisimulation",
    ]
    assert {each.agreement.n_classes for each in stands.likenesses} == {partition.n_classes}


def test_what_is_earned_is_what_the_model_earns_when_it_is_shown_representatives(found, model, trajectories, graph):
    chosen, partition, stands = found
    frames = trajectories.frames[chosen.frame_id]
    judge = judge_of(model, graph, frames, target_return=0.9)
    assert [stands.intact] == judge([torch.arange(20)])
    shown = [partition, *world_partitions(graph, frames)]
    assert [each.name for each in stands.quotients] == [each.name for each in shown]
    for each, quotient in zip(shown, stands.quotients, strict=True):
        assert [quotient.earned] == judge([most_visited_members(each)])
    assert stands.quotients[1].n_exchanged == 0
