from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from dtinterp.agents.items import FrameItems
from dtinterp.interventions.closed_loop import ClosedLoop, play_arms
from dtinterp.interventions.controls.drawn import random_directions
from dtinterp.interventions.dose import Dial
from dtinterp.interventions.instruction_flip.experiment import loop_setup
from dtinterp.interventions.instruction_flip.specification import Specification
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.policy import WindowPolicy
from environments.graph.state_graph import StateGraph
from environments.worlds import GraphWorlds

SITE = "blocks.0.hook_resid_pre"
DIAL = Dial(centre=0.0, step=1.0)
TURN_LEFT = 0


def _worlds(graph: StateGraph, n_worlds: int) -> GraphWorlds:
    return GraphWorlds(graph, n_worlds, generator=torch.Generator().manual_seed(0))


def _policy(model: DecisionTransformer, worlds: GraphWorlds) -> WindowPolicy:
    return WindowPolicy(model, FrameItems(worlds), target_return=0.892)


def _play_both_ways(
    model: DecisionTransformer,
    specification: Specification,
    worlds: GraphWorlds,
    *,
    direction: Tensor,
    controls: Tensor,
) -> tuple[ClosedLoop, ...]:
    """With the direction set to the instruction that is there, and to the other one."""
    setup, sign = loop_setup(model, specification, worlds)
    samplers = specification.closed_loop.samplers
    same, opposite = DIAL.activation(sign), DIAL.activation(-sign)
    return play_arms(setup, samplers, direction=direction, controls=controls, same=same, opposite=opposite)


@pytest.mark.parametrize("sampler", ["greedy", "temperature=1"])
def test_the_other_instruction_leads_to_the_other_target_and_random_directions_do_not(
    sampler: str,
    planted_model: DecisionTransformer,
    planted_direction: Tensor,
    graph: StateGraph,
    specify: Callable[..., Specification],
) -> None:
    specification = specify(closed_loop={"samplers": [sampler], "n_episodes": 24, "n_draws": 3})
    controls = random_directions(3, planted_model.cfg.d_model, torch.Generator().manual_seed(0))
    (loop,) = _play_both_ways(
        planted_model, specification, _worlds(graph, 24), direction=planted_direction, controls=controls
    )
    n_samples = 4 if sampler == "greedy" else 24  # a greedy player shows one episode per start
    assert loop.sampler == sampler
    for arm in (loop.intact, loop.same):
        assert arm.matching_target.estimate == 1
        assert arm.matching_target.n == n_samples
    assert loop.opposite.other_target.estimate == 1
    assert loop.opposite.other_target.n == n_samples
    assert loop.control.other_target.estimate == 0
    assert loop.control.other_target.n == 3 * n_samples
    assert loop.control_shares == (0.0, 0.0, 0.0)
    assert loop.p_value == 1 / 4


def test_a_control_that_is_the_direction_itself_does_as_much(
    planted_model: DecisionTransformer,
    planted_direction: Tensor,
    graph: StateGraph,
    specify: Callable[..., Specification],
) -> None:
    specification = specify(closed_loop={"samplers": ["greedy"], "n_episodes": 24, "n_draws": 1})
    (loop,) = _play_both_ways(
        planted_model,
        specification,
        _worlds(graph, 24),
        direction=planted_direction,
        controls=planted_direction[None],
    )
    assert loop.control == loop.opposite
    assert loop.p_value == 1


def test_shares_of_endings_add_up_to_one(
    planted_model: DecisionTransformer,
    planted_direction: Tensor,
    graph: StateGraph,
    specify: Callable[..., Specification],
) -> None:
    """Eight steps leave room for two detours of six: some episodes end well, some elsewhere, some not."""
    specification = specify(closed_loop={"samplers": ["uniform=0.4"], "n_episodes": 200, "n_draws": 1})
    hurried = _worlds(replace(graph, max_steps=8), 200)
    controls = random_directions(1, planted_model.cfg.d_model, torch.Generator().manual_seed(0))
    (loop,) = _play_both_ways(planted_model, specification, hurried, direction=planted_direction, controls=controls)
    for arm in (loop.intact, loop.same, loop.opposite, loop.control):
        shares = [share.estimate for share in (arm.matching_target, arm.other_target, arm.timeout)]
        assert sum(shares) == pytest.approx(1)
        assert all(0 < share < 1 for share in shares)
