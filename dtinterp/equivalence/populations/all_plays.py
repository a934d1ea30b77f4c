"""Every play of a world's first steps: contexts so few that none is left out.

A play begins at a start and goes on with any actions at all, up to `horizon` of them, or as long as the world goes on.
Its last step is a decision that is still to be made: the action that stands there is filled in, and no window that ends
there shows it. The return asked for stands at every step, as it does where the model acts.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int8, Int32, UInt8
from torch import Tensor

from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence.config import EquivalenceConfig
from dtinterp.equivalence.populations.moves import known_first
from dtinterp.foundation.errors import UserError
from environments.graph.enumeration import CONTINUES
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
    found = _enumerated(graph, config.horizon)
    length = torch.tensor([each.n_steps for each in found for _ in range(len(each.state))], dtype=torch.int32)
    state = np.concatenate([each.state.ravel() for each in found])
    action = np.concatenate([each.action.ravel() for each in found])
    reward = torch.zeros(len(action))
    reward[length.cumsum(0) - 1] = config.target_return  # all that is to come, whenever it is asked
    return Trajectories(
        env_id=graph.env_id,
        max_steps=graph.max_steps,
        frames=table,
        frame_id=row[torch.from_numpy(graph.frame_id[state]).long()],
        action=torch.from_numpy(action),
        reward=reward,
        fact_table=torch.zeros(1, 0, dtype=torch.int16),
        fact_id=torch.zeros(len(action), dtype=torch.int32),
        length=length,
        terminated=torch.zeros(len(length), dtype=torch.bool),
        sampler=torch.zeros(len(length), dtype=torch.int8),
        fact_names=(),
        samplers=("every action",),
    )


@dataclass(frozen=True)
class _Plays:
    """Plays of one length."""

    state: Int32[np.ndarray, "play step"]
    action: Int8[np.ndarray, "play step"]

    @property
    def n_steps(self) -> int:
        return self.state.shape[1]


def _enumerated(graph: StateGraph, horizon: int) -> list[_Plays]:
    found = []
    state, action = graph.start[:, None], np.zeros((len(graph.start), 0), dtype=np.int8)  # play step
    for n_actions in range(horizon + 1):
        goes_on = graph.outcome[state[:, -1]] == CONTINUES  # play action
        is_last = np.full(len(state), n_actions == horizon) | ~goes_on.any(1)
        filled = np.full((int(is_last.sum()), 1), FILLED_IN, dtype=np.int8)
        found.append(_Plays(state[is_last], np.concatenate([action[is_last], filled], axis=1)))
        play, taken = np.nonzero(goes_on & ~is_last[:, None])
        action = np.concatenate([action[play], taken[:, None].astype(np.int8)], axis=1)
        state = np.concatenate([state[play], graph.next_state[state[play, -1], taken][:, None]], axis=1)
    return found


def _refuse_more(graph: StateGraph, config: EquivalenceConfig) -> None:
    """Count the contexts without making them: a play of k actions has k + 1 observations to swap."""
    n_plays, n_contexts = np.bincount(graph.start, minlength=graph.n_states), 0
    for n_actions in range(config.horizon + 1):
        n_contexts += (n_actions + 1) * int(n_plays.sum())
        if n_contexts > config.most_contexts:
            raise UserError(
                f"plays of up to {config.horizon} steps in {graph.env_id} have {n_contexts:,} contexts by their "
                f"{n_actions + 1}. observation, more than most_contexts, {config.most_contexts:,}: give a shorter "
                "--horizon, or allow more."
            )
        state, action = np.nonzero(graph.outcome == CONTINUES)
        after = graph.next_state[state, action]
        n_plays = np.bincount(after, weights=n_plays[state], minlength=graph.n_states).astype(np.int64)
