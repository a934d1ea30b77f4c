"""The memory task: go to the end of a corridor, to the object that was shown at its beginning."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Int32, Int64
from minigrid.core.constants import OBJECT_TO_IDX
from minigrid.envs.memory import MemoryEnv
from torch import Tensor

from environments.families.registry import cell_of_place, register
from environments.grid.cells import Thing
from environments.grid.facts import NO_YES, SeenCells, carried_kind, cell_value_at, kind_of
from environments.grid.flaws import Flaw, code_in, codes_of_things, within
from environments.grid.state import State
from environments.grid.transition import Ending, Transition
from environments.grid.world_spec import Parameter, Rule, WorldSpec
from environments.memory import MovableMemoryEnv

MEMORY_FACTS: tuple[str, ...] = (
    "instruction",
    "top_target",
    "correct_turn",
    "x",
    "y",
    "direction",
    "carrying",
    "instruction_visible",
    "keys_visible",
    "balls_visible",
    "time",
)
"""Names of the columns; `time`, the number of steps taken in the episode, comes last and is filled in by the worlds."""

_KEY_BALL = ("key", "ball")


@dataclass(frozen=True)
class MatchMemory(Rule):
    """Standing on the success cell pays, on the failure cell does not. Parameters: these two cells.

    The instruction is what the targets make it, whatever an edit put into the starting room. An object that is carried
    counts as visible, since the frame shows it. The correct turn is the one at the corridor's end, facing east.
    """

    parameters = (Parameter.END, Parameter.END)
    fact_names = MEMORY_FACTS[:-1]
    fact_values: ClassVar[dict[str, tuple[str, ...]]] = {
        "instruction": _KEY_BALL,
        "top_target": _KEY_BALL,
        "correct_turn": ("left", "right"),
        "instruction_visible": NO_YES,
    }

    def ending(self, transition: Transition) -> Ending:
        """End the episode at either end of the fork."""
        success = transition.position == transition.parameters[:, 0]
        return Ending(success | (transition.position == transition.parameters[:, 1]), success)

    def is_target_visible(self, state: State, seen: SeenCells) -> Bool[Tensor, " world"]:
        """Return whether the frame shows the instruction: a key or a ball that is neither target."""
        fork = _fork(state, seen.height)
        is_object = (kind_of(seen.cells) == OBJECT_TO_IDX["key"]) | (kind_of(seen.cells) == OBJECT_TO_IDX["ball"])
        is_target = (seen.grid_cell == fork.top[:, None]) | (seen.grid_cell == fork.bottom[:, None])
        return (is_object & ~is_target).any(1)

    def facts(self, state: State, seen: SeenCells) -> dict[str, Tensor]:
        """Return MEMORY_FACTS, time aside."""
        fork, kind = _fork(state, seen.height), kind_of(seen.cells)
        top_is_ball, bottom_is_ball = (
            kind_of(cell_value_at(state, cell)) == OBJECT_TO_IDX["ball"] for cell in (fork.top, fork.bottom)
        )
        return {
            "instruction": torch.where(fork.is_top_correct, top_is_ball, bottom_is_ball),
            "top_target": top_is_ball,
            "correct_turn": ~fork.is_top_correct,
            "x": state.position // seen.height,
            "y": state.position % seen.height,
            "direction": state.direction,
            "carrying": carried_kind(state),
            "instruction_visible": self.is_target_visible(state, seen),
            "keys_visible": (kind == OBJECT_TO_IDX["key"]).sum(1),
            "balls_visible": (kind == OBJECT_TO_IDX["ball"]).sum(1),
        }

    def flaws(self, state: State, codes: Int32[Tensor, "world cell"], spec: WorldSpec) -> Iterator[Flaw]:
        """Above the upper end and below the lower one lies a key or a ball, which nobody can move."""
        success, failure = (within(state.parameters[:, index], spec.n_cells) for index in (0, 1))
        step_to_target = torch.where(success % spec.height < spec.height // 2, -1, 1)
        for target in (success + step_to_target, failure - step_to_target):
            is_target = codes_of_things(_is_key_or_ball, codes.device)[code_in(codes, within(target, spec.n_cells))]

            def missing(world: int, target: Int64[Tensor, " world"] = target) -> str:
                place = spec.place(int(target[world]))
                return f"At {place}, beside an end of the fork, lies neither a key nor a ball; a target belongs there."

            yield Flaw(~is_target, missing)


@dataclass(frozen=True)
class _Fork:
    """The cells of the two targets, which nobody can move."""

    top: Int64[Tensor, " world"]
    bottom: Int64[Tensor, " world"]
    is_top_correct: Bool[Tensor, " world"]


def _fork(state: State, height: int) -> _Fork:
    success, failure, _ = state.parameters.unbind(1)
    is_top_correct = success % height < height // 2
    upper, lower = torch.where(is_top_correct, success, failure), torch.where(is_top_correct, failure, success)
    return _Fork(top=upper - 1, bottom=lower + 1, is_top_correct=is_top_correct)


def _is_key_or_ball(thing: Thing) -> bool:
    return thing.kind in _KEY_BALL


def _ends(env: MemoryEnv) -> tuple[int, int]:
    return cell_of_place(env, env.success_pos), cell_of_place(env, env.failure_pos)


register(MatchMemory(pickup_toggles=True), _ends, MemoryEnv)
register(MatchMemory(pickup_toggles=False), _ends, MovableMemoryEnv)
