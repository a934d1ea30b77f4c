from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from transformer_lens.hook_points import HookPoint

from dtinterp.foundation.errors import UserError
from dtinterp.foundation.statistics import wilson
from dtinterp.interventions.controls.drawn import random_directions
from dtinterp.interventions.dose import Dial, DoseCurves, measure_dose
from dtinterp.interventions.instruction_flip.directions import instruction_direction
from dtinterp.interventions.instruction_flip.experiment import dose_setup, doses
from dtinterp.interventions.instruction_flip.scenarios import Scenarios
from dtinterp.interventions.instruction_flip.specification import Specification
from dtinterp.model.network.transformer import DecisionTransformer

SITE = "blocks.0.hook_resid_pre"
TOKEN = 16
"""The observation token of the first frame: five pads, three tokens each, then the return-to-go."""


def _dose(model: DecisionTransformer, scenarios: Scenarios, specification: Specification) -> DoseCurves:
    direction = instruction_direction(model.W_obs, specification.cells).vector
    rng = torch.Generator().manual_seed(0)
    controls = random_directions(specification.n_draws, model.cfg.d_model, rng)
    setup, wanted = dose_setup(specification, scenarios), doses(specification, scenarios)
    return measure_dose(model, setup, wanted, direction=direction, controls=controls)


def test_the_planted_direction_turns_every_configuration(
    planted_model: DecisionTransformer, scenarios: Scenarios, specify: Callable[..., Specification]
) -> None:
    dose = _dose(planted_model, scenarios, specify())
    assert dose.original.sign().tolist() == [1, -1, 1, -1]
    assert dose.n_turned == 4
    assert dose.instruction[:, 0].sign().tolist() == [-1, 1, 1, -1]  # all balls
    assert dose.instruction[:, -1].sign().tolist() == [1, -1, -1, 1]  # all keys


def test_random_directions_do_not_turn_the_planted_model(
    planted_model: DecisionTransformer, scenarios: Scenarios, specify: Callable[..., Specification]
) -> None:
    dose = _dose(planted_model, scenarios, specify(n_draws=60))
    assert dose.n_turned_by_control.shape == (60,)
    assert dose.control_share.estimate < 0.03
    assert dose.control_share.n == 240
    assert dose.p_value <= 3 / 61


def test_curves_are_what_patching_by_hand_gives(
    random_model: DecisionTransformer, scenarios: Scenarios, specify: Callable[..., Specification]
) -> None:
    """Against one window, one coefficient and one patch written out at a time."""
    specification = specify(unit="activation", n_draws=3)
    dose = _dose(random_model, scenarios, specification)
    f = instruction_direction(random_model.W_obs, specification.cells).vector
    controls = random_directions(3, random_model.cfg.d_model, torch.Generator().manual_seed(0))
    for configuration in range(4):
        for column, c in enumerate(specification.coefficients):
            for along, found in [(f, dose.instruction), *zip(controls, dose.controls, strict=True)]:

                def patch(activation: Tensor, hook: HookPoint, r: Tensor = along, c: float = c) -> Tensor:  # noqa: ARG001
                    x = activation[0, TOKEN]
                    activation[0, TOKEN] = x + (c - x @ f) * r
                    return activation

                window = scenarios.windows[configuration : configuration + 1]
                logits = random_model.run_with_hooks(window, scenarios.items, fwd_hooks=[(SITE, patch)])[0, -1]
                expected = (logits[0] - logits[1]).item()
                assert found[configuration, column].item() == pytest.approx(expected, abs=1e-4)


def test_at_its_own_projection_a_configuration_answers_as_untouched(
    random_model: DecisionTransformer, scenarios: Scenarios, specify: Callable[..., Specification]
) -> None:
    plain = _dose(random_model, scenarios, specify(unit="activation"))
    own = sorted({*plain.projection.tolist(), -1.0, 1.0})
    dose = _dose(random_model, scenarios, specify(unit="activation", coefficients=own))
    for configuration in range(4):
        column = own.index(plain.projection[configuration].item())
        for curve in (dose.instruction, *dose.controls):
            torch.testing.assert_close(
                curve[configuration, column], plain.original[configuration], atol=1e-4, rtol=1e-4
            )


def test_one_instruction_unit_is_what_a_key_holds(
    planted_model: DecisionTransformer, scenarios: Scenarios, specify: Callable[..., Specification]
) -> None:
    dose = _dose(planted_model, scenarios, specify())
    key, ball = dose.projection[:2].mean(), dose.projection[2:].mean()
    expected = [1.5 * ball - 0.5 * key, ball, (key + ball) / 2, key, 1.5 * key - 0.5 * ball]
    torch.testing.assert_close(dose.activation, torch.stack(expected))


def test_the_opposite_is_ball_for_a_key_and_key_for_a_ball(
    planted_model: DecisionTransformer, scenarios: Scenarios, specify: Callable[..., Specification]
) -> None:
    dose = _dose(planted_model, scenarios, specify(strength=2))
    assert dose.coefficient[dose.opposite].tolist() == [-2, -2, 2, 2]


def test_the_projection_is_read_at_the_first_frame(
    random_model: DecisionTransformer, scenarios: Scenarios, specify: Callable[..., Specification]
) -> None:
    direction = random_directions(1, random_model.cfg.d_model, torch.Generator().manual_seed(5))[0]
    _, cache = random_model.run_with_cache(scenarios.windows, scenarios.items)
    expected = torch.stack([cache[SITE][each, TOKEN] @ direction for each in range(4)])
    found = dose_setup(specify(), scenarios).projection(random_model, direction)
    torch.testing.assert_close(found, expected.detach(), atol=1e-5, rtol=1e-5)


def test_turns_are_changes_of_sign_at_the_opposite_coefficient() -> None:
    curves = torch.tensor([[[-1.0, 1.0], [1.0, 1.0]], [[1.0, -1.0], [1.0, -1.0]], [[0.0, 1.0], [-1.0, 0.0]]])
    dose = DoseCurves(
        coefficient=torch.tensor([-1.0, 1.0]),
        activation=torch.tensor([-1.0, 1.0]),
        projection=torch.zeros(2),
        original=torch.tensor([2.0, 2.0]),
        instruction=curves[0],
        controls=curves,
        opposite=torch.tensor([0, 1]),
    )
    assert dose.n_turned == 1
    assert dose.n_turned_by_control.tolist() == [1, 1, 0]
    assert dose.control_share == wilson(2, 6)
    assert dose.p_value == pytest.approx(3 / 4)
    assert replace(dose, instruction=-dose.controls[0]).n_turned == 1


def test_a_dial_that_turns_backwards_is_refused() -> None:
    with pytest.raises(UserError, match="a coefficient of 1 moves -1 activation units, expected more than 0"):
        Dial(centre=0.0, step=-1.0)
