from dataclasses import replace

import pytest
import torch

from dtinterp.demonstrations.coverage import visited_states
from dtinterp.demonstrations.trajectories import Trajectories
from environments.graph.state_graph import StateGraph, state_graph

STATIC, MOVABLE = "MiniGrid-MemoryS7FixedStartStatic-v0", "MiniGrid-MemoryS7FixedStart-v0"
RANDOM_LENGTH = "MiniGrid-MemoryS13Random-v0"


def wandered(graph: StateGraph, n_episodes: int, max_length: int = 30) -> tuple[Trajectories, torch.Tensor]:
    """Random episodes in a graph, and the state at each of their steps, which trajectories don't keep."""
    rng = torch.Generator().manual_seed(0)
    states, actions, lengths = [], [], []
    for _ in range(n_episodes):
        state, length = int(graph.start[int(torch.randint(len(graph.start), (), generator=rng))]), 0
        while state >= 0 and length < max_length:
            action = int(torch.randint(graph.n_actions, (), generator=rng))
            states.append(state)
            actions.append(action)
            state, length = int(graph.next_state[state, action]), length + 1
        lengths.append(length)
    state = torch.tensor(states)
    facts, fact_id = torch.tensor(graph.facts)[state].unique(dim=0, return_inverse=True)
    episodes = Trajectories(
        env_id=graph.env_id,
        max_steps=graph.max_steps,
        frames=torch.tensor(graph.frames),
        frame_id=torch.tensor(graph.frame_id)[state],
        action=torch.tensor(actions, dtype=torch.int8),
        reward=torch.zeros(len(state)),
        fact_table=facts,
        fact_id=fact_id.int(),
        length=torch.tensor(lengths, dtype=torch.int32),
        terminated=torch.ones(n_episodes, dtype=torch.bool),
        sampler=torch.zeros(n_episodes, dtype=torch.int8),
        fact_names=graph.fact_names,
        samplers=("uniform",),
    )
    return episodes, state


@pytest.mark.parametrize("env_id", [STATIC, MOVABLE])
def test_the_states_passed_through_are_those_of_the_walk_that_made_the_episodes(env_id):
    graph = state_graph(env_id)
    episodes, state = wandered(graph, n_episodes=200)
    visited = visited_states(episodes, graph)
    assert visited.nonzero().squeeze(1).tolist() == state.unique().tolist()
    assert 0 < visited.sum() < graph.n_states


def test_where_starts_look_alike_nothing_is_claimed_that_did_not_happen():
    graph = state_graph(RANDOM_LENGTH)
    looks = {graph.frames[graph.frame_id[s]].tobytes() + graph.facts[s].tobytes() for s in graph.start}
    assert len(looks) < len(graph.start)
    episodes, state = wandered(graph, n_episodes=300)
    visited, truth = visited_states(episodes, graph), torch.zeros(graph.n_states, dtype=torch.bool)
    truth[state] = True
    assert not (visited & ~truth).any()
    assert visited.sum() > 0.8 * truth.sum()


def test_an_episode_that_shows_what_its_actions_cannot_lead_to_passes_through_nothing():
    graph = state_graph(STATIC)
    episodes, _ = wandered(graph, n_episodes=1)
    last = int(episodes.frame_id[-1])
    episodes.frame_id[-1] = (last + 1) % len(graph.frames)
    assert not visited_states(episodes, graph).any()


def test_episodes_that_begin_where_none_can_begin_pass_through_nothing():
    graph = state_graph(STATIC)
    episodes, _ = wandered(graph, n_episodes=3)
    episodes.fact_table[:] = 99
    assert not visited_states(episodes, graph).any()


def test_facts_that_the_graph_does_not_know_change_nothing():
    graph = state_graph(STATIC)
    episodes, _ = wandered(graph, n_episodes=20)
    more = torch.cat([torch.full((len(episodes.fact_table), 1), 7, dtype=torch.int16), episodes.fact_table], dim=1)
    knowing = replace(episodes, fact_table=more, fact_names=("since_target", *episodes.fact_names))
    assert torch.equal(visited_states(knowing, graph), visited_states(episodes, graph))


def test_facts_of_the_graph_that_are_missing_are_refused():
    graph = state_graph(STATIC)
    episodes, _ = wandered(graph, n_episodes=1)
    poorer = replace(episodes, fact_table=episodes.fact_table[:, :1], fact_names=episodes.fact_names[:1])
    with pytest.raises(ValueError, match=r"the facts are \('instruction',\), expected"):
        visited_states(poorer, graph)
