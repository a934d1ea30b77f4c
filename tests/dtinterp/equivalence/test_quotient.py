"""Representatives and curves, with a judge that counts instead of a model that acts."""

import itertools

import numpy as np
import pytest
import torch

from dtinterp.equivalence.classes import Partition, partition_of
from dtinterp.equivalence.quotient import Trial, coarser_and_coarser, halvings, representatives
from dtinterp.equivalence.relation import Relation
from environments.graph.evaluation import Expectation

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


def judge(chosen):
    """Pays in full while every frame is shown as one less than 0.1 away, which is what matters in this world."""
    points = torch.tensor([0.0, 0.01, 0.02, 0.3, 0.31, 0.5, 0.9, 0.95])
    good = float(((points[chosen] - points).abs() < 0.1).double().mean())
    return Expectation(expected_return=good, success=good, failure=1 - good, steps=5.0)


def trial(relation, n_draws=20):
    return Trial(relation, judge, n_draws, np.random.default_rng(0))


def test_a_class_is_represented_by_its_middle(relation):
    partition = Partition(torch.tensor([0, 0, 0, 1, 1, 1, 2, 2]), "by eye")
    assert representatives(partition, relation).tolist() == [1, 1, 1, 4, 4, 4, 6, 6]


def test_a_representative_is_of_the_class_and_represents_itself(relation):
    rng = np.random.default_rng(1)
    for _ in range(20):
        partition = partition_of(torch.from_numpy(rng.integers(0, 4, N_FRAMES)), "random")
        chosen = representatives(partition, relation)
        assert torch.equal(partition.label[chosen], partition.label)
        assert torch.equal(chosen[chosen], chosen)


def test_nothing_is_exchanged_where_every_frame_is_a_class_of_its_own(relation):
    alone = trial(relation).quotient(Partition(torch.arange(N_FRAMES), "alone"))
    assert alone.n_exchanged == 0
    assert alone.earned == judge(torch.arange(N_FRAMES))
    assert alone.random_return.low == alone.random_return.high == 1.0


def test_classes_of_what_is_alike_lose_nothing_and_random_ones_do(relation):
    kept = trial(relation).quotient(Partition(torch.tensor([0, 0, 0, 1, 1, 2, 3, 3]), "alike"))
    assert kept.earned.expected_return == 1.0
    assert kept.n_classes == 4
    assert kept.n_exchanged == 4
    assert kept.random_return.high < 1.0
    assert kept.random_return.n == 20


def test_the_curve_falls_when_classes_join_what_matters(relation):
    partition = Partition(torch.tensor([0, 0, 0, 1, 1, 2, 3, 3]), "alike")
    found = trial(relation).behaviour(partition, [partition], relation_of([0.0, 0.9, 0.02, 0.3, 0.31, 0.01, 0.5, 0.95]))
    earned = {each.n_classes: each.earned.expected_return for each in found.coarsening}
    assert earned[8] == earned[4] == 1.0
    assert earned[1] < earned[4]
    assert found.fewest.n_classes == 4
    assert found.intact.expected_return == 1.0
    assert found.untrained_classes.earned.expected_return < 1.0
    assert found.untrained_classes.n_classes == found.classes.n_classes


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
