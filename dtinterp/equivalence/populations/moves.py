"""Plays as starts and actions: all that it takes to see them again, since the world does the rest."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int8, Int32, Int64, UInt8
from torch import Tensor

from dtinterp.demonstrations.frame_table import FrameTable
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.foundation.artefacts.soundness import require_equally_many, require_within
from environments.graph.enumeration import CONTINUES
from environments.graph.state_graph import StateGraph
from environments.vocabulary import ACTIONS


@dataclass(frozen=True)
class Moves:
    """Episodes, one after the other."""

    start: Int32[Tensor, " episode"]
    """states of the world's graph"""
    action: Int8[Tensor, " step"]
    length: Int32[Tensor, " episode"]
    """steps"""

    def __post_init__(self) -> None:
        """Refuse lengths that do not add up, and actions that no world has."""
        require_equally_many(starts=len(self.start), lengths=len(self.length))
        require_within("the length of a play", self.length, 1, max(1, len(self.action)))
        require_within("an action of a play", self.action, 0, len(ACTIONS) - 1)
        if int(self.length.sum()) != len(self.action):
            raise ValueError(f"plays of {int(self.length.sum())} steps, but {len(self.action)} actions are there")


@dataclass(frozen=True)
class Replay:
    """Plays as they were seen."""

    trajectories: Trajectories
    """paying nothing: what a model is asked for along them is nobody's reward"""
    state: Int64[Tensor, " step"]
    """of the world's graph"""


def replayed(moves: Moves, graph: StateGraph, *, known: UInt8[Tensor, "known view view 3"], player: str) -> Replay:
    """Play the moves in their world. The frame table begins with the `known` frames, so that these keep their rows.

    Raises ValueError for moves that the world does not have, and `UserError` where it never shows a known frame.
    """
    state, is_over = _states(moves, graph)
    frames, row = known_first(graph, known)
    return Replay(
        Trajectories(
            env_id=graph.env_id,
            max_steps=graph.max_steps,
            frames=frames,
            frame_id=row[torch.from_numpy(graph.frame_id[state]).long()],
            action=moves.action,
            reward=torch.zeros(len(state)),
            fact_table=torch.zeros(1, 0, dtype=torch.int16),
            fact_id=torch.zeros(len(state), dtype=torch.int32),
            length=moves.length,
            terminated=torch.from_numpy(is_over),
            sampler=torch.zeros(len(moves.length), dtype=torch.int8),
            fact_names=(),
            samplers=(player,),
        ),
        torch.from_numpy(state),
    )


def known_first(
    graph: StateGraph, known: UInt8[Tensor, "known view view 3"]
) -> tuple[UInt8[Tensor, "frame view view 3"], Int32[Tensor, " graph_frame"]]:
    """Return the known frames and then all others of the world, and the row of each of the world's frames in it."""
    row = torch.full((len(graph.frames),), -1, dtype=torch.int32)
    row[FrameTable.of_graph(graph).rows_of(known)] = torch.arange(len(known), dtype=torch.int32)
    others = row < 0
    row[others] = torch.arange(len(known), len(known) + int(others.sum()), dtype=torch.int32)
    return torch.cat([known, torch.tensor(graph.frames)[others]]), row


def _states(moves: Moves, graph: StateGraph) -> tuple[np.ndarray, np.ndarray]:
    """Return the state at each step, and whether the world ended each episode."""
    length, action, state = moves.length.numpy(), moves.action.numpy(), moves.start.numpy().astype(np.int64)
    if len(state) and not 0 <= state.min() <= state.max() < graph.n_states:
        raise ValueError(f"a play begins in a state that {graph.env_id} does not have")
    first = length.cumsum() - length
    along, is_over = np.zeros(len(action), dtype=np.int64), np.zeros(len(length), dtype=bool)
    for time in range(int(length.max())):
        running = (length > time).nonzero()[0]
        step = first[running] + time
        along[step] = state[running]
        goes_on = graph.outcome[state[running], action[step]] == CONTINUES
        if not goes_on[length[running] > time + 1].all():
            raise ValueError(f"a play goes on after {graph.env_id} ended it")
        is_over[running[~goes_on]] = True
        state[running[goes_on]] = graph.next_state[state[running], action[step]][goes_on]
    return along, is_over
