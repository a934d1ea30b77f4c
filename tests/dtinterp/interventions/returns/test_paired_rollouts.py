import torch
from torch import Tensor
from transformer_lens.hook_points import HookPoint

from dtinterp.agents.items import FrameItems
from dtinterp.agents.policy import Decision, first_observation, next_observation
from dtinterp.demonstrations.evaluate import play_episodes
from dtinterp.demonstrations.samplers import Greedy
from dtinterp.interventions.controls.drawn import random_directions
from dtinterp.interventions.edits.add import Adding
from dtinterp.interventions.edits.set import Setting
from dtinterp.interventions.instruction_flip.scenarios import FORWARD
from dtinterp.interventions.intervene import Intervention, intervene
from dtinterp.interventions.parts.along import along
from dtinterp.interventions.returns.paired_rollouts import PatchedPolicy, SubstitutedPolicy
from dtinterp.interventions.slots import first_frame, last_frame
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.policy import WindowPolicy
from environments.families.memory import MEMORY_FACTS
from environments.graph.state_graph import StateGraph
from environments.worlds import GraphWorlds

SITE = "blocks.0.hook_resid_pre"
TURN_LEFT = 0


def _worlds(graph: StateGraph, n_worlds: int) -> GraphWorlds:
    return GraphWorlds(graph, n_worlds, generator=torch.Generator().manual_seed(0))


def _policy(model: DecisionTransformer, worlds: GraphWorlds) -> WindowPolicy:
    return WindowPolicy(model, FrameItems(worlds), target_return=0.892)


class Watcher:
    """Remembers what it was shown, and likes the action of that number."""

    def start(self, n_worlds):
        return torch.zeros(n_worlds, dtype=torch.int64)

    def act(self, observation, memory):
        return Decision(torch.nn.functional.one_hot(observation.frame_id % 7, 7).float(), memory)


def test_a_policy_acts_on_what_it_is_shown():
    frame_id = torch.tensor([0, 1, 2])
    shown = SubstitutedPolicy(Watcher(), torch.tensor([2, 2, 0]))
    assert shown.act(first_observation(frame_id), shown.start(3)).logits.argmax(1).tolist() == [2, 2, 0]


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
        _policy(random_model, worlds), [Intervention(SITE, first_frame, Adding(along(direction), coefficient))]
    )
    observation, memory = first_observation(worlds.reset()), patched.start(3)
    slots = []
    for time in range(14):
        decision = patched.act(observation, memory)
        memory = decision.memory
        slots.append(first_frame(memory.windows)[0].nonzero()[:, 0].tolist())

        def patch(activation: Tensor, hook: HookPoint, time: int = time) -> Tensor:  # noqa: ARG001
            patched_by_hand = activation.clone()
            if time < 10:
                patched_by_hand[:, 3 * (9 - time) + 1] += torch.outer(coefficient, direction)
            return patched_by_hand

        by_hand = random_model.run_with_hooks(memory.windows, patched.policy.items.table, fwd_hooks=[(SITE, patch)])
        torch.testing.assert_close(decision.logits, by_hand[:, -1].detach(), atol=1e-4, rtol=1e-4)
        action = torch.full((3,), TURN_LEFT)
        observation = next_observation(worlds.step(action), action)
    assert slots == [*([slot] for slot in reversed(range(10))), [], [], [], []]


def test_worlds_alike_but_for_their_coefficient_are_told_apart(
    random_model: DecisionTransformer, graph: StateGraph
) -> None:
    """Forty worlds have four windows between them; each must answer as it does where nothing is shared."""
    worlds = _worlds(graph, 40)
    direction = random_directions(1, random_model.cfg.d_model, torch.Generator().manual_seed(1))[0]
    coefficient = torch.tensor([1.0, -1.0, 0.5]).repeat(14)[:40]
    edits = [
        Intervention(SITE, first_frame, Setting(along(direction), coefficient)),
        Intervention(SITE, last_frame, Adding(along(direction), coefficient.flip(0))),
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
    edit = Intervention(SITE, first_frame, Setting(along(planted_direction), coefficient))
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
    everywhere_key = Intervention(SITE, first_frame, Setting(along(planted_direction), torch.ones(16)))
    patched = PatchedPolicy(_policy(planted_model, worlds), [everywhere_key])
    episodes = play_episodes(patched, worlds, Greedy(), generator=torch.Generator())
    assert torch.equal(episodes.success, ~is_ball)
    assert episodes.terminated.all()
