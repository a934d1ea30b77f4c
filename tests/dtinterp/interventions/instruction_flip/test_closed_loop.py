from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from transformer_lens.hook_points import HookPoint

from dtinterp.agents.items import FrameItems
from dtinterp.agents.policy import first_observation, next_observation
from dtinterp.demonstrations.evaluate import play_episodes
from dtinterp.demonstrations.samplers import Greedy
from dtinterp.interventions.controls import random_directions
from dtinterp.interventions.edits.directions import AddDirection, SetDirection
from dtinterp.interventions.instruction_flip.closed_loop import PatchedPolicy, play_arms
from dtinterp.interventions.instruction_flip.dose import Dial
from dtinterp.interventions.instruction_flip.scenarios import FORWARD
from dtinterp.interventions.instruction_flip.specification import Specification
from dtinterp.interventions.intervene import ABSENT, Intervention, first_frame, intervene, last_frame
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.policy import WindowPolicy
from environments.families.memory import MEMORY_FACTS
from environments.graph.state_graph import StateGraph
from environments.worlds import GraphWorlds

SITE = "blocks.0.hook_resid_pre"
DIAL = Dial(centre=0.0, step=1.0)
TURN_LEFT = 0


def _worlds(graph: StateGraph, n_worlds: int) -> GraphWorlds:
    return GraphWorlds(graph, n_worlds, generator=torch.Generator().manual_seed(0))


def _policy(model: DecisionTransformer, worlds: GraphWorlds) -> WindowPolicy:
    return WindowPolicy(model, FrameItems(worlds), target_return=0.892)


def test_without_interventions_the_policy_is_the_intact_one(
    random_model: DecisionTransformer, graph: StateGraph
) -> None:
    worlds = _worlds(graph, 6)
    intact = _policy(random_model, worlds)
    patched = PatchedPolicy(intact, [])
    observation = first_observation(worlds.reset())
    memories = intact.start(6), patched.start(6)
    for step in range(12):
        decisions = intact.act(observation, memories[0]), patched.act(observation, memories[1])
        torch.testing.assert_close(decisions[1].logits, decisions[0].logits, atol=1e-4, rtol=1e-4)
        memories = decisions[0].memory, decisions[1].memory
        action = torch.full((6,), step % 2)  # left, right, left: the episode goes on
        observation = next_observation(worlds.step(action), action)


def test_the_patch_follows_the_first_frame_and_ends_when_it_has_left(
    random_model: DecisionTransformer, graph: StateGraph
) -> None:
    """Fourteen turns on the spot: the frame of time 0 stands in slot 9, 8, … 0, and then nowhere."""
    worlds = _worlds(graph, 3)
    coefficient = torch.tensor([1.0, -2.0, 3.0])
    direction = random_directions(1, random_model.cfg.d_model, torch.Generator().manual_seed(1))[0]
    patched = PatchedPolicy(
        _policy(random_model, worlds), [Intervention(SITE, first_frame, AddDirection(direction, coefficient))]
    )
    observation, memory = first_observation(worlds.reset()), patched.start(3)
    slots = []
    for time in range(14):
        decision = patched.act(observation, memory)
        memory = decision.memory
        slots.append(first_frame(memory.windows).tolist()[0])

        def patch(activation: Tensor, hook: HookPoint, time: int = time) -> Tensor:  # noqa: ARG001
            patched_by_hand = activation.clone()
            if time < 10:
                patched_by_hand[:, 3 * (9 - time) + 1] += torch.outer(coefficient, direction)
            return patched_by_hand

        by_hand = random_model.run_with_hooks(memory.windows, patched.policy.items.table, fwd_hooks=[(SITE, patch)])
        torch.testing.assert_close(decision.logits, by_hand[:, -1].detach(), atol=1e-4, rtol=1e-4)
        action = torch.full((3,), TURN_LEFT)
        observation = next_observation(worlds.step(action), action)
    assert slots == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, ABSENT, ABSENT, ABSENT, ABSENT]


