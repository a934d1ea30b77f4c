from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from dtinterp.foundation.statistics import wilson
from dtinterp.interventions.instruction_flip.experiment import run_experiment
from dtinterp.interventions.instruction_flip.report import InterventionReport
from dtinterp.interventions.instruction_flip.rivals import Rival, RivalEndings, against_span, difference, drawn
from dtinterp.interventions.instruction_flip.specification import Specification
from dtinterp.model.network.transformer import DecisionTransformer
from environments.vocabulary import item_index

RIVALS = ["item_span", "item_span_without_direction", "difference_of_means", "difference_of_first_frames"]


@pytest.fixture(scope="module")
def report(planted_model: DecisionTransformer, specify: Callable[..., Specification]) -> InterventionReport:
    loop = {"samplers": ["greedy"], "n_episodes": 8, "n_draws": 4}
    return run_experiment(specify(rivals=RIVALS, closed_loop=loop, n_draws=4), planted_model)


def test_directions_of_a_family_are_unit_sums_of_key_and_ball_items() -> None:
    W_obs = torch.randn(980, 12, generator=torch.Generator().manual_seed(0))
    keys_and_balls = [item_index(f"{thing} ({x},{y})") for thing in ("key", "ball") for x in range(7) for y in range(7)]
    flat = torch.zeros(980, 12)
    flat[keys_and_balls, :3] = W_obs[keys_and_balls, :3]  # they span three dimensions, the others none of these
    flat[torch.isin(torch.arange(980), torch.tensor(keys_and_balls), invert=True), 3:] = 5.0
    along = torch.eye(12)[0]
    found = drawn("item_span", flat, along, 6, torch.Generator().manual_seed(1))
    without = drawn("item_span_without_direction", flat, along, 6, torch.Generator().manual_seed(1))
    for each in (found, without):
        torch.testing.assert_close(each.norm(dim=1), torch.ones(6))
        assert not each[:, 3:].any()
    assert (found[:, 0].abs() > 0.01).all()
    torch.testing.assert_close(without[:, 0], torch.zeros(6), atol=1e-6, rtol=0)


def test_the_difference_of_rows_is_that_of_their_means() -> None:
    rows, sign = torch.tensor([[3.0, 0], [1, 0], [0, 1], [0, -1]]), torch.tensor([1.0, 1, -1, -1])
    assert difference(rows, sign).tolist() == [1, 0]


def test_the_planted_instruction_is_found_by_other_recipes_and_lost_beside_itself(report: InterventionReport) -> None:
    span, beside, means, frames = report.rivals
    assert [rival.name for rival in report.rivals] == RIVALS
    assert [rival.is_control for rival in report.rivals] == [True, True, False, False]
    for rival in (means, frames):
        assert rival.n_turned == (4,)
        assert rival.cosine[0] > 0.95
        assert rival.endings[0].other_target.estimate == 1
    assert len(span.n_turned) == len(span.cosine) == len(span.endings[0].by_direction) == 4
    assert max(map(abs, beside.cosine)) < 1e-4
    assert beside.n_turned == (0, 0, 0, 0)
    assert beside.endings[0].other_target.estimate == 0


def test_a_direction_moved_as_far_turns_where_it_lies_along_the_instruction(report: InterventionReport) -> None:
    """The planted instruction is read by a sign: what pushes past half of the way turns every configuration."""
    span = report.rivals[0]
    assert span.n_turned == tuple(4 if cosine > 0.5 else 0 for cosine in span.cosine)


def test_the_planted_instruction_does_not_lie_along_the_targets(report: InterventionReport) -> None:
    assert report.target_cosine is not None
    assert abs(report.target_cosine) < 0.5


def _span(n_turned: list[int], by_direction: list[float]) -> Rival:
    """Directions that turn so many configurations, and greedily lead such shares of episodes to the other target."""
    shares = wilson(round(100 * sum(by_direction) / len(by_direction)), 100)
    return Rival(
        "item_span", (0.5,) * len(n_turned), tuple(n_turned), (RivalEndings("greedy", shares, tuple(by_direction)),)
    )


def test_the_span_refutes_where_too_many_of_its_directions_do_as_much(report: InterventionReport) -> None:
    assert list(against_span(report.dose, report.closed_loop, _span([3] * 19, [0.9] * 19))) == []
    turned, led = against_span(report.dose, report.closed_loop, _span([4, *[0] * 18], [1.0, *[0.0] * 18]))
    assert turned == "Directions in the span of the items turn as many, p = 0.100."
    assert led.startswith("Under greedy, directions in the span of the items lead 0.050")
    assert led.endswith("p = 0.100.")
    refuted = replace(report, rivals=(_span([4] * 19, [1.0] * 19),))
    assert len(refuted.refutations) == len(replace(report, rivals=()).refutations) + 2


def test_few_directions_of_the_span_can_never_be_beaten_significantly(report: InterventionReport) -> None:
    assert list(against_span(report.dose, report.closed_loop, _span([0] * 18, [0.0] * 18))) != []
