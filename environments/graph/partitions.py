"""Partitions of a world's states and frames: meanings that "equivalent observations" can have.

A partition of n things is a label for each of them, numbered from 0 in order of first appearance.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int32

from environments.graph.enumeration import NOWHERE, SUCCESS, number_rows
from environments.graph.state_graph import StateGraph


def same_image(graph: StateGraph) -> Int32[np.ndarray, " state"]:
    """Label states alike when they show the same frame."""
    return graph.frame_id


def optimal_actions(graph: StateGraph) -> Int32[np.ndarray, " state"]:
    """Label states alike when the same set of actions begins a shortest way to success."""
    return number_rows(graph.optimal)


def bisimulation(graph: StateGraph) -> Int32[np.ndarray, " state"]:
    """Label states alike when no sequence of actions earns different outcomes from them, whatever they show.

    This is the coarsest reward bisimulation, without the step counter (Givan, Dean and Greig 2003, "Equivalence notions
    and model minimization in Markov decision processes", section 3). One class that holds every state, and the end of
    the episode as one more that pays nothing and leads to itself, is refined until the members of each class agree on
    whether an action pays and on the class that it leads to. So failing is like having no way to success any more.
    """
    world = _with_an_end(graph)
    label = np.zeros(len(world.pays), dtype=np.int32)
    while True:
        refined = number_rows(np.column_stack([label, world.pays, label[world.next_state]]))
        if np.array_equal(refined, label):
            return number_rows(label[:-1])
        label = refined


def frame_partition(graph: StateGraph, state_label: Int32[np.ndarray, " state"]) -> Int32[np.ndarray, " frame"]:
    """Label frames alike when the states that show them carry the same set of labels."""
    is_shown_in = np.zeros((len(graph.frames), state_label.max() + 1), dtype=bool)
    is_shown_in[graph.frame_id, state_label] = True
    return number_rows(is_shown_in)


def timed_bisimulation(graph: StateGraph) -> Int32[np.ndarray, "time state"]:
    """Label pairs of a step counter and a state alike when no sequence of actions earns different rewards from them.

    This is the coarsest reward bisimulation of the world with its step counter: success pays less the later it comes,
    and nothing comes after the time limit. Row t holds the states after t steps, t from 0 to max_steps - 1; labels may
    be compared across rows, and 0 is the label of whatever can earn nothing more.
    """
    world = _with_an_end(graph)
    nothing = np.array([NOWHERE, 0], dtype=np.int32).repeat(graph.n_actions)
    numbers = {nothing.tobytes(): 0}
    rows = np.empty((graph.max_steps, graph.n_states), dtype=np.int32)
    after = np.zeros(len(world.pays), dtype=np.int32)
    for time in reversed(range(graph.max_steps)):
        paid_at = np.where(world.pays, time, NOWHERE)
        seen = np.column_stack([paid_at, after[world.next_state]]).astype(np.int32)
        classes, which = np.unique(seen, axis=0, return_inverse=True)
        labels = [numbers.setdefault(row.tobytes(), len(numbers)) for row in classes]
        after = np.array(labels, dtype=np.int32)[which.reshape(-1)]
        rows[time] = after[:-1]
    return rows


@dataclass(frozen=True)
class _WithAnEnd:
    """The moves of a world in which episodes never end: the last state pays nothing and leads to itself."""

    pays: Bool[np.ndarray, "state action"]
    next_state: Int32[np.ndarray, "state action"]


def _with_an_end(graph: StateGraph) -> _WithAnEnd:
    end = np.full((1, graph.n_actions), graph.n_states, dtype=np.int32)
    leads_to = np.where(graph.next_state == NOWHERE, graph.n_states, graph.next_state).astype(np.int32)
    pays = np.concatenate([graph.outcome == SUCCESS, np.zeros((1, graph.n_actions), dtype=bool)])
    return _WithAnEnd(pays, np.concatenate([leads_to, end]))


def is_refined_by(coarse: Int32[np.ndarray, " thing"], fine: Int32[np.ndarray, " thing"]) -> bool:
    """Return whether things that the fine partition labels alike are labelled alike by the coarse one as well."""
    pairs = np.unique(np.column_stack([fine, coarse]), axis=0)
    return len(pairs) == len(np.unique(fine))
