from dataclasses import replace

import pytest
import torch

from dtinterp.equivalence.classes.scrutiny import CertifyInputs, Effort, at_once, put_to_the_test
from dtinterp.equivalence.partition import classes
from dtinterp.equivalence.swaps.interchange import summed
from dtinterp.equivalence.swaps.trials import try_swaps
from dtinterp.foundation.seeding import generator
from dtinterp.model.network.transformer import DecisionTransformer


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
    effort = replace(
        Effort(epsilon, n_rounds=2, n_fresh=2, n_verified=3, seed=0, layer=0, is_exhaustive=False), **changed
    )
    formed = classes(relation, epsilon)
    return formed, put_to_the_test(bench, formed, relation, tried=trials.contexts, effort=effort)


def test_classes_are_refined_and_each_shared_one_has_a_bound(bench, trials):
    formed, tested = _tested(bench, trials, 0.2)
    assert formed.n_classes < len(trials.frame_id)
    assert tested.partition.n_classes >= formed.n_classes
    shared = (tested.partition.sizes > 1).nonzero().squeeze(1).tolist()
    assert [bound.label for bound in tested.bounds] == shared
    sizes = tested.partition.sizes
    assert all(bound.n_contexts == 3 * sizes[bound.label] for bound in tested.bounds)


def test_both_models_are_tried_with_the_same_stand_ins(bench, trials):
    _, tested = _tested(bench, trials, 0.2)
    names = ["class-mates", "norm-matched", "other classes"]
    assert [(arm.model, arm.stand_in) for arm in tested.arms] == [
        (model, name) for model in ("trained", "untrained") for name in names
    ]
    assert len({arm.n_contexts for arm in tested.arms}) == 1


def test_with_no_effort_there_is_nothing_but_the_formed_classes(bench, trials):
    formed, tested = _tested(bench, trials, 0.2, n_rounds=0, n_verified=0)
    assert torch.equal(tested.partition.label, formed.label)
    assert (tested.rounds, tested.bounds, tested.arms, tested.counterexamples) == ((), (), (), ())


def test_a_class_is_exact_where_every_context_was_tried(bench, trials):
    _, some = _tested(bench, trials, 0.2, n_rounds=0)
    assert not any(bound.is_exact for bound in some.bounds)
    few = bench.steps[:: len(bench.steps) // 40]
    scarce = CertifyInputs(bench.model, bench.untrained, bench.trajectories, few, bench.items)
    _, every = _tested(scarce, trials, 0.2, n_rounds=0, n_verified=200)
    assert every.bounds
    assert all(bound.is_exact for bound in every.bounds)


def test_the_decision_at_once_is_taken_in_both_directions(trials):
    found = at_once(trials)
    assert torch.equal(found, found.T)
    assert not found.diagonal().any()
    assert (found <= summed(trials).relation("toy").maximum).all()
