from dataclasses import replace

import pytest
import torch

from dtinterp.equivalence.classes.verification import CertifyInputs, Verifier, VerifyConfig, verify
from dtinterp.equivalence.partition import classes, partition_of
from dtinterp.equivalence.swaps.interchange import summed
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
def trials(model, contexts, items):
    return try_swaps(model, contexts, items=items, frame_id=contexts.frame_id.unique())


def _tested(bench, trials, epsilon, **changed):
    relation = summed(trials).relation("toy")
    config = replace(VerifyConfig(epsilon, 0, n_rounds=2, n_fresh=2, n_verified=3), **changed)
    formed = classes(relation, epsilon)
    verifier = Verifier.of(bench, formed, relation, tried=trials.contexts, config=config)
    refined = verifier.refined(formed)
    return formed, refined, verifier.verified(refined.partition, refined)


def test_classes_are_refined_and_each_shared_one_has_a_bound(bench, trials):
    formed, refined, tested = _tested(bench, trials, 0.2)
    assert formed.n_classes < len(trials.frame_id)
    assert refined.partition.n_classes >= formed.n_classes
    shared = (refined.partition.sizes > 1).nonzero().squeeze(1).tolist()
    assert [bound.label for bound in tested.bounds] == shared
    sizes = refined.partition.sizes
    assert all(bound.n_contexts == 3 * sizes[bound.label] for bound in tested.bounds)


def test_both_models_are_tried_with_the_same_stand_ins(bench, trials):
    *_, tested = _tested(bench, trials, 0.2)
    names = ["class-mates", "norm-matched", "other classes"]
    assert [(arm.model, arm.stand_in) for arm in tested.arms] == [
        (model, name) for model in ("trained", "untrained") for name in names
    ]
    assert len({arm.n_contexts for arm in tested.arms}) == 1


def test_untried_there_is_nothing_but_the_formed_classes(bench, trials):
    formed, refined, tested = _tested(bench, trials, 0.2, n_rounds=0, n_verified=0)
    assert torch.equal(refined.partition.label, formed.label)
    assert (refined.rounds, tested.bounds, tested.arms, refined.counterexamples) == ((), (), (), ())


def test_a_class_is_exact_where_every_context_was_tried(bench, trials):
    *_, some = _tested(bench, trials, 0.2, n_rounds=0)
    assert not any(bound.is_exact for bound in some.bounds)
    few = bench.steps[:: len(bench.steps) // 40]
    scarce = CertifyInputs(bench.model, bench.untrained, bench.trajectories, few, bench.items)
    *_, every = _tested(scarce, trials, 0.2, n_rounds=0, n_verified=200)
    assert every.bounds
    assert all(bound.is_exact for bound in every.bounds)


@pytest.fixture(scope="module")
def frame_id(contexts):
    return contexts.frame_id.unique()


@pytest.fixture(scope="module")
def partition(frame_id):
    return partition_of(torch.arange(len(frame_id)) // 4, "fours")


def _verified(bench, contexts, frame_id, partition, n_mates):
    return verify(bench, partition, contexts, frame_id=frame_id, config=VerifyConfig(EPSILON, 0, n_mates=n_mates))


def test_a_class_fails_where_swapping_all_of_it_does(bench, contexts, frame_id, partition):
    found = _verified(bench, contexts, frame_id, partition, n_mates=99)
    every = try_swaps(bench.model, contexts, items=bench.items, frame_id=frame_id)
    own = (contexts.frame_id[:, None] == frame_id).int().argmax(1)
    is_mate = (partition.label[own][:, None] == partition.label) & (own[:, None] != torch.arange(len(frame_id)))
    fails = (is_mate & (every.peak > EPSILON)).any(1)
    for bound in found.bounds:
        inside = partition.label[own] == bound.label
        assert (bound.n_failures, bound.n_contexts) == (int(fails[inside].sum()), int(inside.sum()))
        assert not bound.is_exact


def test_of_a_large_class_some_mates_are_drawn_and_as_many_of_each_control(bench, contexts, frame_id, partition):
    found = _verified(bench, contexts, frame_id, partition, n_mates=2)
    assert [(arm.model, arm.stand_in) for arm in found.arms] == [
        (model, stand_in)
        for model in ("trained", "untrained")
        for stand_in in ("class-mates", "norm-matched", "other classes")
    ]
    assert {arm.n_swaps for arm in found.arms} == {2 * len(contexts)}


def test_where_frames_stand_in_the_table_does_not_matter(bench, contexts, frame_id, partition):
    found = _verified(bench, contexts, frame_id.flip(0), partition_of(partition.label.flip(0), "fours"), n_mates=99)
    straight = _verified(bench, contexts, frame_id, partition, n_mates=99)
    assert [b.n_failures for b in found.bounds] == [b.n_failures for b in straight.bounds][::-1]
