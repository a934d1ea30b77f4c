import numpy as np
import pytest
import torch
from sklearn.metrics import mutual_info_score

from dtinterp.equivalence.partition import partition_of
from dtinterp.equivalence.truth.variation import variation
from dtinterp.foundation.seeding import generator


def _random(n_classes, name):
    return partition_of(torch.randint(n_classes, (80,), generator=generator(0, name)), name)


def _entropy(partition):
    share = partition.sizes.double() / len(partition.label)
    return float(-(share * share.log2()).sum())


def test_a_partition_does_not_differ_from_itself():
    same = variation(_random(7, "a"), _random(7, "a"))
    assert (same.lost, same.excess, same.distance) == pytest.approx((0, 0, 0), abs=1e-12)
    assert (same.refines, same.is_refined) == (1, 1)


def test_it_is_entropy_less_mutual_information():
    ours, theirs = _random(5, "ours"), _random(9, "theirs")
    shared = mutual_info_score(ours.label, theirs.label) / np.log(2)
    found = variation(ours, theirs)
    assert found.lost == pytest.approx(_entropy(theirs) - shared)
    assert found.excess == pytest.approx(_entropy(ours) - shared)


def test_a_refinement_loses_nothing_and_exceeds():
    coarse = _random(4, "coarse")
    fine = partition_of(coarse.label * 3 + torch.arange(80) % 3, "fine")
    finer, coarser = variation(fine, coarse), variation(coarse, fine)
    assert (finer.lost, finer.refines) == pytest.approx((0, 1), abs=1e-12)
    assert finer.excess > 1
    assert (coarser.excess, coarser.is_refined) == pytest.approx((0, 1), abs=1e-12)
    assert finer.distance == pytest.approx(coarser.distance)
    assert finer.is_refined == coarser.refines < 0.5


def test_partitions_that_join_nothing_refine_everything():
    alone = partition_of(torch.arange(80), "alone")
    assert variation(alone, _random(4, "coarse")).refines == 1


def test_partitions_of_different_frames_are_refused():
    with pytest.raises(ValueError, match="80 labels against 3"):
        variation(_random(4, "a"), partition_of(torch.arange(3), "b"))
