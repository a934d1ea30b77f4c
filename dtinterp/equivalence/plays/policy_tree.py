"""What a model does at every history of a world, asked for one return."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.foundation.jobs.job_cache import NO_CACHE, JobCache
from dtinterp.foundation.ranges import require_between, require_one_of, require_sensible
from dtinterp.model.network.frames import encoded
from dtinterp.model.network.history_logits import Asked, history_logits
from dtinterp.model.network.prefix_tree import prefix_tree
from dtinterp.model.network.transformer import DecisionTransformer
from environments.graph.plays import MOVES, PlayTree, play_tree
from environments.graph.state_graph import StateGraph

Actions: TypeAlias = Literal["moves", "all"]
"""Which actions plays may take: left, right and forward, or all that the world has."""


@dataclass(frozen=True)
class PlaysConfig:
    """Which plays, and what the model is asked for in them."""

    horizon: int = 7
    """the most actions in a history; those of 0, 1, 2, … count as well"""
    actions: Actions = "moves"
    """moves: left, right and forward; all: whatever the world knows"""
    target_return: float = 0.892
    """return asked for at every step"""

    def __post_init__(self) -> None:
        """Refuse an unknown choice of actions, and what cannot be meant."""
        require_between("horizon", self.horizon, 0, np.iinfo(np.int8).max)
        require_one_of(self, "actions", get_args(Actions))
        require_sensible(self)

    def tree(self, graph: StateGraph) -> PlayTree:
        """Return every history. Raises `WorldError` where they are too many, naming the horizon that would fit."""
        actions = MOVES if self.actions == "moves" else range(graph.n_actions)
        return play_tree(graph, horizon=self.horizon, actions=actions)


@dataclass(frozen=True)
class PolicyTree:
    """A policy as a function of histories."""

    tree: PlayTree
    frame_id: Int64[Tensor, " history"]
    """the graph's frame that the world shows at each history, whatever the model was shown in its place"""
    logits: Float32[Tensor, "history action"]
    target_return: float
    """what the model was asked for at every step"""

    def __len__(self) -> int:
        """Return the number of histories."""
        return len(self.tree)


def policy_tree(
    model: DecisionTransformer,
    graph: StateGraph,
    plays: PlaysConfig,
    *,
    substitute: Int64[Tensor, " graph_frame"] | None = None,
    cache: JobCache = NO_CACHE,
) -> PolicyTree:
    """Return what the model does at all plays of the world.

    With `substitute`, frame i of the graph is shown as frame `substitute[i]` at every slot of every window. Raises
    `WorldError` where there are more histories than fit.
    """
    tree = plays.tree(graph)
    frame_id = torch.from_numpy(graph.frame_id[tree.state]).long()
    shown = frame_id if substitute is None else substitute[frame_id]
    asked = model_asked(model, graph, plays.target_return)
    return PolicyTree(tree, frame_id, logits_at(asked, tree, shown, cache=cache), plays.target_return)


def model_asked(model: DecisionTransformer, graph: StateGraph, target_return: float) -> Asked:
    """Return the model, asked for a return in the world of the graph."""
    items = encoded(torch.tensor(graph.frames), model.cfg.n_items).to(model.W_obs.device)
    return Asked(model, items, target_return)


def logits_at(
    asked: Asked, tree: PlayTree, shown: Int64[Tensor, " history"], *, cache: JobCache = NO_CACHE
) -> Float32[Tensor, "history action"]:
    """Return the logits at every history when each history's last observation is the frame that is shown there."""
    parent, action = torch.tensor(tree.parent).long(), torch.tensor(tree.action).long()
    return history_logits(asked, prefix_tree(parent, action, shown), cache=cache)
