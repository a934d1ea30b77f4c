"""Two certificates of six observations, planted so that every answer is known."""

from dataclasses import replace
from math import log2
from pathlib import Path
from typing import Any

import pytest
import torch

from dtinterp.equivalence.comparisons.partition_comparison import (
    PARTITION_COMPARISON,
    PartitionComparisonConfig,
    TornPair,
    compare_partitions,
    judge_pairs,
    on_shared_frames,
)
from dtinterp.equivalence.partition import partition_of
from dtinterp.equivalence.report import EQUIVALENCE, EquivalenceReport
from dtinterp.foundation.artefacts.codec import load, save
from dtinterp.foundation.errors import UserError

CONFIG = PartitionComparisonConfig(n_draws=10)


SHIPPED = Path(__file__).parents[4] / "checkpoints" / "studies" / "memory-dt-small-0" / "plays"


@pytest.fixture(scope="module")
def made() -> EquivalenceReport:
    """A certificate of the first six observations of one that ships."""
    report = load(SHIPPED, EQUIVALENCE)
    tables = {name: _first(getattr(report, name)) for name in ("chosen", "swaps", "untrained", "partition")}
    return replace(report, **tables, frames=report.frames[:6], worlds=(), comparisons=(), met=None, luck=None)


def _first(table: Any) -> Any:
    """Return the same of the first six observations."""
    six = {name: each[:6] for name, each in vars(table).items() if isinstance(each, torch.Tensor)}
    return replace(table, **{name: each[:, :6] if each.ndim > 1 else each for name, each in six.items()})


def _with(report: EquivalenceReport, labels: list[int], apart: dict[tuple[int, int], float]) -> EquivalenceReport:
    met = torch.zeros(6, 6)
    for (one, other), bits in apart.items():
        met[one, other] = met[other, one] = bits
    return replace(report, partition=partition_of(torch.tensor(labels), "planted"), met=met)


@pytest.fixture
def one(made) -> EquivalenceReport:
    """A, B, C in one class, D, E in another, F in a third; E and F told apart."""
    return _with(made, [0, 0, 0, 1, 1, 2], {(4, 5): 0.2, (0, 3): 1.0})


@pytest.fixture
def other(made) -> EquivalenceReport:
    """F, E in one class and B with something unknown; all others apart, but only B and C were told apart."""
    frames = made.frames.flip(0).clone()
    frames[5] = 255
    return _with(replace(made, frames=frames), [0, 0, 1, 2, 3, 3], {(4, 3): 0.25, (2, 1): 0.01})


def test_what_one_joins_the_other_tells_apart_or_leaves_undecided(one, other) -> None:
    found = compare_partitions({"one": one, "other": other}, CONFIG)
    (difference,) = found.differences
    by_other, by_one = difference.judged
    b, c, e, f = one.chosen.frame_id[[1, 2, 4, 5]].tolist()
    assert (by_other.joining, by_other.judging) == ("one", "other")
    assert (by_other.n_joined, by_other.n_told_apart, by_other.n_undecided) == (2, 1, 1)  # B with C, D with E
    assert by_other.worst == (TornPair(b, c, where_joined=0.0, where_apart=0.25),)
    assert (by_one.n_joined, by_one.n_told_apart, by_one.n_undecided) == (1, 1, 0)
    assert by_one.worst[0].where_apart == pytest.approx(0.2)
    assert {by_one.worst[0].frame, by_one.worst[0].other} == set(other.chosen.frame_id[[0, 1]].tolist())
    assert {e, f}.isdisjoint({b, c})


def test_agreement_and_variation_are_those_of_the_shared_observations(one, other) -> None:
    (difference,) = compare_partitions({"one": one, "other": other}, CONFIG).differences
    assert difference.n_frames == 5
    assert difference.agreement.ari.estimate == pytest.approx(-0.2 / 1.3)  # no pair joined by both, 0.2 expected
    assert difference.agreement.random.n == 10
    assert difference.variation.distance == pytest.approx(2 * log2(5) - (log2(5) - 0.8) - (log2(5) - 0.4))


