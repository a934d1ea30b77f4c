"""What a model is asked for along histories: one return, or what is still attainable from each state."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.demonstrations.trajectories import Trajectories
from environments.graph.shortest import NO_WAY
from environments.graph.state_graph import StateGraph


def asked_for(trajectories: Trajectories, target_return: float) -> Trajectories:
    """Return the same histories with one return asked at every step, instead of what they earned."""
    reward = torch.zeros_like(trajectories.reward)
    reward[_last_steps(trajectories)] = target_return  # all that is to come, whenever it is asked
    return replace(trajectories, reward=reward)


def asked_attainable(trajectories: Trajectories, graph: StateGraph, state: Int64[Tensor, " step"]) -> Trajectories:
    """Return the same histories with what is still attainable from each step's state asked for."""
    asked = attainable(graph, state, trajectories.time).double()
    following = asked.roll(-1)
    following[_last_steps(trajectories)] = 0.0
    return replace(trajectories, reward=(asked - following).float())


def attainable(graph: StateGraph, state: Int64[Tensor, " row"], time: Int64[Tensor, " row"]) -> Float32[Tensor, " row"]:
    """Return what the shortest way from each state, met after so many steps, would return: 1 − 0.9 n / max_steps.

    n counts all steps of the episode; 0 where there is no way, or too little time for it.
    """
    steps = torch.from_numpy(graph.steps_to_success.astype(np.int64))[state]
    n = time + steps
    return torch.where((steps != NO_WAY) & (n <= graph.max_steps), 1 - 0.9 * n / graph.max_steps, 0.0).float()


def _last_steps(trajectories: Trajectories) -> Int64[Tensor, " episode"]:
    return trajectories.length.long().cumsum(0) - 1
