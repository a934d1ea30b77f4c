"""The decision points of a Memory world: one window a configuration, and the same with edited frames."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor

from dtinterp.agents.policy import PAD_ACTION
from dtinterp.dataset.windows import Windows, padded
from dtinterp.foundation.errors import UserError
from dtinterp.interventions.slots import first_frame, slot_number
from dtinterp.interventions.windows.chosen import interned
from dtinterp.interventions.windows.decision_points import walked
from dtinterp.interventions.windows.frame_edits import COMPLEMENT, place
from dtinterp.interventions.windows.histories import PlayHistory
from environments.families.memory import MEMORY_FACTS
from environments.families.registry import FACT_VALUES
from environments.graph.state_graph import StateGraph
from environments.vocabulary import ACTIONS, one_hot

Cell: TypeAlias = tuple[int, int]
"""A cell (x, y) of the view."""

INSTRUCTION_CELL: Cell = (2, 6)
"""Where the first frame shows the instruction."""

CONFIGURATIONS: tuple[tuple[str, str], ...] = (("key", "key"), ("key", "ball"), ("ball", "ball"), ("ball", "key"))
"""Instruction and left target, in the order of the published experiments."""

LEFT, RIGHT, FORWARD = (ACTIONS.index(name) for name in ("left", "right", "forward"))


@dataclass(frozen=True)
class Scenarios:
    """What the model has seen when it must turn, one window a configuration, in the order of `CONFIGURATIONS`."""

    windows: Windows
    """batch = configuration"""
    frames: UInt8[Tensor, "frame view view 3"]
    """the world's frame table, edited frames behind it"""

    @cached_property
    def items(self) -> Float32[Tensor, "frame item"]:
        """The frame table, one-hot coded."""
        return one_hot(self.frames)

    @property
    def sign(self) -> Float32[Tensor, " configuration"]:
        """1 where the instruction is a key, −1 where it is a ball."""
        return torch.tensor([1.0 if instruction == "key" else -1.0 for instruction, _ in CONFIGURATIONS])


def left_target_sign() -> Float32[Tensor, " configuration"]:
    """Return 1 for each configuration whose left target is a key, −1 where it is a ball."""
    return torch.tensor([1.0 if left == "key" else -1.0 for _, left in CONFIGURATIONS])


def configuration_names() -> tuple[str, ...]:
    """Return names such as `Key,Key-Ball`: the instruction, then the left and the right target as seen on arrival."""
    return tuple(
        f"{instruction.title()},{left.title()}-{COMPLEMENT[left].title()}" for instruction, left in CONFIGURATIONS
    )


def decision_points(graph: StateGraph, *, n_slots: int, target_return: float) -> Scenarios:
    """Walk from each configuration's start along the corridor, and return the windows that end where the turn is due.

    The return-to-go is `target_return` at every step. Raises `UserError` where the world has no single start of a
    configuration beside the instruction, or where the walk has more frames than the window has slots.
    """
    starts = [_start(graph, instruction, left) for instruction, left in CONFIGURATIONS]
    walks = [walked(graph, PlayHistory("", (start,))).states for start in starts]
    n_frames = len(walks[0])
    if n_frames > n_slots:
        raise UserError(
            f"the walk to the decision point of {graph.env_id} has {n_frames} frames, the model sees {n_slots}: "
            "use a smaller world, or a model with more slots."
        )
    frame_id = torch.tensor(np.stack([graph.frame_id[[*walk]] for walk in walks]), dtype=torch.int64)
    return Scenarios(_windows(frame_id, n_slots=n_slots, target_return=target_return), torch.tensor(graph.frames))


def with_complement(scenarios: Scenarios, cells: Sequence[Cell]) -> Scenarios:
    """Return the scenarios with the object that is not the instruction put at `cells` of the first frame.

    At `INSTRUCTION_CELL` this flips the instruction, elsewhere it adds a decoy. A frame that the table holds already
    keeps its id, so that a flipped instruction gives exactly the windows of the other configuration.
    """
    slot = slot_number(first_frame(scenarios.windows))
    frames, frame_id = scenarios.frames, scenarios.windows.frame_id.clone()
    for configuration, (instruction, _) in enumerate(CONFIGURATIONS):
        edited = frames[frame_id[configuration, slot[configuration]]]
        for cell in cells:
            edited = place(edited, cell, COMPLEMENT[instruction])
        frames, row = interned(frames, edited[None])
        frame_id[configuration, slot[configuration]] = row[0]
    return Scenarios(replace(scenarios.windows, frame_id=frame_id), frames)


def logit_difference(logits: Float32[Tensor, "batch slot action"]) -> Float32[Tensor, " batch"]:
    """Return logit(left) − logit(right) at the last observation token."""
    return logits[:, -1, LEFT] - logits[:, -1, RIGHT]


def _start(graph: StateGraph, instruction: str, left: str) -> int:
    """Return the one start of a configuration at the corridor's beginning, facing east."""
    wanted = {
        "instruction": FACT_VALUES["instruction"].index(instruction),
        "top_target": FACT_VALUES["top_target"].index(left),  # whoever faces east has the top on the left
        "x": 1,
        "direction": FACT_VALUES["direction"].index("east"),
    }
    facts = graph.facts[graph.start]
    agrees = np.all([facts[:, MEMORY_FACTS.index(name)] == value for name, value in wanted.items()], axis=0)
    starts = np.unique(graph.start[agrees])
    if len(starts) != 1:
        raise UserError(
            f"{graph.env_id} has {len(starts)} starts beside a {instruction} with a {left} on the left, expected 1: "
            "use a world of one fixed size, such as MiniGrid-MemoryS7FixedStart-v0."
        )
    return int(starts[0])


def _windows(frame_id: Int64[Tensor, "batch frame"], *, n_slots: int, target_return: float) -> Windows:
    """Pad the walks on the left; the action of the last slot is the one in question."""
    n_windows, n_frames = frame_id.shape
    time = torch.arange(n_slots).expand(n_windows, -1) - (n_slots - n_frames)  # batch slot
    return padded(
        time >= 0,
        rtg=target_return,
        frame_id=torch.nn.functional.pad(frame_id, (n_slots - n_frames, 0)),  # batch slot
        action=torch.where(time < n_frames - 1, FORWARD, PAD_ACTION),
        time=time,
    )
