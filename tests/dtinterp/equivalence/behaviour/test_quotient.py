"""Representatives and curves, with a judge that counts instead of a model that acts; and the judge that plays."""

import itertools
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from dtinterp.equivalence.behaviour.quotient import (
    Quotient,
    QuotientEvaluation,
    coarser_and_coarser,
    halvings,
    judge_of,
    most_visited_members,
)
from dtinterp.equivalence.partition import Partition, classes_of_count, partition_of, representatives
from dtinterp.equivalence.relation import Relation
from dtinterp.equivalence.report import EQUIVALENCE
from dtinterp.foundation.artefacts.codec import load
from dtinterp.foundation.statistics import Interval
from environments.graph.evaluation import Expectation, evaluate_frames

N_FRAMES = 8


def relation_of(points):
    """Frames on a line; their distance is their divergence."""
    place = torch.tensor(points)
    distance = (place - place[:, None]).abs()
    counts = torch.ones(len(points), len(points), dtype=torch.int64)
    return Relation(distance / 2, distance, counts, torch.arange(len(points)), "line")


@pytest.fixture
def relation():
    return relation_of([0.0, 0.01, 0.02, 0.3, 0.31, 0.5, 0.9, 0.95])


def paid(chosen):
    """In full while every frame is shown as one less than 0.1 away, which is what matters in this world."""
    points = torch.tensor([0.0, 0.01, 0.02, 0.3, 0.31, 0.5, 0.9, 0.95])
    good = float(((points[chosen] - points).abs() < 0.1).double().mean())
    return Expectation(expected_return=good, success=good / 2, failure=1 - good / 2, steps=5.0)


def judge(shown):
    return [paid(chosen) for chosen in shown]


def trial(relation, n_draws=20):
    return QuotientEvaluation(partial(representatives, relation=relation), judge, n_draws, np.random.default_rng(0))


def test_a_class_is_represented_by_its_middle(relation):
    partition = Partition(torch.tensor([0, 0, 0, 1, 1, 1, 2, 2]), "by eye")
    assert representatives(partition, relation).tolist() == [1, 1, 1, 4, 4, 4, 6, 6]


def test_a_class_is_represented_by_its_most_visited_member():
    partition = partition_of(torch.tensor([0, 1, 1, 0, 2, 1]), "by eye")
    assert most_visited_members(partition).tolist() == [0, 1, 1, 0, 4, 1]


def test_a_representative_is_of_the_class_and_represents_itself(relation):
    rng = np.random.default_rng(1)
    for _ in range(20):
        partition = partition_of(torch.from_numpy(rng.integers(0, 4, N_FRAMES)), "random")
        chosen = representatives(partition, relation)
        assert torch.equal(partition.label[chosen], partition.label)
        assert torch.equal(chosen[chosen], chosen)


def test_nothing_is_exchanged_where_every_frame_is_a_class_of_its_own(relation):
    alone = trial(relation).quotients([Partition(torch.arange(N_FRAMES), "alone")])[0]
    assert alone.n_exchanged == 0
    assert alone.earned == paid(torch.arange(N_FRAMES))
    assert alone.random_return.low == alone.random_return.high == 1.0


def test_classes_of_what_is_alike_lose_nothing_and_random_ones_do(relation):
    kept = trial(relation).quotients([Partition(torch.tensor([0, 0, 0, 1, 1, 2, 3, 3]), "alike")])[0]
    assert kept.earned.expected_return == 1.0
    assert kept.n_classes == 4
    assert kept.n_exchanged == 4
    assert kept.random_return.high < 1.0
    assert kept.random_return.n == kept.random_success.n == 20
    assert kept.random_success.estimate == pytest.approx(kept.random_return.estimate / 2)


def test_the_curve_falls_when_classes_join_what_matters(relation):
    partition = Partition(torch.tensor([0, 0, 0, 1, 1, 2, 3, 3]), "alike")
    found = trial(relation).behaviour(
        partition, [partition], relation=relation, untrained=relation_of([0.0, 0.9, 0.02, 0.3, 0.31, 0.01, 0.5, 0.95])
    )
    earned = {each.n_classes: each.earned.expected_return for each in found.coarsening}
    assert earned[8] == earned[4] == 1.0
    assert earned[1] < earned[4]
    assert found.fewest.n_classes == 4
    assert found.intact.expected_return == 1.0
    assert found.untrained_classes.earned.expected_return < 1.0
    assert found.untrained_classes.n_classes == found.classes.n_classes


def test_each_arm_is_judged_by_its_own_classes_and_all_by_the_models_own_representatives(relation):
    """The untrained relation says what is in a class, never who stands for it."""
    partition = Partition(torch.tensor([0, 0, 0, 1, 1, 2, 3, 3]), "alike")
    world = Partition(torch.tensor([0, 1, 1, 0, 2, 2, 3, 3]), "a world")
    untrained = relation_of([0.0, 0.9, 0.02, 0.3, 0.31, 0.01, 0.5, 0.95])
    found = trial(relation).behaviour(partition, [partition, world], relation=relation, untrained=untrained)
    shown = {"classes": partition, "untrained_classes": classes_of_count(untrained, 4)}
    for arm, classes in shown.items():
        assert getattr(found, arm).earned == paid(representatives(classes, relation))
    assert [each.name for each in found.worlds] == ["alike", "a world"]
    assert found.worlds[1].earned == paid(representatives(world, relation))
    assert found.named == (found.classes, found.untrained_classes, *found.worlds)
    for cuts, source in ((found.coarsening, relation), (found.untrained_coarsening, untrained)):
        assert [each.n_classes for each in cuts] == [8, 6, 4, 3, 2, 1]
        for each in cuts:
            assert each.earned == paid(representatives(classes_of_count(source, each.n_classes), relation))


