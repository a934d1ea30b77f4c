"""Windows of random play, and what an ideal observer believes after each: how likely every state is.

A play begins at a start and goes on with k actions, each of `actions` equally likely, k from 0 to `longest`; plays that
end before are left out. A window holds its last frames and the actions between them, and the time is known. With m_s
the chance of each state s steps after the start, a window that begins with frame f at time s leaves

    P(x | window) ∝ Σ m_s(x₀) over the states x₀ that show f, whose actions lead through just these frames to x
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float64, Int32, Int64

from environments.graph.beliefs import WindowsOfGraph
from environments.graph.enumeration import CONTINUES
from environments.graph.evaluation import PAD
from environments.graph.random_play import DIGITS, Posteriors
from environments.graph.state_graph import StateGraph


@dataclass(frozen=True)
class PlayedWindows:
    """Windows that each end at a time of their own."""

    actions: tuple[int, ...]
    """that plays draw from, all alike"""
    windows: WindowsOfGraph
    time: Int64[np.ndarray, " window"]
    """actions since the start, at the newest frame"""


def played_windows(
    graph: StateGraph,
    actions: Sequence[int],
    *,
    n_plays: int,
    n_slots: int,
    longest: int,
    generator: np.random.Generator,
) -> PlayedWindows:
    """Return the windows that `n_plays` random plays end with, each once; plays that ended before leave none.

    Raises ValueError for a negative number of actions.
    """
    if longest < 0:
        raise ValueError(f"plays are of up to {longest} actions, expected 0 or more")
    n, time = n_plays, generator.integers(0, longest + 1, n_plays)
    state = generator.choice(graph.start, n, p=graph.start_probability)
    frame_id = np.full((n, n_slots), PAD, dtype=np.int32)
    action = np.full((n, n_slots), PAD, dtype=np.int32)
    frame_id[:, -1], is_going = graph.frame_id[state], np.ones(n, dtype=bool)
    for step in range(longest):
        taken = generator.choice(np.array(actions), n)
        moves = is_going & (step < time)
        goes_on = graph.outcome[state, taken] == CONTINUES
        is_going &= goes_on | ~moves
        moves &= goes_on
        state = np.where(moves, graph.next_state[state, taken], state)
        shifted = np.column_stack([frame_id[:, 1:], graph.frame_id[state]])
        frame_id = np.where(moves[:, None], shifted, frame_id)
        action = np.where(moves[:, None], np.column_stack([action[:, 1:], taken]), action).astype(np.int32)
    rows = np.column_stack([time, frame_id, action])[is_going]
    rows = np.unique(rows, axis=0).astype(np.int32)
    windows = WindowsOfGraph(rows[:, 1 : n_slots + 1], rows[:, n_slots + 1 :])
    return PlayedWindows(tuple(actions), windows, rows[:, 0].astype(np.int64))


def window_posteriors(graph: StateGraph, played: PlayedWindows) -> Posteriors:
    """Return what is believed after each window; raises ValueError for one that no play can leave."""
    frame_id, action = played.windows.frame_id, played.windows.action
    n_windows, n_slots = frame_id.shape
    first = (frame_id != PAD).argmax(axis=1)
    chances = _chances(graph, played.actions, int(played.time.max(initial=0)))
    window, state, chance = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0)
    for slot in range(n_slots):
        begun = np.flatnonzero(first == slot)
        goes_on = (graph.outcome[state, action[window, slot]] == CONTINUES) if len(window) else np.zeros(0, dtype=bool)
        window, state, chance = window[goes_on], state[goes_on], chance[goes_on]
        state = graph.next_state[state, action[window, slot]].astype(np.int64)
        started = chances[played.time[begun] - (n_slots - 1 - slot)]  # begun state
        row, there = np.nonzero(started)
        window, state = np.concatenate([window, begun[row]]), np.concatenate([state, there])
        chance = np.concatenate([chance, started[row, there]])
        shows = graph.frame_id[state] == frame_id[window, slot]
        window, state, chance = window[shows], state[shows], chance[shows]
    return _normalised(n_windows, graph.n_states, window, state, chance)


def same_posterior(found: Posteriors) -> Int32[np.ndarray, " belief"]:
    """Label beliefs alike that hold the same states possible, with the same chances."""
    numbers: dict[bytes, int] = {}
    ends = np.searchsorted(found.belief, np.arange(found.n_beliefs + 1))
    keys = (
        found.state[start:end].tobytes() + found.chance[start:end].round(DIGITS).tobytes()
        for start, end in pairwise(ends.tolist())
    )
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int32)


def _chances(graph: StateGraph, actions: Sequence[int], longest: int) -> Float64[np.ndarray, "time state"]:
    """Return how likely each state is after so many random actions, ended plays left out."""
    mass = np.bincount(graph.start, weights=graph.start_probability, minlength=graph.n_states)
    goes_on, next_state = graph.outcome[:, actions] == CONTINUES, graph.next_state[:, actions]
    rows = [mass]
    for _ in range(longest):
        flow = np.broadcast_to(rows[-1][:, None] / len(actions), goes_on.shape)[goes_on]
        rows.append(np.bincount(next_state[goes_on], weights=flow, minlength=graph.n_states))
    return np.stack(rows)


def _normalised(
    n_windows: int,
    n_states: int,
    window: Int64[np.ndarray, " entry"],
    state: Int64[np.ndarray, " entry"],
    chance: Float64[np.ndarray, " entry"],
) -> Posteriors:
    """Return each window's states once, in order."""
    total = np.bincount(window, weights=chance, minlength=n_windows)
    if not (total > 0).all():
        raise ValueError(f"window {int(np.argmin(total))} can be left by no play of this world")
    key, which = np.unique(window * n_states + state, return_inverse=True)
    share = np.bincount(which.reshape(-1), weights=chance / total[window], minlength=len(key))
    return Posteriors(n_windows, key // n_states, key % n_states, share)
