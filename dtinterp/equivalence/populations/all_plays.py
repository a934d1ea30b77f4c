"""Every play of a world's first steps: contexts so few that none is left out.

A play begins at a start and goes on with any actions at all, up to `horizon` of them, or as long as the world goes on.
Its last step is a decision that is still to be made: the action that stands there is filled in, and no window that ends
there shows it. The return asked for stands at every step, as it does where the model acts.
"""

from itertools import islice

import numpy as np
import torch
from jaxtyping import Int8, UInt8
from torch import Tensor

from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence.config import EquivalenceConfig
from dtinterp.equivalence.populations.asked import asked_for
from dtinterp.equivalence.populations.moves import known_first
from dtinterp.foundation.errors import UserError
from environments.graph.plays import count_histories, play_tree
from environments.graph.state_graph import StateGraph
from environments.vocabulary import ACTIONS

FILLED_IN = ACTIONS.index("done")


def plays(graph: StateGraph, config: EquivalenceConfig, *, known: UInt8[Tensor, "known view view 3"]) -> Trajectories:
    """Return all plays of up to `config.horizon` steps, those that begin another one left out.

    The frame table begins with the `known` frames, so that these keep their rows. Raises `UserError` where there are
    more than `config.most_contexts` contexts in them, and where the world never shows a known frame.
    """
    _refuse_more(graph, config)
    table, row = known_first(graph, known)
    tree = play_tree(graph, horizon=config.horizon, actions=range(graph.n_actions))
    last = tree.is_leaf.nonzero()[0].astype(np.int32)
    steps = [tree.path(last[tree.time[last] == time], time) for time in range(config.horizon + 1)]  # play step
    length = torch.from_numpy(tree.time[last].astype(np.int32) + 1)
    state = tree.state[np.concatenate([each.ravel() for each in steps])]
    action = np.concatenate([_filled_in(tree.action[each[:, 1:]]).ravel() for each in steps])
    found = Trajectories(
        env_id=graph.env_id,
        max_steps=graph.max_steps,
        frames=table,
        frame_id=row[torch.from_numpy(graph.frame_id[state]).long()],
        action=torch.from_numpy(action),
        reward=torch.zeros(len(action)),
        fact_table=torch.zeros(1, 0, dtype=torch.int16),
        fact_id=torch.zeros(len(action), dtype=torch.int32),
        length=length,
        terminated=torch.zeros(len(length), dtype=torch.bool),
        sampler=torch.zeros(len(length), dtype=torch.int8),
        fact_names=(),
        samplers=("every action",),
    )
    return asked_for(found, config.target_return)


def _filled_in(action: Int8[np.ndarray, "play taken"]) -> Int8[np.ndarray, "play step"]:
    return np.concatenate([action, np.full((len(action), 1), FILLED_IN, dtype=np.int8)], axis=1)


def _refuse_more(graph: StateGraph, config: EquivalenceConfig) -> None:
    """Count the contexts without making them: a play of k actions has k + 1 observations to swap."""
    n_contexts, counts = 0, islice(count_histories(graph, range(graph.n_actions)), config.horizon + 1)
    for n_actions, n_plays in enumerate(counts):
        n_contexts += (n_actions + 1) * n_plays
        if n_contexts > config.most_contexts:
            raise UserError(
                f"plays of up to {config.horizon} steps in {graph.env_id} have {n_contexts:,} contexts by their "
                f"{n_actions + 1}. observation, more than most_contexts, {config.most_contexts:,}: give a shorter "
                "--horizon, or allow more."
            )