def test_the_fewest_classes_are_those_before_the_first_loss_even_where_a_later_cut_loses_nothing(relation):
    found = trial(relation, n_draws=1).behaviour(
        Partition(torch.arange(N_FRAMES), "alone"), [], relation=relation, untrained=relation
    )
    full = found.coarsening[0].earned

    def cut(n_classes, lost):
        earned = replace(full, expected_return=full.expected_return - lost)
        return replace(found.coarsening[0], n_classes=n_classes, earned=earned)

    cuts = (cut(8, 0.0), cut(6, 1e-12), cut(4, 1e-6), cut(2, 0.0))  # rounding, then a loss
    assert replace(found, coarsening=cuts).fewest.n_classes == 6


def test_cuts_go_from_fine_to_coarse_and_each_refines_the_next(relation):
    cuts = coarser_and_coarser(relation, halvings(N_FRAMES))
    counts = [cut.n_classes for cut in cuts]
    assert counts == sorted(set(counts), reverse=True)
    for finer, coarser in itertools.pairwise(cuts):
        pairs = set(zip(finer.label.tolist(), coarser.label.tolist(), strict=True))
        assert len(pairs) == finer.n_classes


@pytest.mark.parametrize("n_frames", [2, 3, 96, 1154])
def test_halvings_reach_from_all_to_one(n_frames):
    counts = halvings(n_frames)
    assert counts[0] == n_frames
    assert counts[-1] == 1
    assert all(finer > coarser for finer, coarser in itertools.pairwise(counts))


def numbers(expected):
    return (expected.expected_return, expected.success, expected.failure, expected.steps)


def test_a_representative_that_changes_the_action_changes_the_return(left_at_the_fork, forks, graph):
    """Planted: left at the fork wins half the time; a fork that looks like a start is walked past until time is up."""
    frames = torch.tensor(graph.frames)
    judge = judge_of(left_at_the_fork, graph, frames, target_return=0.9)
    same = torch.arange(len(frames))
    blind = same.index_fill(0, forks, int(graph.frame_id[graph.start][0]))
    intact, blinded = judge([same, blind])
    assert numbers(intact) == pytest.approx((0.892 / 2, 0.5, 0.5, 6))
    assert numbers(blinded) == pytest.approx((0, 0, 0, graph.max_steps))


def test_frames_are_substituted_by_their_own_numbers_and_others_are_shown_as_they_are(left_at_the_fork, forks, graph):
    """A start and the two forks, in an order that is not the graph's: only among them is anything exchanged."""
    start = int(graph.frame_id[graph.start][0])
    table = torch.tensor(graph.frames)[torch.cat([torch.tensor([start]), forks.flip(0)])]
    judge = judge_of(left_at_the_fork, graph, table, target_return=0.9)
    itself = torch.arange(len(table))
    last_two_alike = itself.index_fill(0, torch.tensor([len(table) - 1]), len(table) - 2)
    intact, all_alike, last_alike = judge([itself, torch.zeros_like(itself), last_two_alike])
    assert intact.success == pytest.approx(0.5)
    assert all_alike.success == 0
    assert numbers(last_alike) == pytest.approx((0.892 / 2, 0.5, 0.5, 6))


def test_the_quotient_of_a_reflex_is_the_reflex_to_representatives(left_at_the_fork, forks, graph):
    """What is played with frames exchanged, against a sum over states in which actions were exchanged instead."""
    rng = torch.Generator().manual_seed(0)
    n_frames = len(graph.frames)
    action = torch.full((n_frames,), 2).index_fill(0, forks, 0)
    order = torch.randperm(n_frames, generator=rng)
    judge = judge_of(left_at_the_fork, graph, torch.tensor(graph.frames)[order], target_return=0.9)
    fork_places = torch.isin(order, forks).nonzero()[:, 0]
    outcomes = set()
    for _ in range(12):
        chosen = torch.arange(n_frames)
        for fork in fork_places:
            stand_ins = torch.cat([fork_places, torch.randint(0, n_frames, (2,), generator=rng)])
            chosen[fork] = stand_ins[torch.randint(0, 4, (1,), generator=rng)]
        answer = action.clone()
        answer[order] = action[order[chosen]]
        by_hand = evaluate_frames(graph, np.eye(7)[answer.numpy()])
        assert numbers(judge([chosen])[0]) == pytest.approx(numbers(by_hand))
        outcomes.add(round(by_hand.expected_return, 6))
    assert outcomes == {0, 0.223, 0.446}  # both forks hidden, one, none


@pytest.mark.parametrize(
    ("classes", "untrained", "random", "expected"),
    [
        (0.892, 0.4, 0.3, True),
        (0.86, 0.4, 0.3, True),
        (0.8, 0.4, 0.3, False),
        (0.892, 0.892, 0.3, False),
        (0.892, 0.4, 0.892, False),
    ],
    ids=["all of it", "nearly all", "too little", "untrained classes do as well", "random classes do as well"],
)
def test_behaviour_is_kept_only_if_nearly_all_is_earned_and_no_control_earns_as_much(
    small_study: Path, classes: float, untrained: float, random: float, expected: bool
) -> None:
    behaviour = load(small_study / "equivalence" / "novice", EQUIVALENCE).behaviour

    def earning(quotient: Quotient, earned: float) -> Quotient:
        return replace(
            quotient,
            earned=replace(quotient.earned, expected_return=earned),
            random_return=Interval(random, 0.0, random, 10),
        )

    planted = replace(
        behaviour,
        intact=replace(behaviour.intact, expected_return=0.892),
        classes=earning(behaviour.classes, classes),
        untrained_classes=earning(behaviour.untrained_classes, untrained),
    )
    assert planted.is_kept is expected
