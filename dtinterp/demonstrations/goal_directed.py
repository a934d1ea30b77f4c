"""Goal-directed episodes from a state graph, in which the world shows every observation that it has.

Demonstrations show what a player meets: 814 of the 1,154 observations of the movable Memory world, 441 of them on the
held-out side. A tour goes on purpose to where an observation is shown, so that it has contexts as well.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int8, Int32

from dtinterp.demonstrations.trajectories import Trajectories
from environments.graph.enumeration import CONTINUES, FAILURE, SUCCESS
from environments.graph.shortest import NO_WAY, optimal_actions, steps_to_success
from environments.graph.state_graph import StateGraph
from environments.twin.dynamics import reward_after

STROLL = 5
"""Steps at random, at most, before a tour makes for its observation."""

HOMEWARD, ASTRAY = "tour, then the shortest way", "tour, then uniform"
"""How a tour goes on from its observation, by turns: to success, so that the return asked for is high, or at random."""


def tours(graph: StateGraph, *, n_tours: int, generator: np.random.Generator) -> Trajectories:
    """Return `n_tours` episodes for each frame that the graph shows, frame after frame; frames are numbered as there.

    A tour walks at random for up to `STROLL` steps, takes a shortest way to some state that shows its frame, and goes
    on to success or at random. An episode ends where the world ends it or time runs out.
    """
    episodes = [
        _episode(graph, way, is_homeward=number % 2 == 0, generator=generator)
        for way in (_way_to(graph, frame) for frame in range(len(graph.frames)))
        for number in range(n_tours)
    ]
    action = np.concatenate([episode.action for episode in episodes])
    return Trajectories(
        env_id=graph.env_id,
        max_steps=graph.max_steps,
        frames=torch.tensor(graph.frames),
        frame_id=torch.from_numpy(graph.frame_id[np.concatenate([episode.state for episode in episodes])]),
        action=torch.from_numpy(action),
        reward=torch.cat([_reward(episode, graph.max_steps) for episode in episodes]),
        fact_table=torch.zeros(1, 0, dtype=torch.int16),
        fact_id=torch.zeros(len(action), dtype=torch.int32),
        length=torch.tensor([len(episode.action) for episode in episodes], dtype=torch.int32),
        terminated=torch.tensor([episode.outcome != CONTINUES for episode in episodes]),
        sampler=torch.tensor([number % 2 for number in range(n_tours)] * len(graph.frames), dtype=torch.int8),
        fact_names=(),
        samplers=(HOMEWARD, ASTRAY),
    )


@dataclass(frozen=True)
class _Way:
    """The shortest ways to a frame."""

    frame: int
    leads_there: Bool[np.ndarray, "state action"]
    """whether the frame can still be reached after an action"""
    is_shortest: Bool[np.ndarray, "state action"]
    can_start: Int32[np.ndarray, " start"]
    """states in which an episode can begin that meets the frame"""


@dataclass(frozen=True)
class _Episode:
    state: Int32[np.ndarray, " step"]
    action: Int8[np.ndarray, " step"]
    outcome: int


def _way_to(graph: StateGraph, frame: int) -> _Way:
    is_there = graph.frame_id == frame
    arrives = (graph.outcome == CONTINUES) & is_there[graph.next_state]
    outcome = np.where(graph.outcome == CONTINUES, np.where(arrives, SUCCESS, CONTINUES), FAILURE).astype(np.int8)
    steps = steps_to_success(graph.next_state, outcome)
    can_reach = is_there | (steps != NO_WAY)
    return _Way(
        frame=frame,
        leads_there=(graph.outcome == CONTINUES) & can_reach[graph.next_state],
        is_shortest=optimal_actions(graph.next_state, outcome, steps=steps),
        can_start=graph.start[can_reach[graph.start]],
    )


def _episode(graph: StateGraph, way: _Way, *, is_homeward: bool, generator: np.random.Generator) -> _Episode:
    states, actions = [], []
    state, outcome = int(generator.choice(way.can_start)), CONTINUES
    n_strolled, has_arrived = int(generator.integers(STROLL + 1)), False
    while outcome == CONTINUES and len(actions) < graph.max_steps:
        has_arrived |= len(actions) >= n_strolled and int(graph.frame_id[state]) == way.frame
        if has_arrived:
            allowed = graph.optimal[state] if is_homeward else np.ones(graph.n_actions, dtype=bool)
        else:
            allowed = (way.leads_there if len(actions) < n_strolled else way.is_shortest)[state]
        action = int(generator.choice(allowed.nonzero()[0] if allowed.any() else graph.n_actions))
        states.append(state)
        actions.append(action)
        outcome, state = int(graph.outcome[state, action]), int(graph.next_state[state, action])
    return _Episode(np.array(states, dtype=np.int32), np.array(actions, dtype=np.int8), outcome)


def _reward(episode: _Episode, max_steps: int) -> torch.Tensor:
    reward = torch.zeros(len(episode.action))
    if episode.outcome == SUCCESS:
        reward[-1] = reward_after(torch.tensor(len(reward)), max_steps)
    return reward
