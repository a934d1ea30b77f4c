import numpy as np
import pytest
import torch

from dtinterp.equivalence.classes.failure_bounds import MATES, arms, bounds
from dtinterp.equivalence.partition import partition_of
from dtinterp.equivalence.swaps.within_class import Attempts
from dtinterp.foundation.statistics import Interval, clopper_pearson

PARTITION = partition_of(torch.tensor([0, 0, 1, 2, 2, 2]), "toy")


def _attempts(rows):
    """Rows of (context, place, stand-in, peak)."""
    context, place, stand_in, peak = zip(*rows, strict=True)
    return Attempts(
        context=torch.tensor(context),
        place=torch.tensor(place),
        stand_in=torch.tensor(stand_in),
        peak=torch.tensor(peak),
        decision=torch.tensor(place),
    )


def test_a_context_fails_if_any_class_mate_moves_a_decision_by_more_than_epsilon():
    rows = [(0, 0, 1, 0.01), (1, 1, 0, 0.2), (2, 3, 4, 0.01), (2, 3, 5, 0.3), (3, 4, 3, 0.3), (3, 4, 5, 0.4)]
    first, second = bounds(_attempts(rows), PARTITION, epsilon=0.05, exact={2: 10})
    assert (first.label, first.n_contexts, first.n_swaps, first.n_failures) == (0, 2, 2, 1)
    assert (second.label, second.n_contexts, second.n_swaps, second.n_failures) == (2, 2, 4, 2)
    assert first.share == clopper_pearson(1, 2)
    assert second.maximum == pytest.approx(0.4)
    assert (first.is_exact, second.is_exact) == (False, True)
    assert second.share == Interval(0.2, 0.2, 0.2, 10)


def test_a_class_without_contexts_has_no_share():
    first, second = bounds(_attempts([(0, 0, 1, 0.01)]), PARTITION, epsilon=0.05, exact={})
    assert first.share is not None
    assert (second.n_contexts, second.share, second.maximum) == (0, None, 0.0)


def test_the_bound_covers_a_planted_share_as_often_as_it_says():
    rng = np.random.default_rng(0)
    planted, covered = 0.1, 0
    for _ in range(200):
        peaks = np.where(rng.random(40) < planted, 0.5, 0.0)
        rows = [(index, 0, 1, float(peak)) for index, peak in enumerate(peaks)]
        share = bounds(_attempts(rows), PARTITION, epsilon=0.05, exact={})[0].share
        assert share is not None
        covered += share.low <= planted <= share.high
    assert covered >= 186


def test_a_control_that_moves_more_is_told_from_one_that_does_not():
    n = 40
    peaks = np.random.default_rng(1).random(n) * 0.04
    mates = _attempts([(index, 0, 1, float(peak)) for index, peak in enumerate(peaks)])
    alike = _attempts([(index, 0, 1, float(peak)) for index, peak in enumerate(peaks[::-1])])
    more = _attempts([(index, 0, 2, float(peak) + 0.1) for index, peak in enumerate(peaks)])
    ours, same, other = arms({MATES: mates, "alike": alike, "more": more}, model="trained", n_contexts=n, epsilon=0.05)
    assert ours.share.estimate == same.share.estimate == 0
    assert other.share.estimate == 1
    assert (ours.p_value, other.p_value < 1e-9, same.p_value > 0.05) == (1.0, True, True)
    assert other.mean_peak == pytest.approx(ours.mean_peak + 0.1, abs=1e-6)


def test_an_arm_without_stand_ins_is_left_out():
    mates = _attempts([(0, 0, 1, 0.01)])
    empty = torch.zeros(0, dtype=torch.int64)
    nothing = Attempts(empty, empty, empty, empty.float(), empty)
    assert [arm.stand_in for arm in arms({MATES: mates, "none": nothing}, model="m", n_contexts=1, epsilon=0.1)] == [
        MATES
    ]
