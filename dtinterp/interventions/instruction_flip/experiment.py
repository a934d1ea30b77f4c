"""The instruction flip, run: doses at the decision points, and whole episodes with the instruction turned."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.activations.sites import OBSERVATION_EMBEDDING, require_meaning
from dtinterp.agents.items import FrameItems
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.seeding import generator
from dtinterp.interventions.closed_loop import ClosedLoop, LoopSetup, play_arms
from dtinterp.interventions.controls.drawn import random_directions
from dtinterp.interventions.dose import Dial, Doses, DoseSetup, measure_dose
from dtinterp.interventions.edits.edit import Edit
from dtinterp.interventions.edits.set import Setting
from dtinterp.interventions.instruction_flip.directions import instruction_direction
from dtinterp.interventions.instruction_flip.report import InterventionReport
from dtinterp.interventions.instruction_flip.rivals import Family, Other, Rival, Turning, difference, drawn
from dtinterp.interventions.instruction_flip.scenarios import (
    INSTRUCTION_CELL,
    Scenarios,
    configuration_names,
    decision_points,
    left_target_sign,
    logit_difference,
    with_complement,
)
from dtinterp.interventions.instruction_flip.specification import Specification
from dtinterp.interventions.parts.along import along
from dtinterp.interventions.parts.placebo import Placebo
from dtinterp.interventions.slots import first_frame
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
    worlds = make_worlds(specification.world, specification.closed_loop.n_episodes, generator=starts)
    loop, sign = loop_setup(model, specification, worlds)
    turning = Turning(model, setup, loop, specification.closed_loop.samplers)
    flip = Flip(specification, turning, direction.vector, at_points=scenarios.sign, at_starts=sign)
    flipped = dose_setup(specification, with_complement(scenarios, [INSTRUCTION_CELL]))
    return InterventionReport(
        specification=specification,
        configurations=configuration_names(),
        direction=direction,
        dose=dose,
        flipped=flipped.answer(model)[0],
        decoys=_stacked([edited.answer(model)[0] for edited in decoyed]),
        decoy_projection=_stacked([edited.projection(model, direction.vector) for edited in decoyed]),
        closed_loop=flip.play_both_ways(controls[: specification.closed_loop.n_draws]),
        rivals=tuple(flip.rival(name) for name in specification.rivals),
        target_cosine=float(difference(setup.rows(model), left_target_sign()) @ direction.vector),
    )


@dataclass(frozen=True)
class Flip:
    """A direction that is set to the other instruction, at the decision points and in whole episodes."""

    specification: Specification
    turning: Turning
    direction: Float32[Tensor, " d_model"]
    at_points: Float32[Tensor, " configuration"]
    """the instruction, key 1, ball −1"""
    at_starts: Float32[Tensor, " world"]

    def play_both_ways(self, controls: Float32[Tensor, "draw d_model"]) -> tuple[ClosedLoop, ...]:
        """Play whole episodes with the direction set to the instruction that is there, and to the other one."""
        dial, strength = self.dial_of(self.direction), self.specification.strength
        return play_arms(
            self.turning.loop,
            self.turning.samplers,
            direction=self.direction,
            controls=controls,
            same=dial.activation(strength * self.at_starts),
            opposite=dial.activation(-strength * self.at_starts),
        )

    def rival(self, name: Family | Other) -> Rival:
        """Return what directions of a family do, moved as far, or what another direction does, set likewise."""
        model = self.turning.model
        match name:
            case "item_span" | "item_span_without_direction":
                rng = generator(self.specification.seed, f"interventions/{name}")
                n_draws = self.specification.closed_loop.n_draws
                directions = drawn(name, model.W_obs, self.direction, n_draws, rng)
                read = along(self.direction)
                edits = [self._edits(partial(Setting, Placebo(read, r[None])), self.direction) for r in directions]
            case _:
                found = self._other(name)
                directions, edits = found[None], [self._edits(partial(Setting, along(found)), found)]
        return self.turning.rival(name, edits, (directions @ self.direction).tolist())

    def dial_of(self, direction: Float32[Tensor, " d_model"]) -> Dial:
        """Return the dial of the experiment's unit along a direction."""
        return dial(self.specification, self.turning.dose.projection(self.turning.model, direction), self.at_points)

    def _other(self, name: Other) -> Float32[Tensor, " d_model"]:
        model = self.turning.model
        if name == "difference_of_means":
            return instruction_direction(model.W_obs, self.specification.cells, name).vector
        return difference(self.turning.dose.rows(model), self.at_points)

    def _edits(
        self, edit: Callable[[Float32[Tensor, " row"]], Edit], along: Float32[Tensor, " d_model"]
    ) -> tuple[Edit, Edit]:
        """Return the edit to the other instruction, of the decision points and of the worlds."""
        dial, strength = self.dial_of(along), self.specification.strength
        return edit(dial.activation(-strength * self.at_points)), edit(dial.activation(-strength * self.at_starts))


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


def loop_setup(
    model: DecisionTransformer, specification: Specification, worlds: Worlds
) -> tuple[LoopSetup, Float32[Tensor, " world"]]:
    """Return where whole episodes are played, and each start's instruction: key 1, ball −1."""
    worlds.reset()
    facts = worlds.facts()
    setup = LoopSetup(
        policy=WindowPolicy(model, FrameItems(worlds), target_return=specification.target_return),
        worlds=worlds,
        start=facts.unique(dim=0, return_inverse=True)[1],
        site=specification.site,
        slot=first_frame,
        seed=specification.seed,
    )
    return setup, 1.0 - 2.0 * facts[:, worlds.fact_names.index("instruction")].float()


def _stacked(rows: list[Float32[Tensor, " configuration"]]) -> Float32[Tensor, "decoy configuration"]:
    """Stack rows, of which there may be none."""
    return torch.stack(rows) if rows else torch.empty(0, len(configuration_names()))
