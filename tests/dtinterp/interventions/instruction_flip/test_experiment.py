from collections.abc import Callable
from dataclasses import asdict

import pytest
import torch

from dtinterp.foundation.artefacts.artefact import Content
from dtinterp.foundation.errors import UserError
from dtinterp.interventions.instruction_flip.experiment import dial, run_experiment
from dtinterp.interventions.instruction_flip.report import InterventionReport
from dtinterp.interventions.instruction_flip.specification import Specification
from dtinterp.model.network.transformer import DecisionTransformer

OLD = Content(kind="model", config={}, tensors={"W": torch.zeros(1)}, metrics={})
SMALL = {"samplers": ["greedy"], "n_episodes": 8, "n_draws": 1}


def test_the_planted_instruction_is_found_and_turned(planted_report: InterventionReport) -> None:
    report = planted_report
    assert report.direction.is_separating
    assert report.dose.n_turned == 4
    assert (report.flipped * report.dose.original < 0).all()
    assert report.dose.controls.shape == (30, 4, 5)
    assert [loop.sampler for loop in report.closed_loop] == ["greedy", "temperature=1"]
    assert all(len(loop.control_shares) == 3 for loop in report.closed_loop)
    assert report.closed_loop[1].opposite.other_target.low > report.closed_loop[1].control.other_target.high


def test_the_law_of_flipped_instructions_holds_in_the_report(planted_report: InterventionReport) -> None:
    """LD(flipped | Key,X) = LD(original | Ball,X)."""
    torch.testing.assert_close(planted_report.flipped, planted_report.dose.original[[3, 2, 1, 0]], rtol=1e-6, atol=0)


def test_the_same_seed_gives_the_same_bits(
    planted_model: DecisionTransformer, specify: Callable[..., Specification]
) -> None:
    specification = specify(n_draws=2, closed_loop={**SMALL, "samplers": ["temperature=1"]})
    first, second = (run_experiment(specification, planted_model) for _ in range(2))
    assert first.closed_loop == second.closed_loop
    for part in ("dose", "direction"):
        pairs = zip(asdict(getattr(first, part)).values(), asdict(getattr(second, part)).values(), strict=True)
        assert all(torch.equal(torch.as_tensor(one), torch.as_tensor(other)) for one, other in pairs)


def test_another_seed_draws_other_controls_and_leaves_the_rest(
    planted_model: DecisionTransformer, specify: Callable[..., Specification]
) -> None:
    first, second = (run_experiment(specify(n_draws=2, closed_loop=SMALL, seed=seed), planted_model) for seed in (0, 1))
    assert torch.equal(first.dose.instruction, second.dose.instruction)
    assert not torch.equal(first.dose.controls, second.dose.controls)


def test_no_decoys_are_no_mistake(planted_model: DecisionTransformer, specify: Callable[..., Specification]) -> None:
    report = run_experiment(specify(decoys=[], n_draws=1, closed_loop=SMALL), planted_model)
    assert report.restored.shape == (0, 4)


def test_a_site_that_the_model_lacks_is_refused(
    planted_model: DecisionTransformer, specify: Callable[..., Specification]
) -> None:
    with pytest.raises(UserError, match=r"the site is 'blocks\.1\.hook_resid_pre', expected one of hook_obs_embed"):
        run_experiment(specify(site="blocks.1.hook_resid_pre"), planted_model)


def test_the_instruction_is_no_direction_of_heads(
    planted_model: DecisionTransformer, specify: Callable[..., Specification]
) -> None:
    with pytest.raises(UserError, match=r"the vector is one of .* numbers of the residual stream, and at blocks"):
        run_experiment(specify(site="blocks.0.attn.hook_z"), planted_model)


def test_activation_units_are_taken_as_they_are(specify: Callable[..., Specification]) -> None:
    coefficient = torch.tensor([-2.0, 0.5])
    unit = dial(specify(unit="activation"), torch.zeros(4), torch.tensor([1.0, 1.0, -1.0, -1.0]))
    assert torch.equal(unit.activation(coefficient), coefficient)


def test_an_instruction_that_does_not_move_the_direction_has_no_unit(specify: Callable[..., Specification]) -> None:
    with pytest.raises(UserError, match="a key stands 0 above a ball along the direction here, expected more than 0"):
        dial(specify(), torch.ones(4), torch.tensor([1.0, 1.0, -1.0, -1.0]))
