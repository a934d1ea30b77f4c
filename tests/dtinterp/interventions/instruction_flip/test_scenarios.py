from dataclasses import replace
from typing import cast

import gymnasium
import numpy as np
import pytest
import torch
from minigrid.core.world_object import Key
from minigrid.envs.memory import MemoryEnv

from dtinterp.agents.policy import PAD_ACTION
from dtinterp.foundation.errors import UserError
from dtinterp.interventions.instruction_flip.scenarios import (
    CONFIGURATIONS,
    FORWARD,
    Scenarios,
    configuration_names,
    decision_points,
    logit_difference,
    with_complement,
)
from dtinterp.model.network.transformer import DecisionTransformer
from environments.families.memory import MEMORY_FACTS
from environments.graph.state_graph import StateGraph, state_graph
from environments.vocabulary import item_index

FIRST, LAST = 5, 9
FLIPPED = [3, 2, 1, 0]
"""The configuration with the other instruction and the same targets."""


def test_configurations_are_named_as_in_the_published_experiments() -> None:
    assert configuration_names() == ("Key,Key-Ball", "Key,Ball-Key", "Ball,Ball-Key", "Ball,Key-Ball")


def test_windows_hold_the_start_and_four_steps_forward(scenarios: Scenarios) -> None:
    windows = scenarios.windows
    assert windows.time[0].tolist() == [0, 0, 0, 0, 0, 0, 1, 2, 3, 4]
    assert windows.mask[0].tolist() == [False] * 5 + [True] * 5
    assert windows.action[0].tolist() == [PAD_ACTION] * 5 + [FORWARD] * 4 + [PAD_ACTION]
    assert windows.rtg[0].tolist() == pytest.approx([0.0] * 5 + [0.892] * 5)
    assert all(torch.equal(windows.time[0], windows.time[each]) for each in range(1, 4))


def test_the_first_frame_shows_the_instruction_and_the_last_the_targets(scenarios: Scenarios) -> None:
    items = scenarios.items[scenarios.windows.frame_id]  # configuration slot item
    for index, (instruction, left) in enumerate(CONFIGURATIONS):
        right = {"key": "ball", "ball": "key"}[left]
        assert items[index, FIRST, item_index(f"{instruction} (2,6)")] == 1
        assert items[index, LAST, item_index(f"{left} (1,6)")] == 1
        assert items[index, LAST, item_index(f"{right} (5,6)")] == 1


def test_frames_are_what_minigrid_shows_on_the_way(scenarios: Scenarios, graph: StateGraph) -> None:
    env = cast(MemoryEnv, gymnasium.make(graph.env_id).unwrapped)
    met = set()
    for seed in range(40):
        frames = [env.reset(seed=seed)[0]["image"]]
        instruction, left = ("key" if isinstance(env.grid.get(*cell), Key) else "ball" for cell in ((1, 2), (5, 1)))
        frames += [env.step(FORWARD)[0]["image"] for _ in range(4)]
        index = CONFIGURATIONS.index((instruction, left))
        shown = scenarios.frames[scenarios.windows.frame_id[index, FIRST:]].numpy()
        assert (shown == frames).all()
        met.add(index)
    assert met == {0, 1, 2, 3}


def test_a_flipped_instruction_is_the_other_configuration_exactly(
    scenarios: Scenarios, random_model: DecisionTransformer
) -> None:
    """The law LD(flipped | Key,X) = LD(original | Ball,X)."""
    flipped = with_complement(scenarios, [(2, 6)])
    assert torch.equal(flipped.windows.frame_id, scenarios.windows.frame_id[FLIPPED])
    assert torch.equal(flipped.frames, scenarios.frames)
    other = logit_difference(random_model(scenarios.windows[torch.tensor(FLIPPED)], scenarios.items))
    assert torch.equal(logit_difference(random_model(flipped.windows, flipped.items)), other)
    assert not torch.allclose(logit_difference(random_model(scenarios.windows, scenarios.items)), other, atol=1e-3)


