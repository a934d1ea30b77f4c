"""Feasible swaps: which frames the world might truly have shown in a context.

With h all frames and actions of the episode before the swapped step, in the window or not, and X(h) the states that the
world may be in after them, frame b could stand there if some state of X(h) shows it.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from dtinterp.dataset.windows import window
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence.swaps.contexts import Contexts
from dtinterp.equivalence.swaps.trials import Trials
from dtinterp.foundation.errors import UserError
from environments.graph.beliefs import WindowsOfGraph, beliefs, moved_on
from environments.graph.evaluation import PAD
from environments.graph.state_graph import StateGraph

CHUNK = 512
"""Contexts whose beliefs are held at once."""


@dataclass(frozen=True)
class Reachable:
    """For each ordered pair [a, b], the contexts of a where b could truly stand, and the worst that b did there."""

    n_contexts: Int64[Tensor, "frame frame"]
    maximum: Float32[Tensor, "frame frame"]
    """bits; 0 where there is no such context"""


def reachable(trials: Trials, could_stand: Bool[Tensor, "context frame"]) -> Reachable:
    """Sum the swaps up over those contexts in which the stand-in could have been seen."""
    is_of = trials.contexts.frame_id == trials.frame_id[:, None]  # frame context
    peak = torch.where(could_stand, trials.peak, 0.0)
    return Reachable(
        n_contexts=torch.stack([could_stand[chosen].sum(0) for chosen in is_of]),
        maximum=torch.stack([peak[chosen].max(0).values for chosen in is_of]),
    )


def steps_of_equals(
    graph: StateGraph, trajectories: Trajectories, steps: Int64[Tensor, " side"], *, table: Int64[Tensor, " table"]
) -> Int64[Tensor, " chosen"]:
    """Return steps that show frames of one set, all of which could truly stand at each of the steps.

    Swaps between these frames at these steps could all have happened. Of the sets of frames that the world might have
    shown at some step, the one is chosen that most steps allow, whatever else they allow. Raises `UserError` where no
    step leaves the world in doubt between two frames that the steps show.
    """
    shown = torch.zeros(len(graph.frames), dtype=torch.bool)
    shown[table[trajectories.frame_id[steps].long()]] = True
    parts = [_shown(graph, _expected(graph, trajectories, part, table)) & shown for part in steps.split(CHUNK)]
    could_stand = torch.cat(parts)  # step graph_frame
    kinds = could_stand.unique(dim=0)
    doubtful = kinds[kinds.sum(1) > 1]
    if not len(doubtful):
        raise UserError(
            f"what came before tells what {graph.env_id} shows at every held-out step, so no two observations could "
            "stand in the same place: leave only_reachable out."
        )
    allows = doubtful.float() @ (~could_stand).float().T == 0  # kind step
    best = int(allows.sum(1).argmax())
    is_among = doubtful[best][table[trajectories.frame_id[steps].long()]]
    return steps[allows[best] & is_among]


def frames_that_could_stand(
    graph: StateGraph,
    trajectories: Trajectories,
    contexts: Contexts,
    *,
    table: Int64[Tensor, " table"],
    frame_id: Int64[Tensor, " frame"],
) -> Bool[Tensor, "context frame"]:
    """Return, for each context, which of the frames `frame_id` the world might have shown at the swapped step.

    `table` gives each row of the trajectories' frame table its frame in the graph, as `worlds.places` finds it.
    """
    step = contexts.windows.step.gather(1, contexts.slot[:, None]).squeeze(1)
    parts = [_shown(graph, _expected(graph, trajectories, part, table)) for part in step.split(CHUNK)]
    return torch.cat(parts)[:, table[frame_id]]


def _expected(
    graph: StateGraph, trajectories: Trajectories, step: Int64[Tensor, " context"], table: Int64[Tensor, " table"]
) -> Bool[np.ndarray, "context state"]:
    """Return the states that the world may be in at each step, whatever it shows there."""
    first = trajectories.time[step] == 0
    possible = np.zeros((len(step), graph.n_states), dtype=bool)
    possible[first.numpy()] = np.isin(np.arange(graph.n_states), graph.start)
    later = step[~first]
    if len(later):
        n_slots = int(trajectories.time[later].max()) + 1  # one more than the longest past: a pad begins every episode
        past = window(trajectories, later - 1, n_slots)
        seen = WindowsOfGraph(
            torch.where(past.mask, table[past.frame_id], PAD).int().numpy(),
            torch.where(past.mask, past.action, PAD).roll(1, dims=1).int().numpy(),  # the action before each frame
        )
        possible[~first.numpy()] = moved_on(graph, beliefs(graph, seen), past.action[:, -1].numpy())
    return possible


def _shown(graph: StateGraph, possible: Bool[np.ndarray, "context state"]) -> Bool[Tensor, "context graph_frame"]:
    shown = np.zeros((len(possible), len(graph.frames)), dtype=bool)
    context, state = np.nonzero(possible)
    shown[context, graph.frame_id[state]] = True
    return torch.from_numpy(shown)
