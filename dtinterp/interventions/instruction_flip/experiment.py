"""A specification and a model become an intervention report."""

import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.activations.sites import OBSERVATION_EMBEDDING, require_meaning
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.seeding import generator
from dtinterp.interventions.controls import random_directions
from dtinterp.interventions.instruction_flip.closed_loop import play_arms
from dtinterp.interventions.instruction_flip.directions import instruction_direction
from dtinterp.interventions.instruction_flip.dose import dial, measure_dose, project_first_frames
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
from dtinterp.interventions.intervene import intervene
from dtinterp.model.network.frames import ONE_HOT
from dtinterp.model.network.transformer import DecisionTransformer
from environments.graph.state_graph import state_graph
from environments.making import make_worlds


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
    dose = measure_dose(model, scenarios, specification, direction=direction.vector, controls=controls)
    decoyed = [with_complement(scenarios, cells) for cells in specification.decoys]
    starts = generator(specification.seed, "interventions/starts")
    closed_loop = play_arms(
        model,
        make_worlds(specification.world, specification.closed_loop.n_episodes, generator=starts),
        specification,
        dial=dial(specification, dose.projection, scenarios.sign),
        direction=direction.vector,
        controls=controls[: specification.closed_loop.n_draws],
    )
    return InterventionReport(
        specification=specification,
        configurations=configuration_names(),
        direction=direction,
        dose=dose,
        flipped=_answer(model, with_complement(scenarios, [INSTRUCTION_CELL])),
        decoys=_stacked([_answer(model, edited) for edited in decoyed]),
        decoy_projection=_stacked(
            [project_first_frames(model, edited, specification.site, direction.vector) for edited in decoyed]
        ),
        closed_loop=closed_loop,
    )


def _answer(model: DecisionTransformer, scenarios: Scenarios) -> Float32[Tensor, " configuration"]:
    return logit_difference(intervene(model, scenarios.windows, scenarios.items, []))


def _stacked(rows: list[Float32[Tensor, " configuration"]]) -> Float32[Tensor, "decoy configuration"]:
    """Stack rows, of which there may be none."""
    return torch.stack(rows) if rows else torch.empty(0, len(configuration_names()))