def test_decoys_change_the_object_at_their_cells_and_nothing_else(scenarios: Scenarios) -> None:
    cells = [(0, 5), (4, 2)]
    edited = with_complement(scenarios, cells)
    slots = [slot for slot in range(10) if slot != FIRST]
    assert torch.equal(edited.windows.frame_id[:, slots], scenarios.windows.frame_id[:, slots])
    assert torch.equal(edited.frames[: len(scenarios.frames)], scenarios.frames)
    before = scenarios.frames[scenarios.windows.frame_id[:, FIRST]]
    after = edited.frames[edited.windows.frame_id[:, FIRST]]
    changed = (before != after).nonzero()
    assert {tuple(row[1:].tolist()) for row in changed} == {(*cell, 0) for cell in cells}
    items = edited.items[edited.windows.frame_id[:, FIRST]]
    complement = ["ball", "ball", "key", "key"]
    for index, thing in enumerate(complement):
        assert all(items[index, item_index(f"{thing} ({x},{y})")] == 1 for x, y in cells)
    assert (items.sum(dim=1) == 147).all()


def test_configurations_that_look_alike_at_first_share_an_edited_frame(scenarios: Scenarios) -> None:
    edited = with_complement(scenarios, [(0, 5)])
    assert len(edited.frames) - len(scenarios.frames) == len(scenarios.windows.frame_id[:, FIRST].unique())


def test_editing_no_cells_changes_nothing(scenarios: Scenarios) -> None:
    unchanged = with_complement(scenarios, [])
    assert torch.equal(unchanged.windows.frame_id, scenarios.windows.frame_id)
    assert torch.equal(unchanged.frames, scenarios.frames)


def test_the_original_scenarios_stay_as_they_were(graph: StateGraph) -> None:
    scenarios = decision_points(graph, n_slots=10, target_return=0.892)
    before = scenarios.windows.frame_id.clone(), scenarios.frames.clone()
    with_complement(scenarios, [(0, 5), (2, 6)])
    assert torch.equal(scenarios.windows.frame_id, before[0])
    assert torch.equal(scenarios.frames, before[1])


def test_a_longer_corridor_is_walked_to_its_end() -> None:
    scenarios = decision_points(state_graph("MiniGrid-MemoryS9-v0"), n_slots=10, target_return=0.5)
    assert scenarios.windows.mask.sum(dim=1).tolist() == [7] * 4
    assert scenarios.items[scenarios.windows.frame_id[0, -1], item_index("key (1,6)")] == 1


def test_a_walk_longer_than_the_window_is_refused(graph: StateGraph) -> None:
    with pytest.raises(UserError, match="has 5 frames, the model sees 4"):
        decision_points(graph, n_slots=4, target_return=0.892)


def test_a_world_with_several_starts_beside_the_instruction_is_refused(graph: StateGraph) -> None:
    """Worlds of random size are such; here the corridor's second cell poses as another first one."""
    facts, further = graph.facts.copy(), graph.next_state[graph.start, FORWARD]
    facts[further, MEMORY_FACTS.index("x")] = 1
    start = np.concatenate([graph.start, further])
    ambiguous = replace(graph, facts=facts, start=start, start_probability=np.full(len(start), 1 / len(start)))
    with pytest.raises(UserError, match="has 2 starts beside a key with a key on the left, expected 1"):
        decision_points(ambiguous, n_slots=10, target_return=0.892)


def test_a_world_without_a_start_beside_the_instruction_is_refused(graph: StateGraph) -> None:
    elsewhere = replace(graph, start=graph.next_state[graph.start, FORWARD])
    with pytest.raises(UserError, match="has 0 starts beside a key with a key on the left, expected 1"):
        decision_points(elsewhere, n_slots=10, target_return=0.892)


def test_a_key_is_positive_and_a_ball_negative(scenarios: Scenarios) -> None:
    assert [name.split(",")[0] for name in configuration_names()] == ["Key", "Key", "Ball", "Ball"]
    assert scenarios.sign.tolist() == [1, 1, -1, -1]


def test_the_logit_difference_is_left_minus_right_at_the_last_slot() -> None:
    logits = torch.zeros(1, 2, 7)
    logits[0, 0] = 100.0
    logits[0, 1, :3] = torch.tensor([4.799, 1.033, 0.597])
    assert logit_difference(logits).item() == pytest.approx(3.766)
