from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from dtinterp.foundation.statistics import wilson
from dtinterp.interventions.closed_loop import ClosedLoop, Endings
from dtinterp.interventions.instruction_flip.experiment import run_experiment
from dtinterp.interventions.instruction_flip.report import InterventionReport
from dtinterp.interventions.instruction_flip.specification import Specification
from dtinterp.model.network.transformer import DecisionTransformer


def _endings(n_other: int, n: int = 100) -> Endings:
    return Endings(wilson(n - n_other, n), wilson(n_other, n), wilson(0, n))


def _loop(*, intact: int = 2, same: int = 2, opposite: int = 95, control: int = 4) -> ClosedLoop:
    """Of 100 episodes, how many of each arm end at the other target."""
    arms = [_endings(each) for each in (intact, same, opposite, control)]
    return ClosedLoop("greedy", *arms, control_shares=(control / 100,))


def test_nothing_speaks_against_the_planted_direction(planted_report: InterventionReport) -> None:
    assert planted_report.refutations == ()
    assert replace(planted_report, closed_loop=(_loop(),)).refutations == ()


def test_much_speaks_against_a_model_that_knows_nothing(
    random_model: DecisionTransformer, specify: Callable[..., Specification]
) -> None:
    small = {"samplers": ["greedy"], "n_episodes": 8, "n_draws": 1}
    report = run_experiment(specify(closed_loop=small, unit="activation"), random_model)
    found = report.refutations
    assert any("the intact model finds the matching target in" in sentence for sentence in found)
    assert any("turns" in sentence for sentence in found)
    assert all(sentence.endswith(".") for sentence in found)


@pytest.mark.parametrize(
    ("loop", "words"),
    [
        (_loop(intact=55), "the intact model finds the matching target in 0.450"),
        (_loop(same=30), "setting the instruction that is there leads 0.300"),
        (_loop(opposite=55), "leads only 0.550"),
        (_loop(control=90), "random directions lead 0.900"),
    ],
)
def test_each_failing_arm_is_named(loop: ClosedLoop, words: str, planted_report: InterventionReport) -> None:
    sentences = replace(planted_report, closed_loop=(loop,)).refutations
    assert any(words in sentence for sentence in sentences)
    assert all(sentence.startswith("Under greedy, ") for sentence in sentences)


def test_a_direction_that_turns_too_little_is_refuted(planted_report: InterventionReport) -> None:
    dose = planted_report.dose
    half = replace(dose, instruction=torch.cat([dose.instruction[:2], dose.original[2:, None].expand(-1, 5)]))
    assert replace(planted_report, dose=half).refutations == ("The direction turns 2 of 4 configurations.",)


def test_random_directions_that_turn_as_many_refute(planted_report: InterventionReport) -> None:
    dose = planted_report.dose
    same = replace(dose, controls=dose.instruction.expand(30, -1, -1))
    (sentence,) = replace(planted_report, dose=same).refutations
    assert sentence == "Random directions turn as many, p = 1.000."


def test_a_model_that_ignores_the_instruction_refutes(planted_report: InterventionReport) -> None:
    (sentence,) = replace(planted_report, flipped=planted_report.dose.original).refutations
    assert sentence == "The flipped instruction itself turns 0 of 4 configurations."
