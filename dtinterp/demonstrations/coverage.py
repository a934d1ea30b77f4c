"""Which states of the world the episodes passed through."""

from collections import defaultdict
from collections.abc import Iterator

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from dtinterp.demonstrations.frame_table import FrameTable
from dtinterp.demonstrations.trajectories import Trajectories
from environments.graph.state_graph import StateGraph

OVER = -1
"""The state of an episode that has ended or that the graph does not explain."""


def visited_states(trajectories: Trajectories, graph: StateGraph) -> Bool[Tensor, " state"]:
    """Return which states of the graph the episodes passed through, as far as their records tell.

    A state is more than its frame. So each episode is walked through the graph from every start that looks like its
    first step, frame and facts, with the actions that it took; walks that come to show other frames are dropped. Where
    two starts explain all that was seen, the episode counts for neither. Raises ValueError where facts of the graph
    are missing: without them starts cannot be told apart.
    """
    if not has_facts_of(trajectories, graph):
        raise ValueError(f"the facts are {trajectories.fact_names}, expected {graph.fact_names} among them")
    starts = _starts(trajectories, graph)  # episode candidate
    is_visited = torch.zeros(graph.n_states, dtype=torch.bool)
    explained = torch.stack([_is_explained(trajectories, graph, start) for start in starts.unbind(1)], dim=1)
    chosen = explained & (explained.sum(1, keepdim=True) == 1)
    start = torch.where(chosen, starts, OVER).amax(1)
    for state in _walk(trajectories, graph, start):
        is_visited[state[state != OVER]] = True
    return is_visited


def has_facts_of(trajectories: Trajectories, graph: StateGraph) -> bool:
    """Whether the episodes carry all the facts that the graph's states have."""
    return set(graph.fact_names) <= set(trajectories.fact_names)


def _starts(trajectories: Trajectories, graph: StateGraph) -> Int64[Tensor, "episode candidate"]:
    """Return the starts that each episode's first step may be; OVER fills the rows."""
    looks: defaultdict[bytes, list[int]] = defaultdict(list)
    for state in graph.start.tolist():
        looks[graph.frames[graph.frame_id[state]].tobytes() + graph.facts[state].tobytes()].append(state)
    first = trajectories.first_step
    n_situations = len(trajectories.fact_table)
    pair = trajectories.frame_id[first].long() * n_situations + trajectories.fact_id[first]
    distinct, row = pair.unique(return_inverse=True)
    column = [trajectories.fact_names.index(name) for name in graph.fact_names]
    frames, facts = trajectories.frames.numpy(), trajectories.fact_table[:, column].numpy()
    shown = [divmod(each, n_situations) for each in distinct.tolist()]
    found = [looks.get(frames[frame].tobytes() + facts[fact].tobytes(), []) for frame, fact in shown]
    width = max((len(states) for states in found), default=1) or 1
    padded = [states + [OVER] * (width - len(states)) for states in found]
    return torch.tensor(padded, dtype=torch.int64).reshape(-1, width)[row]


def _is_explained(
    trajectories: Trajectories, graph: StateGraph, start: Int64[Tensor, " episode"]
) -> Bool[Tensor, " episode"]:
    """Return whether a walk from these states shows the frames that were seen."""
    known = FrameTable.of_graph(graph).find(trajectories.frames)
    shown = torch.tensor(graph.frame_id, dtype=torch.int64)
    is_explained = start != OVER
    for time, state in enumerate(_walk(trajectories, graph, start)):
        is_going_on = time < trajectories.length
        step = trajectories.first_step[is_going_on] + time
        is_same = shown[state[is_going_on]] == known[trajectories.frame_id[step].long()]
        is_explained[is_going_on] &= is_same & (state[is_going_on] != OVER)
    return is_explained


def _walk(
    trajectories: Trajectories, graph: StateGraph, start: Int64[Tensor, " episode"]
) -> Iterator[Int64[Tensor, " episode"]]:
    """Yield the state of each episode at each time; OVER once it has ended."""
    next_state = torch.tensor(graph.next_state, dtype=torch.int64)
    state = start.clone()
    for time in range(int(trajectories.length.max()) if len(start) else 0):
        state[time >= trajectories.length] = OVER
        yield state
        is_going_on = state != OVER
        action = trajectories.action[trajectories.first_step[is_going_on] + time].long()
        state = state.clone()
        state[is_going_on] = next_state[state[is_going_on], action]