def test_worlds_alike_but_for_their_coefficient_are_told_apart(
    random_model: DecisionTransformer, graph: StateGraph
) -> None:
    """Forty worlds have four windows between them; each must answer as it does where nothing is shared."""
    worlds = _worlds(graph, 40)
    direction = random_directions(1, random_model.cfg.d_model, torch.Generator().manual_seed(1))[0]
    coefficient = torch.tensor([1.0, -1.0, 0.5]).repeat(14)[:40]
    edits = [
        Intervention(SITE, first_frame, SetDirection(direction, coefficient)),
        Intervention(SITE, last_frame, AddDirection(direction, coefficient.flip(0))),
    ]
    patched = PatchedPolicy(_policy(random_model, worlds), edits)
    observation, memory = first_observation(worlds.reset()), patched.start(40)
    for _ in range(5):
        decision = patched.act(observation, memory)
        memory = decision.memory
        unshared = intervene(random_model, memory.windows, patched.policy.items.table, edits)[:, -1]
        torch.testing.assert_close(decision.logits, unshared, atol=1e-4, rtol=1e-4)
        assert len(decision.logits.round(decimals=3).unique(dim=0)) > 4
        action = torch.full((40,), FORWARD)
        observation = next_observation(worlds.step(action), action)


def test_only_different_windows_are_run(
    planted_model: DecisionTransformer, planted_direction: Tensor, graph: StateGraph
) -> None:
    worlds = _worlds(graph, 40)
    coefficient = torch.tensor([1.0, -1.0]).repeat(20)
    edit = Intervention(SITE, first_frame, SetDirection(planted_direction, coefficient))
    patched = PatchedPolicy(_policy(planted_model, worlds), [edit])
    sizes = []

    def count(tensor: Tensor, *, hook: HookPoint) -> None:  # noqa: ARG001
        sizes.append(len(tensor))

    planted_model.add_hook(SITE, count)
    patched.act(first_observation(worlds.reset()), patched.start(40))
    planted_model.reset_hooks()
    n_first_frames = len(worlds.reset().unique())
    assert sizes == [n_first_frames, 2 * n_first_frames]  # intact, then patched


def test_the_planted_model_solves_its_world(planted_model: DecisionTransformer, graph: StateGraph) -> None:
    worlds = _worlds(graph, 12)
    episodes = play_episodes(_policy(planted_model, worlds), worlds, Greedy(), generator=torch.Generator())
    assert episodes.success.all()
    assert (episodes.length == 6).all()


def test_each_world_is_turned_by_its_own_coefficient(
    planted_model: DecisionTransformer, planted_direction: Tensor, graph: StateGraph
) -> None:
    """All set to key: worlds with a ball go wrong, worlds with a key do not."""
    worlds = _worlds(graph, 16)
    is_ball = worlds.facts()[:, MEMORY_FACTS.index("instruction")] == 1
    everywhere_key = Intervention(SITE, first_frame, SetDirection(planted_direction, torch.ones(16)))
    patched = PatchedPolicy(_policy(planted_model, worlds), [everywhere_key])
    episodes = play_episodes(patched, worlds, Greedy(), generator=torch.Generator())
    assert torch.equal(episodes.success, ~is_ball)
    assert episodes.terminated.all()


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
    (loop,) = play_arms(
        planted_model,
        _worlds(graph, 24),
        specification,
        dial=DIAL,
        direction=planted_direction,
        controls=controls,
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
    (loop,) = play_arms(
        planted_model,
        _worlds(graph, 24),
        specification,
        dial=DIAL,
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
    (loop,) = play_arms(
        planted_model, hurried, specification, dial=DIAL, direction=planted_direction, controls=controls
    )
    for arm in (loop.intact, loop.same, loop.opposite, loop.control):
        shares = [share.estimate for share in (arm.matching_target, arm.other_target, arm.timeout)]
        assert sum(shares) == pytest.approx(1)
        assert all(0 < share < 1 for share in shares)
