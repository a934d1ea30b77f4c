"""A small real world, random episodes in it, and a small model that nobody trained."""

from collections.abc import Callable
from typing import cast

import pytest
import torch
from jaxtyping import Float32, Int64
from torch import Tensor
from torch.nn import functional

from dtinterp.agents.policy import Decision, Observation
from dtinterp.dataset.split import Split, split
from dtinterp.demonstrations.collect import Share, collect
from dtinterp.demonstrations.samplers import Temperature
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence.swaps.chosen_frames import most_visited
from dtinterp.equivalence.swaps.contexts import Contexts, draw_contexts
from dtinterp.foundation.seeding import generator
from dtinterp.model.config import ModelConfig
from dtinterp.model.network.layers import Block
from dtinterp.model.network.transformer import DecisionTransformer
from environments.graph.state_graph import StateGraph, state_graph
from environments.vocabulary import one_hot
from environments.worlds import GraphWorlds

ENV_ID = "MiniGrid-MemoryS7FixedStartStatic-v0"
LEFT, FORWARD = 0, 2


class Indifferent:
    """A policy that likes all actions alike and remembers nothing."""

    def start(self, n_worlds: int) -> None:  # noqa: ARG002 - the protocol names it
        return None

    def act(self, observation: Observation, memory: None) -> Decision[None]:
        return Decision(torch.zeros(len(observation.frame_id), 7), memory)


@pytest.fixture(scope="session")
def graph() -> StateGraph:
    return state_graph(ENV_ID)


@pytest.fixture(scope="session")
def trajectories(graph: StateGraph) -> Trajectories:
    worlds = GraphWorlds(graph, 32, generator=generator(0, "worlds"))
    return collect(Indifferent(), worlds, [Share(Temperature(1.0), 12_000)], generator(0, "collect"))


@pytest.fixture(scope="session")
def halves(trajectories: Trajectories) -> Split:
    return split(trajectories, share=0.5, generator=generator(0, "split"))


@pytest.fixture(scope="session")
def items(trajectories: Trajectories) -> Float32[Tensor, "table item"]:
    return one_hot(trajectories.frames)


@pytest.fixture(scope="session")
def model() -> DecisionTransformer:
    """Its weights are large, so that every observation matters to it."""
    network = DecisionTransformer(ModelConfig(d_model=16, n_layers=2, n_heads=2, d_mlp=32), generator(0, "model"))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter *= 8
    return network


@pytest.fixture(scope="session")
def contexts(trajectories: Trajectories, halves: Split) -> Contexts:
    """Four for each of the twelve most visited frames."""
    return draw_contexts(
        trajectories,
        halves.held_out,
        frame_id=most_visited(trajectories, halves.held_out, 12).frame_id,
        n_contexts=4,
        n_slots=10,
        generator=generator(0, "contexts"),
    )


Reflexes = Callable[[Int64[Tensor, " frame"]], DecisionTransformer]


@pytest.fixture(scope="session")
def reflexes(graph: StateGraph) -> Reflexes:
    """Returns a transformer that answers each frame of the graph with the action given for it, whatever came before.

    One neuron per frame fires where all of that frame's items are there, and writes its action's logit.
    """
    frames = one_hot(torch.tensor(graph.frames))
    n_frames = len(frames)

    def planted(action: Int64[Tensor, " frame"]) -> DecisionTransformer:
        config = ModelConfig(
            n_frames + 7, n_layers=1, n_heads=1, d_mlp=n_frames, act_fn="relu", normalization_type="none"
        )
        network = DecisionTransformer(config, generator(0, "reflexes"))
        mlp = cast(Block, network.blocks[0]).mlp
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.zero_()
            network.W_obs[:, :n_frames] = frames.T
            mlp.W_in[:n_frames] = torch.eye(n_frames)
            mlp.b_in.fill_(1 - frames[0].sum())
            mlp.W_out[:, n_frames:] = 60 * functional.one_hot(action, 7).float()
            network.W_U[n_frames:] = torch.eye(7)
        return network.eval()

    return planted


@pytest.fixture(scope="session")
def forks(graph: StateGraph) -> Int64[Tensor, " fork"]:
    """The frames, by the graph's numbers, that are seen four steps ahead of a start, where the two targets come up."""
    state = graph.start
    for _ in range(4):
        state = graph.next_state[state, FORWARD]
    return torch.tensor(graph.frame_id[state]).long().unique()


@pytest.fixture(scope="session")
def left_at_the_fork(graph: StateGraph, forks: Int64[Tensor, " fork"], reflexes: Reflexes) -> DecisionTransformer:
    """Walks to the fork, turns left and walks on: right in one of two starts, and six steps long in each."""
    return reflexes(torch.full((len(graph.frames),), FORWARD).index_fill(0, forks, LEFT))
