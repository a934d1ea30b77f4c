"""Levels are cut from a report whose relation is planted."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from dtinterp.equivalence.levels import epsilons, level_at
from dtinterp.equivalence.partition import classes
from dtinterp.equivalence.report import EQUIVALENCE, EquivalenceReport
from dtinterp.foundation.artefacts.codec import load
from dtinterp.foundation.errors import UserError


@pytest.fixture(scope="module")
def report(small_study: Path) -> EquivalenceReport:
    """The small study's report with swaps that moved the model by 2^-1 to 2^-11 bits."""
    found = load(small_study / "equivalence" / "novice", EQUIVALENCE)
    height = torch.tensor([0.0] + [2.0 ** -(12 - place) for place in range(1, 12)])
    maximum = torch.maximum(height[:, None], height).fill_diagonal_(0)
    return replace(found, swaps=replace(found.swaps, maximum=maximum, mean=maximum / 2))


def test_at_its_own_epsilon_a_report_keeps_the_classes_that_were_certified(report):
    level = level_at(report, report.config.epsilon)
    assert level.is_certified
    assert level.partition is report.partition
    assert level.certificates is report.certificates


@pytest.mark.parametrize("epsilon", [0.001, 0.02, 0.2, 1.0])
def test_elsewhere_the_swaps_alone_make_classes_and_no_swap_inside_one_is_beyond_epsilon(report, epsilon):
    level = level_at(report, epsilon)
    assert not level.is_certified
    assert torch.equal(level.partition.label, classes(report.relation, epsilon).label)
    assert [each.label for each in level.certificates] == list(range(level.partition.n_classes))
    assert max(each.maximum for each in level.certificates) <= epsilon


def test_the_epsilons_lead_from_every_observation_alone_to_one_class(report):
    found = epsilons(report)
    assert level_at(report, found[0]).partition.n_classes == 12
    assert level_at(report, found[-1]).partition.n_classes == 1


def test_the_epsilons_are_evenly_apart_and_hold_the_certified_one(report):
    odd = replace(report, config=replace(report.config, epsilon=0.0333))
    found = epsilons(odd)
    assert 0.0333 in found
    steps = [other / one for one, other in pairwise(each for each in found if each != 0.0333)]
    assert all(1.24 < step < 1.29 for step in steps)


def test_where_nothing_tells_observations_apart_there_are_epsilons_all_the_same(report):
    nothing = torch.zeros_like(report.swaps.maximum)
    alike = replace(report, swaps=replace(report.swaps, maximum=nothing, mean=nothing))
    assert report.config.epsilon in epsilons(alike)
    assert len(epsilons(alike)) > 1


def test_an_epsilon_that_is_no_divergence_is_refused(report):
    with pytest.raises(UserError, match=r"epsilon is 1\.5, expected 0 to 1 bit"):
        level_at(report, 1.5)
