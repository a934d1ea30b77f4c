import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from dtinterp.equivalence.partition import Partition, partition_of
from dtinterp.equivalence.truth.agreement import Agreement, WorldComparison, adjusted, compare, rand_indices
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.seeding import generator, numpy_generator
from dtinterp.foundation.statistics import Interval


def _partition(n_frames: int, n_classes: int, name: str) -> Partition:
    return partition_of(torch.randint(n_classes, (n_frames,), generator=generator(0, name)), name)


def _shuffled(partition: Partition, seed: int) -> Partition:
    order = torch.randperm(len(partition.label), generator=generator(seed, "shuffle"))
    return partition_of(partition.label[order], "shuffled")


def _compare(partition: Partition, reference: Partition, n_draws: int = 20, seed: int = 0) -> Agreement:
    return compare(partition, reference, n_draws=n_draws, generator=numpy_generator(seed, "compare"))


def _slow_ari(ours: list[int], theirs: list[int]) -> float:
    """Hubert and Arabie's index from the pairs themselves."""
    together = [(ours[a] == ours[b], theirs[a] == theirs[b]) for a, b in itertools.combinations(range(len(ours)), 2)]
    both = sum(a and b for a, b in together)
    n_ours, n_theirs = (sum(pair[side] for pair in together) for side in (0, 1))
    expected = n_ours * n_theirs / len(together)
    return (both - expected) / ((n_ours + n_theirs) / 2 - expected)


def test_a_partition_agrees_fully_with_itself() -> None:
    found = _compare(_partition(60, 8, "truth"), _partition(60, 8, "truth"))
    assert (found.ari.estimate, found.ari.low, found.ari.high) == (1, 1, 1)
    assert found.ami == pytest.approx(1)
    assert found.p_value == 1 / 21


def test_the_index_is_what_counting_pairs_gives() -> None:
    ours, theirs = _partition(40, 5, "ours"), _partition(40, 7, "theirs")
    mixed = partition_of(torch.where(torch.arange(40) < 25, theirs.label, 10 + ours.label), "mixed")
    expected = _slow_ari(mixed.label.tolist(), theirs.label.tolist())
    assert _compare(mixed, theirs).ari.estimate == pytest.approx(expected)
    assert 0.1 < expected < 0.9


def test_a_shuffled_partition_agrees_as_chance_does() -> None:
    truth = _partition(96, 12, "truth")
    scores = [_compare(_shuffled(truth, seed), truth, n_draws=1) for seed in range(50)]
    assert abs(np.mean([score.ari.estimate for score in scores])) < 0.01
    assert abs(np.mean([score.ami for score in scores])) < 0.02


def test_the_control_has_mean_zero_and_its_range_holds_a_shuffled_partition() -> None:
    truth = _partition(96, 12, "truth")
    found = _compare(_shuffled(truth, 0), truth, n_draws=100)
    assert abs(found.random.estimate) < 0.01
    assert found.random.low <= found.ari.estimate <= found.random.high
    assert found.random.n == 100
    assert found.p_value > 0.05


def test_a_partition_that_partly_agrees_beats_chance() -> None:
    truth = _partition(96, 6, "truth")
    label = truth.label.clone()
    label[::2] = _partition(96, 6, "noise").label[::2]
    found = _compare(partition_of(label, "half right"), truth, n_draws=50)
    assert found.ari.low > found.random.high
    assert found.ari.low < found.ari.estimate < found.ari.high
    assert found.p_value == 1 / 51


def test_the_interval_widens_with_fewer_frames() -> None:
    def width(n_frames: int) -> float:
        truth = _partition(n_frames, 6, "truth")
        label = truth.label.clone()
        label[::2] = _partition(n_frames, 6, "noise").label[::2]
        ari = _compare(partition_of(label, "half right"), truth, n_draws=60).ari
        return ari.high - ari.low

    assert width(400) < 0.6 * width(60)


def test_the_numbers_of_classes_are_told() -> None:
    found = _compare(_partition(60, 4, "ours"), _partition(60, 9, "theirs"))
    assert (found.n_classes, found.n_reference_classes) == (4, 9)
    assert found.ari.n == 60


def test_the_same_generator_gives_the_same_controls() -> None:
    ours, theirs = _partition(60, 4, "ours"), _partition(60, 9, "theirs")
    assert _compare(ours, theirs) == _compare(ours, theirs)
    assert _compare(ours, theirs) != _compare(ours, theirs, seed=1)


def test_all_singletons_agree_with_nothing_but_themselves() -> None:
    alone = partition_of(torch.arange(60), "alone")
    assert _compare(_partition(60, 9, "theirs"), alone).ari.estimate == 0
    assert _compare(alone, replace(alone, name="same")).ari.estimate == 1


def test_partitions_of_different_frames_are_refused() -> None:
    with pytest.raises(UserError, match=r"'ours' has 60 frames and 'theirs' has 59: compare partitions of the same"):
        _compare(_partition(60, 4, "ours"), _partition(59, 4, "theirs"))


def test_many_indices_at_once_are_those_one_by_one() -> None:
    random = np.random.default_rng(0)
    ours, theirs = random.integers(0, 6, (30, 40)), random.integers(0, 9, (30, 40))
    expected = [adjusted_rand_score(b, a) for a, b in zip(ours, theirs, strict=True)]
    assert rand_indices(ours, theirs) == pytest.approx(expected)
    assert rand_indices(ours, theirs[:1]) == pytest.approx([adjusted_rand_score(theirs[0], a) for a in ours])
    assert rand_indices(np.zeros((2, 5), dtype=np.int64), np.zeros((1, 5), dtype=np.int64)).tolist() == [1, 1]


def test_p_values_are_adjusted_for_how_many_partitions_of_the_world_were_looked_at() -> None:
    same = _partition(12, 3, "same")
    one = _compare(same, same)
    rows = [WorldComparison(str(p), replace(one, p_value=p), one, one) for p in (0.04, 0.01, 0.5)]
    found = adjusted(rows)
    assert [each.p_holm for each in found] == pytest.approx([0.08, 0.03, 0.5])
    assert [each.trained.p_value for each in found] == [0.04, 0.01, 0.5]


def _agreement(low: float, estimate: float, high: float, *, random: float = 0.05) -> Agreement:
    chance = Interval(0.0, -random, random, 200)
    return Agreement(
        n_classes=4,
        n_reference_classes=5,
        ari=Interval(estimate, low, high, 40),
        ami=estimate,
        random=chance,
        p_value=0.01,
    )


STRONG = _agreement(0.6, 0.7, 0.8)
WEAK = _agreement(0.0, 0.1, 0.2)


@pytest.mark.parametrize(
    ("trained", "untrained", "at_epsilon", "expected"),
    [
        (STRONG, WEAK, WEAK, True),
        (_agreement(0.15, 0.7, 0.8), WEAK, WEAK, False),
        (STRONG, WEAK, _agreement(0.5, 0.6, 0.65), False),
        (_agreement(0.04, 0.1, 0.2), _agreement(0.0, 0.0, 0.0), _agreement(0.0, 0.0, 0.0), False),
    ],
    ids=["above all", "overlaps the untrained", "overlaps the untrained at epsilon", "overlaps chance"],
)
def test_a_claim_holds_only_above_every_control(
    trained: Agreement, untrained: Agreement, at_epsilon: Agreement, expected: bool
) -> None:
    assert WorldComparison("optimal", trained, untrained, at_epsilon).holds is expected
