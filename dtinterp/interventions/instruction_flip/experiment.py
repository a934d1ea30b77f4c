"""The instruction flip, run: doses at the decision points, and whole episodes with the instruction turned."""

import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.activations.sites import OBSERVATION_EMBEDDING, require_meaning
from dtinterp.agents.items import FrameItems
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.seeding import generator
from dtinterp.interventions.closed_loop import ClosedLoop, LoopSetup, play_arms
from dtinterp.interventions.controls import random_directions
from dtinterp.interventions.dose import Dial, Doses, DoseSetup, measure_dose
from dtinterp.interventions.instruction_flip.directions import instruction_direction
from dtinterp.interventions.instruction_flip.report import InterventionReport
from dtinterp.interventions.instruction_flip.scenarios import (
    INSTRUCTION_CELL,
    Scenarios,
    configuration_names,
    decision_points,
    logit_difference,
    with_complement,
)
from dtinterp.interventions.instruction_flip.specification import Specification
from dtinterp.interventions.intervene import first_frame
from dtinterp.model.network.frames import ONE_HOT
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.policy import WindowPolicy
from environments.graph.state_graph import state_graph
from environments.making import make_worlds
from environments.worlds import Worlds


def run_experiment(specification: Specification, model: DecisionTransformer) -> InterventionReport:
    """Turn the instruction's direction at the decision point and in whole episodes, beside random directions.

    The same specification and model give the same bits on one machine. Raises `UserError` where world, site or unit do
    not suit the model.
    """
    require_meaning(model, OBSERVATION_EMBEDDING, specification.site)
    if model.cfg.n_items != ONE_HOT:
        raise UserError(
            f"the model reads frames as {model.cfg.n_items} numbers, expected {ONE_HOT} items, whose embeddings give "
            "the direction: use a model of one-hot frames."
        )
    graph = state_graph(specification.world)
    scenarios = decision_points(graph, n_slots=model.cfg.n_slots, target_return=specification.target_return)
    direction = instruction_direction(model.W_obs, specification.cells, specification.direction)
    rng = generator(specification.seed, "interventions/controls")
    controls = random_directions(specification.n_draws, model.cfg.d_model, rng)
    setup = dose_setup(specification, scenarios)
    dose = measure_dose(model, setup, doses(specification, scenarios), direction=direction.vector, controls=controls)
    decoyed = [dose_setup(specification, with_complement(scenarios, cells)) for cells in specification.decoys]
    starts = generator(specification.seed, "interventions/starts")
    flipped = dose_setup(specification, with_complement(scenarios, [INSTRUCTION_CELL]))
    return InterventionReport(
        specification=specification,
        configurations=configuration_names(),
        direction=direction,
        dose=dose,
        flipped=flipped.answer(model)[0],
        decoys=_stacked([edited.answer(model)[0] for edited in decoyed]),
        decoy_projection=_stacked([edited.projection(model, direction.vector) for edited in decoyed]),
        closed_loop=play_both_ways(
            model,
            specification,
            make_worlds(specification.world, specification.closed_loop.n_episodes, generator=starts),
            dial=dial(specification, dose.projection, scenarios.sign),
            direction=direction.vector,
            controls=controls[: specification.closed_loop.n_draws],
        ),
    )


def dose_setup(specification: Specification, scenarios: Scenarios) -> DoseSetup:
    """Return the decision points, edited at the first frame, where the turn is measured."""
    return DoseSetup(scenarios.windows, scenarios.items, specification.site, first_frame, logit_difference)


def doses(specification: Specification, scenarios: Scenarios) -> Doses:
    """Return the experiment's coefficients, of which each configuration should turn at the other instruction's."""
    return Doses(
        coefficient=torch.tensor(specification.coefficients, dtype=torch.float32),
        wanted=-specification.strength * scenarios.sign,
        dial_of=lambda projection: dial(specification, projection, scenarios.sign),
    )


def dial(
    specification: Specification,
    projection: Float32[Tensor, " configuration"],
    sign: Float32[Tensor, " configuration"],
) -> Dial:
    """Return the dial of the experiment's unit, given what the untouched first frames hold.

    Raises `UserError` where a key stands no higher along the direction than a ball.
    """
    if specification.unit == "activation":
        return Dial(centre=0.0, step=1.0)
    key, ball = float(projection[sign > 0].mean()), float(projection[sign < 0].mean())
    if not key > ball:
        raise UserError(
            f"a key stands {key - ball:.3g} above a ball along the direction here, expected more than 0: "
            "choose another site or direction, or the unit `activation`."
        )
    return Dial(centre=(key + ball) / 2, step=(key - ball) / 2)


def play_both_ways(
    model: DecisionTransformer,
    specification: Specification,
    worlds: Worlds,
    *,
    dial: Dial,
    direction: Float32[Tensor, " d_model"],
    controls: Float32[Tensor, "draw d_model"],
) -> tuple[ClosedLoop, ...]:
    """Play whole episodes with the direction set to the instruction that is there, and to the other one."""
    worlds.reset()
    facts = worlds.facts()
    sign = 1.0 - 2.0 * facts[:, worlds.fact_names.index("instruction")].float()  # key 1, ball −1
    setup = LoopSetup(
        policy=WindowPolicy(model, FrameItems(worlds), target_return=specification.target_return),
        worlds=worlds,
        start=facts.unique(dim=0, return_inverse=True)[1],
        site=specification.site,
        slot=first_frame,
        seed=specification.seed,
    )
    return play_arms(
        setup,
        specification.closed_loop.samplers,
        direction=direction,
        controls=controls,
        same=dial.activation(specification.strength * sign),
        opposite=dial.activation(-specification.strength * sign),
    )


def _stacked(rows: list[Float32[Tensor, " configuration"]]) -> Float32[Tensor, "decoy configuration"]:
    """Stack rows, of which there may be none."""
    return torch.stack(rows) if rows else torch.empty(0, len(configuration_names()))