def test_the_common_refinement_joins_what_all_of_them_join(one, other) -> None:
    third = replace(one, partition=partition_of(torch.tensor([0, 1, 1, 2, 2, 2]), "third"))
    found = compare_partitions({"one": one, "third": third}, CONFIG)
    assert found.refinement.label.tolist() == [0, 1, 1, 2, 2, 3]
    assert torch.equal(found.frame_id, one.chosen.frame_id)
    found = compare_partitions({"one": one, "third": third, "other": other}, CONFIG)
    assert found.frame_id.tolist() == one.chosen.frame_id[1:].tolist()
    assert found.refinement.n_classes == 5
    assert [each.n_shared_classes for each in found.certificates] == [3, 2, 4]
    assert len(found.differences) == 3


def test_a_certificate_agrees_with_itself_and_no_order_of_observations_matters(one) -> None:
    backwards = _with(replace(one, frames=one.frames.flip(0)), [0, 1, 1, 2, 2, 2], {(1, 0): 0.2})
    (difference,) = compare_partitions({"one": one, "backwards": backwards}, CONFIG).differences
    assert difference.agreement.ari.estimate == 1
    assert difference.variation.distance == 0
    assert [(judged.n_joined, judged.n_told_apart, judged.n_undecided) for judged in difference.judged] == [
        (4, 0, 0)
    ] * 2
    assert torch.equal(*(partition.label for partition in on_shared_frames(one, backwards)))


def test_a_pair_that_was_moved_beyond_epsilon_is_told_apart_though_both_join_it(one) -> None:
    moved = _with(one, one.partition.label.tolist(), {(0, 1): 0.3})
    assert judge_pairs(("one", one), ("moved", moved), n_shown=20).n_told_apart == 1
    assert judge_pairs(("moved", moved), ("one", one), n_shown=20).n_told_apart == 0


def test_the_pairs_furthest_apart_are_kept(one) -> None:
    moved = _with(one, list(range(6)), {(0, 1): 0.3, (0, 2): 0.1, (1, 2): 0.7})
    judged = judge_pairs(("one", one), ("moved", moved), n_shown=2)
    assert [pair.where_apart for pair in judged.worst] == pytest.approx([0.7, 0.3])
    assert judged.n_told_apart == 3


def test_a_comparison_is_written_and_read_back(one, other, tmp_path) -> None:
    found = compare_partitions({"one": one, "other": other}, CONFIG)
    save(tmp_path / "populations", found, seed=0)
    again = load(tmp_path / "populations", PARTITION_COMPARISON)
    assert again.differences == found.differences
    assert again.certificates == found.certificates
    assert torch.equal(again.refinement.label, found.refinement.label)


def test_what_cannot_be_compared_is_refused(one, other) -> None:
    with pytest.raises(UserError, match="certificates: 1 given, expected two at least"):
        compare_partitions({"one": one}, CONFIG)
    elsewhere = replace(other, env_id="MiniGrid-Empty-5x5-v0")
    with pytest.raises(UserError, match="other was certified in MiniGrid-Empty-5x5-v0 and one in MiniGrid-Memory"):
        compare_partitions({"one": one, "other": elsewhere}, CONFIG)
    strange = replace(other, frames=torch.arange(6, dtype=torch.uint8)[:, None, None, None].expand(6, 7, 7, 3).clone())
    with pytest.raises(UserError, match="one, strange share 0 observations, expected two at least"):
        compare_partitions({"one": one, "strange": strange}, CONFIG)


@pytest.mark.parametrize(("name", "value"), [("n_draws", 0), ("n_shown", -1)])
def test_settings_that_say_nothing_are_refused(name, value) -> None:
    with pytest.raises(UserError, match=name):
        PartitionComparisonConfig(**{name: value})
