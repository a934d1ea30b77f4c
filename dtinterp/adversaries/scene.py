"""Scenes: one window of a model, with what its world could have shown in its place."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Bool, Int64, UInt8
from torch import Tensor

from dtinterp.dataset.windows import Windows
from dtinterp.demonstrations.frame_table import ABSENT, FrameTable
from dtinterp.foundation.errors import UserError
from environments.graph.enumeration import CONTINUES, Enumeration, enumerate_states
from environments.graph.starts import exhaustive_layouts
from environments.graph.state_graph import StateGraph
from environments.grid.state import State
from environments.grid.world_spec import WorldSpec


@dataclass(frozen=True, eq=False)
class Scene:
    """One window and its world. `real` counts the slots that are no padding, from the oldest."""

    name: str
    window: Windows
    """batch of one; its frames are numbered as in `frames`"""
    frames: UInt8[Tensor, "real view view 3"]
    """what each real slot shows"""
    states: State
    """one state of the world at each real slot; where several would show the same, the first"""
    spec: WorldSpec
    shown: UInt8[Tensor, "graph_frame view view 3"]
    """all that the world ever shows"""
    possible: UInt8[Tensor, "history real view view 3"]
    """the distinct windows that the world could show under the same actions at the same times, this one first"""
    best: Bool[Tensor, "history action"]
    """which actions are best at the end of each; where a window leaves states in doubt, in any of them"""

    @property
    def n_real(self) -> int:
        """Slots that are no padding."""
        return len(self.frames)

    @property
    def first_slot(self) -> int:
        """The oldest slot that is no padding."""
        return self.window.n_slots - self.n_real

    @property
    def actions(self) -> Int64[Tensor, " between"]:
        """What was done between the frames."""
        return self.window.action[0, self.first_slot : -1]


def scene(graph: StateGraph, window: Windows, frames: UInt8[Tensor, "frame view view 3"], name: str) -> Scene:
    """Look up what the world could have shown instead of one window, whose frames stand in a table.

    Raises `UserError` where the window is not one of the world: nothing is then known of its states.
    """
    first = int(window.mask[0].int().argmax())
    shown = frames[window.frame_id[0, first:]]  # real view view 3
    paths = _paths(graph, window, first)
    windows = graph.frame_id[paths]  # path real
    place = FrameTable.of_graph(graph).find(shown).numpy()
    is_this = (windows == place).all(axis=1) & (place != ABSENT).all()
    if not is_this.any():
        raise UserError(f"the window {name!r} cannot occur in {graph.env_id}: give one that its world shows.")
    distinct, member = np.unique(windows, axis=0, return_inverse=True)
    this = member.reshape(-1)[is_this][0]
    order = np.concatenate([[this], np.delete(np.arange(len(distinct)), this)])
    best = np.zeros((len(distinct), graph.n_actions), dtype=bool)
    np.logical_or.at(best, member.reshape(-1), graph.optimal[paths[:, -1]])
    world = world_states(graph.env_id)
    return Scene(
        name=name,
        window=replace(window, frame_id=_renumbered(window, first)),
        frames=shown,
        states=world.states[torch.from_numpy(paths[is_this][0].astype(np.int64))],
        spec=world.spec,
        shown=torch.tensor(graph.frames),
        possible=torch.tensor(graph.frames[distinct[order]]),
        best=torch.tensor(best[order]),
    )


def scenes(graph: StateGraph, windows: Windows, frames: Tensor, names: Sequence[str]) -> tuple[Scene, ...]:
    """Return the scene of each window."""
    return tuple(scene(graph, windows[row : row + 1], frames, name) for row, name in enumerate(names))


@lru_cache
def world_states(env_id: str) -> Enumeration:
    """Return the states of a memory world whole, numbered as in its graph; later calls return the same."""
    return enumerate_states(exhaustive_layouts(env_id))


def _paths(graph: StateGraph, window: Windows, first: int) -> np.ndarray:
    """Return the states that each way through the window's actions passes, one row for each state it can begin in."""
    time = int(window.time[0, first])
    begins = graph.start if time == 0 else np.flatnonzero(world_states(graph.env_id).depth <= time)
    paths = np.unique(begins)[:, None]
    for action in window.action[0, first:-1].tolist():
        goes_on = graph.outcome[paths[:, -1], action] == CONTINUES
        paths = paths[goes_on]
        paths = np.column_stack([paths, graph.next_state[paths[:, -1], action]])
    return paths


def _renumbered(window: Windows, first: int) -> Int64[Tensor, "1 slot"]:
    """Number the window's frames by their real slots; pads keep the frame 0."""
    return (torch.arange(window.n_slots) - first).clamp(min=0)[None]
