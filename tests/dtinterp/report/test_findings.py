from dataclasses import replace

import pytest

from dtinterp.equivalence.behaviour.quotient import Quotient
from dtinterp.equivalence.report import EquivalenceReport
from dtinterp.equivalence.truth.agreement import Agreement, WorldComparison
from dtinterp.foundation.statistics import Interval
from dtinterp.report.findings import keeps_behaviour, standings


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


def _with(report: EquivalenceReport, *comparisons: WorldComparison) -> EquivalenceReport:
    return replace(report, comparisons=comparisons)


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
    report: EquivalenceReport, trained: Agreement, untrained: Agreement, at_epsilon: Agreement, expected: bool
) -> None:
    comparison = WorldComparison("optimal", trained, untrained, at_epsilon)
    assert standings(_with(report, comparison))[0].holds is expected


def test_the_best_agreement_comes_first(report: EquivalenceReport) -> None:
    weak, strong = WorldComparison("weak", WEAK, WEAK, WEAK), WorldComparison("strong", STRONG, WEAK, WEAK)
    assert [each.comparison.world for each in standings(_with(report, weak, strong))] == ["strong", "weak"]


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
    report: EquivalenceReport, classes: float, untrained: float, random: float, expected: bool
) -> None:
    behaviour = report.behaviour

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
    assert keeps_behaviour(replace(report, behaviour=planted)) is expected
