from dataclasses import replace

import pytest
import torch

from dtinterp.equivalence.classes.certificates import certificates
from dtinterp.equivalence.partition import Partition, partition_of
from dtinterp.report.results import StudyResults
from dtinterp.report.words import bits
from tests.dtinterp.report.conftest import planted, section_of


def _with(results: StudyResults, partition: Partition) -> StudyResults:
    report = results.equivalence.value
    certified = certificates(report.swaps, partition)
    return planted(results, replace(report, partition=partition, certificates=certified, scrutiny=None))


def _classes(results: StudyResults) -> str:
    return section_of("equivalence", results).split("<h3>The classes</h3>")[1].split("<h3>")[0]


@pytest.fixture(scope="module")
def mixed(results: StudyResults) -> StudyResults:
    return _with(results, partition_of(torch.tensor([0, 1, 0, 2, 0, 3, 4, 5, 6, 7, 8, 1]), "planted"))


@pytest.fixture(scope="module")
def apart(results: StudyResults) -> StudyResults:
    return _with(results, partition_of(torch.arange(12), "planted"))


def test_every_class_of_more_than_one_has_a_card_with_all_its_pictures(mixed: StudyResults) -> None:
    gallery = _classes(mixed)
    ids = mixed.equivalence.value.chosen.frame_id
    assert gallery.count("<article") == 2
    for place in (0, 2, 4, 1, 11):
        assert gallery.count(f"<frame {int(ids[place])}>") == 1


def test_observations_on_their_own_stand_together(mixed: StudyResults) -> None:
    ids = mixed.equivalence.value.chosen.frame_id
    alone = _classes(mixed).split("<details>")[1]
    assert "7 observations that nothing can stand in for" in alone
    assert {place for place in range(12) if f"<frame {int(ids[place])}>" in alone} == {3, 5, 6, 7, 8, 9, 10}


def test_a_card_bears_its_certificate(mixed: StudyResults) -> None:
    total = mixed.equivalence.value.totals[0]
    gallery = section_of("equivalence", mixed)
    assert f"≤ {bits(total.maximum)}</a> in {total.n_swaps} swaps, met in {total.stage}" in gallery


def test_the_worst_swaps_come_largest_first_with_their_windows(mixed: StudyResults) -> None:
    worst = [each.worst for each in mixed.equivalence.value.totals if each.worst]
    shown = section_of("equivalence", mixed).split("The swaps that came closest")[1].split("<h3>")[0]
    assert shown.count("<figure") == 2
    ordered = sorted(worst, key=lambda swap: -swap.divergence)
    places = [shown.index(f"Frame {swap.stand_in} in the place of frame {swap.frame}") for swap in ordered]
    assert places == sorted(places)


def test_when_nothing_is_interchangeable_the_page_says_that_this_is_the_result(apart: StudyResults) -> None:
    assert "No two observations are interchangeable at this ε" in section_of("equivalence", apart)
    assert "no class holds two observations" in section_of("equivalence", apart)


def test_nothing_is_folded_away_when_nobody_is_alone(results: StudyResults) -> None:
    together = _with(results, partition_of(torch.zeros(12, dtype=torch.int64), "planted"))
    assert "nothing can stand in for" not in section_of("equivalence", together)
