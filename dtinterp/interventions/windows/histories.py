"""Histories in a state graph: a world's starts by name, what follows from actions, and the windows at the end."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal, TypeAlias

import numpy as np
import torch
from jaxtyping import Float32
from pydantic import Field, StrictFloat
from torch import Tensor

from dtinterp.agents.policy import PAD_ACTION
from dtinterp.dataset.windows import padded
from dtinterp.foundation.errors import UserError
from dtinterp.interventions.windows.chosen import ChosenWindows, interned
from dtinterp.interventions.windows.predicate import telling, word_of
from dtinterp.subject.subject import Subject
from environments.graph.state_graph import StateGraph

Asked: TypeAlias = Literal["attainable"] | Annotated[StrictFloat, Field(allow_inf_nan=False)]
"""The return asked for at a start: a number, or what the shortest way from there returns."""

FOLLOWING = ("correct_turn", "instruction_visible", "keys_visible", "balls_visible", "time")
"""Facts that follow from others: no name needs them."""
_COMPLEMENT = {"key": "ball", "ball": "key"}


@dataclass(frozen=True)
class PlayHistory:
    """What happened since a start."""

    name: str
    states: tuple[int, ...]
    """states of the graph, the start first"""
    actions: tuple[int, ...] = ()
    """one fewer"""

    def then(self, action: int, state: int) -> "PlayHistory":
        """Return the history with one more action, which leads to `state`."""
        return replace(self, states=(*self.states, state), actions=(*self.actions, action))


def graph_of(subject: Subject) -> StateGraph:
    """Return the world's state graph. Raises `UserError` where its states cannot be enumerated."""
    if subject.graph is None:
        worlds = ", ".join(subject.trajectories.env_ids)
        raise UserError(f"the states of {worlds} cannot be enumerated: choose held_out windows, or a trajectory.")
    return subject.graph


def starts(graph: StateGraph) -> list[PlayHistory]:
    """Return a world's distinct starts, named by the facts that tell them apart.

    Those of the memory family have the names and the order of the published experiments, such as `Key,Key-Ball`: the
    instruction, then the left and the right target as seen on arrival.
    """
    found = np.unique(graph.start)
    facts = [dict(zip(graph.fact_names, row, strict=True)) for row in graph.facts[found].tolist()]
    is_memory = {"instruction", "top_target"} <= {*graph.fact_names}
    named = ("instruction", "top_target") if is_memory else ()
    others = telling(torch.tensor(graph.facts[found]), graph.fact_names, beside=(*named, *FOLLOWING))
    names = [
        " ".join([_configuration(each)] * is_memory + [f"{fact}={word_of(fact, each[fact])}" for fact in others])
        for each in facts
    ]
    order = sorted(range(len(found)), key=lambda place: _published_order(facts[place]) if is_memory else 0)
    return [PlayHistory(names[place] or "start", (int(found[place]),)) for place in order]


def windows_of(subject: Subject, graph: StateGraph, histories: Sequence[PlayHistory], *, asked: Asked) -> ChosenWindows:
    """Return the window at the end of each history; one that is longer than a window shows its newest frames.

    Raises `UserError` where there is no history.
    """
    if not histories:
        raise UserError(f"no history of {graph.env_id} is left: choose other plays, or ask less of their facts.")
    n_slots = subject.model.cfg.n_slots
    shown = sorted({state for history in histories for state in history.states})
    frames, rows = interned(subject.trajectories.frames, torch.tensor(graph.frames[graph.frame_id[shown]]))
    row_of = dict(zip(shown, rows.tolist(), strict=True))
    frame_id = torch.tensor([_newest([row_of[state] for state in each.states], n_slots, 0) for each in histories])
    action = torch.tensor([_newest([*each.actions, PAD_ACTION], n_slots, PAD_ACTION) for each in histories])
    time = torch.tensor([_newest([*range(len(each.states))], n_slots, -1) for each in histories])
    rtg = returns_asked(graph, histories, asked)[:, None].expand(-1, n_slots)
    return ChosenWindows(
        windows=padded(time >= 0, rtg=rtg, frame_id=frame_id, action=action, time=time),
        frames=frames,
        names=tuple(each.name for each in histories),
        facts=torch.tensor(graph.facts[[each.states[-1] for each in histories]]).long(),
        fact_names=graph.fact_names,
        n_items=subject.model.cfg.n_items,
    )


def returns_asked(graph: StateGraph, histories: Sequence[PlayHistory], asked: Asked) -> Float32[Tensor, " history"]:
    """Return what each history asks for at its start.

    `attainable` is 1 − 0.9 n / T, with n the fewest steps to success and T the world's time limit; 0 where there is no
    way.
    """
    if asked != "attainable":
        return torch.full((len(histories),), asked)
    steps = torch.tensor([int(graph.steps_to_success[each.states[0]]) for each in histories])
    return torch.where(steps >= 0, 1 - 0.9 * steps.double() / graph.max_steps, 0.0).float()


def _newest(column: list[int], n_slots: int, pad: int) -> list[int]:
    newest = column[-n_slots:]
    return [pad] * (n_slots - len(newest)) + newest


def _configuration(facts: dict[str, int]) -> str:
    instruction, left = (word_of(name, facts[name]) for name in ("instruction", "top_target"))
    return f"{instruction.title()},{left.title()}-{_COMPLEMENT[left].title()}"


def _published_order(facts: dict[str, int]) -> int:
    return 2 * facts["instruction"] + (facts["top_target"] != facts["instruction"])
