import pytest
import torch

from dtinterp.equivalence.classes.screen_verification import Rigour, assay
from dtinterp.equivalence.classes.scrutiny import CertifyInputs
from dtinterp.equivalence.partition import partition_of
from dtinterp.equivalence.swaps.trials import try_swaps
from dtinterp.foundation.seeding import generator
from dtinterp.model.network.transformer import DecisionTransformer

EPSILON = 0.1


@pytest.fixture(scope="module")
def bench(model, trajectories, halves, items):
    return CertifyInputs(
        model, DecisionTransformer(model.cfg, generator(1, "untrained")), trajectories, halves.held_out, items
    )


@pytest.fixture(scope="module")
def frame_id(contexts):
    return contexts.frame_id.unique()


@pytest.fixture(scope="module")
def partition(frame_id):
    return partition_of(torch.arange(len(frame_id)) // 4, "fours")


def _assay(bench, contexts, frame_id, partition, n_mates):
    return assay(bench, partition, contexts, frame_id=frame_id, rigour=Rigour(EPSILON, n_mates, seed=0))


def test_a_class_fails_where_swapping_all_of_it_does(bench, contexts, frame_id, partition):
    found = _assay(bench, contexts, frame_id, partition, n_mates=99)
    every = try_swaps(bench.model, contexts, items=bench.items, frame_id=frame_id)
    own = (contexts.frame_id[:, None] == frame_id).int().argmax(1)
    is_mate = (partition.label[own][:, None] == partition.label) & (own[:, None] != torch.arange(len(frame_id)))
    fails = (is_mate & (every.peak > EPSILON)).any(1)
    for bound in found.bounds:
        inside = partition.label[own] == bound.label
        assert (bound.n_failures, bound.n_contexts) == (int(fails[inside].sum()), int(inside.sum()))
        assert not bound.is_exact


def test_of_a_large_class_some_mates_are_drawn_and_as_many_of_each_control(bench, contexts, frame_id, partition):
    found = _assay(bench, contexts, frame_id, partition, n_mates=2)
    assert [(arm.model, arm.stand_in) for arm in found.arms] == [
        (model, stand_in)
        for model in ("trained", "untrained")
        for stand_in in ("class-mates", "norm-matched", "other classes")
    ]
    assert {arm.n_swaps for arm in found.arms} == {2 * len(contexts)}


def test_where_frames_stand_in_the_table_does_not_matter(bench, contexts, frame_id, partition):
    found = _assay(bench, contexts, frame_id.flip(0), partition_of(partition.label.flip(0), "fours"), n_mates=99)
    straight = _assay(bench, contexts, frame_id, partition, n_mates=99)
    assert [b.n_failures for b in found.bounds] == [b.n_failures for b in straight.bounds][::-1]
