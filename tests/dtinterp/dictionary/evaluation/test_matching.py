from itertools import permutations
from typing import Protocol

import pytest
import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.evaluation.matching import consistency, identifiable, matched_cosine, recovery, without_gauge
from dtinterp.dictionary.fit import fit_stack
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.foundation.errors import UserError


class Planted(Protocol):
    """What the fixture of that name offers."""

    directions: Float32[Tensor, "feature d_model"]
    rows: Float32[Tensor, "row d_model"]
    shuffled: Float32[Tensor, "row d_model"]


def _directions(n: int, d_model: int = 8, seed: int = 0) -> Tensor:
    return torch.randn(n, d_model, generator=torch.Generator().manual_seed(seed))


def test_the_matching_is_the_best_of_all_permutations() -> None:
    one, other = _directions(4), _directions(5, seed=1)
    cosine = torch.nn.functional.normalize(one, dim=1) @ torch.nn.functional.normalize(other, dim=1).T
    best = max(sum(float(cosine[row, to]) for row, to in enumerate(order)) for order in permutations(range(5), 4))
    assert matched_cosine(one, other).sum() == pytest.approx(best, rel=1e-5)


def test_the_truth_itself_is_recovered_in_any_order_and_length() -> None:
    truth = _directions(6)
    found = recovery(3 * truth.flip(0), truth)
    assert found.matched.estimate == pytest.approx(1)
    assert (found.recall, found.precision, found.uniqueness, found.f1) == (1, 1, 1, 1)


def test_the_opposite_of_a_truth_is_no_recovery() -> None:
    found = recovery(-_directions(1), _directions(1))
    assert found.matched.estimate == pytest.approx(-1)
    assert (found.recall, found.f1) == (0, 0)


def test_two_features_of_one_truth_are_not_unique() -> None:
    truth = torch.eye(8)[:3]
    found = recovery(torch.eye(8)[[0, 0, 5]], truth)
    assert found.matched.estimate == pytest.approx(1 / 3)
    assert found.recall == pytest.approx(1 / 3)
    assert found.precision == pytest.approx(2 / 3)
    assert found.uniqueness == 0.5
    assert found.f1 == pytest.approx(4 / 9)


def test_a_truth_without_partner_counts_nothing() -> None:
    assert recovery(torch.eye(8)[:1], torch.eye(8)[:4]).matched.estimate == pytest.approx(0.25)


def test_planted_directions_are_recovered_and_shuffled_rows_give_chance(planted: Planted) -> None:
    configs = [FitConfig(TopK(3), 64, 800, 256, learning_rate=1e-2, member=member) for member in range(2)]
    learned, lost = (
        [member.W_dec for member in fit_stack(rows, configs, generator=torch.Generator().manual_seed(1))]
        for rows in (planted.rows, planted.shuffled)
    )
    found, nothing = recovery(learned[0], planted.directions), recovery(lost[0], planted.directions)
    assert found.matched.estimate > 0.99
    assert found.recall == 1
    assert abs(nothing.matched.estimate - nothing.chance.estimate) < 0.1
    assert nothing.recall < 0.1
    assert consistency(learned).matched.estimate > 0.8  # the 16 features to spare are free to differ
    assert consistency(lost).matched.estimate < 0.7


def test_equal_dictionaries_are_consistent_and_random_ones_are_at_chance() -> None:
    directions = _directions(30, seed=7)
    same = consistency([directions, directions.flip(0), directions])
    assert same.matched.estimate == pytest.approx(1)
    assert same.matched.n == 90
    assert same.n_dictionaries == 3
    foreign = consistency([directions, _directions(30, seed=8)])
    assert foreign.matched.estimate == pytest.approx(foreign.chance.estimate, abs=0.06)


def test_one_dictionary_has_no_consistency() -> None:
    with pytest.raises(UserError, match="There are 1 dictionaries, expected at least 2: fit more seeds"):
        consistency([_directions(3)])


BLOCK = torch.tensor([0, 0, 0, 1, 1])
RATE = torch.tensor([0.5, 0.3, 0.2, 1.0, 0.0])


def test_a_vector_added_to_a_block_changes_nothing() -> None:
    truth, offset = _directions(5), 10 * _directions(2, seed=1)
    before = without_gauge(truth, block=BLOCK, rate=RATE)
    torch.testing.assert_close(without_gauge(truth + offset[BLOCK], block=BLOCK, rate=RATE), before, rtol=0, atol=1e-5)


def test_what_is_left_of_a_block_averages_to_nothing() -> None:
    free = without_gauge(_directions(5), block=BLOCK, rate=RATE)
    for block in (0, 1):
        inside = block == BLOCK
        torch.testing.assert_close(RATE[inside] @ free[inside], torch.zeros(8), rtol=0, atol=1e-6)


def test_differences_within_a_block_are_kept() -> None:
    truth = _directions(5)
    free = without_gauge(truth, block=BLOCK, rate=RATE)
    torch.testing.assert_close(free[0] - free[2], truth[0] - truth[2])


def test_what_is_always_or_never_there_cannot_be_found() -> None:
    free = without_gauge(_directions(5), block=BLOCK, rate=RATE)
    assert identifiable(free, rate=RATE).tolist() == [True, True, True, False, False]


def test_only_without_the_gauge_is_a_one_hot_world_recovered() -> None:
    """Eight cells of five items each: features that tell items apart are right, whatever a cell adds to all of its."""
    block = torch.arange(8).repeat_interleave(5)
    rate = torch.full((40,), 0.2)
    items = _directions(40, d_model=64) + 5 * _directions(8, d_model=64, seed=1)[block]
    learned = without_gauge(items, block=block, rate=rate)
    assert recovery(learned, items).matched.estimate < 0.5
    assert recovery(learned, without_gauge(items, block=block, rate=rate)).matched.estimate == pytest.approx(1)
