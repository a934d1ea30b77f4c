import torch

from dtinterp.agents.items import FrameItems
from dtinterp.agents.network import AgentPolicy, RecurrentActorCritic
from dtinterp.agents.policy import first_observation, next_observation
from environments.graph.starts import exhaustive_layouts
from environments.twin_worlds import TwinWorlds
from environments.vocabulary import one_hot


def growing_worlds(graph, *, explore=False):
    generator = torch.Generator().manual_seed(0)
    return TwinWorlds(exhaustive_layouts(graph.env_id), 6, generator=generator, explore=explore)


def test_the_table_grows_with_the_worlds_and_keeps_its_rows(graph):
    worlds = growing_worlds(graph)
    items = FrameItems(worlds)
    before = items.table
    for action in torch.randint(3, (40, 6), generator=torch.Generator().manual_seed(1)):
        worlds.step(action)
    assert len(items.table) == len(worlds.frames) > len(before)
    assert torch.equal(items.table, one_hot(worlds.frames))
    assert torch.equal(items.table[: len(before)], before)


def test_a_table_that_did_not_grow_is_not_made_again(graph):
    items = FrameItems(growing_worlds(graph, explore=True))
    assert items.table is items.table


def test_an_agent_acts_alike_whether_frames_are_known_beforehand_or_met_on_the_way(graph):
    rng = torch.Generator().manual_seed(2)
    network = RecurrentActorCritic(n_items=980, n_actions=7, d_hidden=8, generator=rng)
    with torch.no_grad():
        network.policy_head.weight.normal_(generator=rng)
    logits = []
    for explore in (False, True):
        worlds = growing_worlds(graph, explore=explore)
        policy = AgentPolicy(network, FrameItems(worlds))
        observation, memory = first_observation(worlds.reset()), policy.start(6)
        acted = []
        for action in torch.randint(3, (40, 6), generator=torch.Generator().manual_seed(3)):
            decision = policy.act(observation, memory)
            acted.append(decision.logits)
            observation, memory = next_observation(worlds.step(action), action), decision.memory
        logits.append(torch.stack(acted))
    torch.testing.assert_close(*logits)
