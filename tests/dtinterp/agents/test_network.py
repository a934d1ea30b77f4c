import pytest
import torch
from torch import nn

from dtinterp.agents.items import FrameItems
from dtinterp.agents.network import AgentPolicy, RecurrentActorCritic
from dtinterp.agents.policy import Observation
from dtinterp.agents.recurrent_cells import Core


def network_of(seed: int, core: Core = "gru") -> RecurrentActorCritic:
    rng = torch.Generator().manual_seed(seed)
    network = RecurrentActorCritic(n_items=980, n_actions=7, d_hidden=12, generator=rng, core=core)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=rng))
    return network


CORES: tuple[Core, ...] = ("gru", "lstm", "none")


@pytest.fixture
def network():
    return network_of(0)


@pytest.fixture
def sequence(items):
    """Six steps of five worlds, with an episode beginning here and there."""
    rng = torch.Generator().manual_seed(1)
    frame_id = torch.randint(len(items), (6, 5), generator=rng)
    return frame_id, torch.rand(6, 5, generator=rng) < 0.3


@torch.no_grad()
def test_the_core_is_torchs_gru_cell(network, items):
    cell = nn.GRUCell(12, 12)
    cell.load_state_dict(
        {
            "weight_ih": network.from_frame.weight,
            "bias_ih": network.from_frame.bias,
            "weight_hh": network.from_hidden.weight,
            "bias_hh": network.from_hidden.bias,
        }
    )
    hidden = torch.randn(len(items), 12, generator=torch.Generator().manual_seed(2))
    goes_on = torch.zeros(len(items), dtype=torch.bool)
    ours = network.advance(network.gates(items), goes_on, hidden)
    torch.testing.assert_close(ours, cell(torch.relu(network.embed(items)), hidden))


@torch.no_grad()
@pytest.mark.parametrize("core", ["gru", "lstm"])
def test_where_an_episode_begins_the_past_is_forgotten(core, items):
    network = network_of(0, core)
    gates, fresh = network.gates(items)[:4], network.fresh(4)
    past = torch.randn(fresh.shape, generator=torch.Generator().manual_seed(2))
    begins = torch.tensor([True, False, True, False])
    mixed, unburdened = network.advance(gates, begins, past), network.advance(gates, begins, fresh)
    assert torch.equal(mixed[begins], unburdened[begins])
    assert not torch.isclose(mixed[~begins], unburdened[~begins]).all(dim=1).any()


@torch.no_grad()
def test_without_a_core_nothing_is_remembered(items):
    network = network_of(0, "none")
    past = torch.randn(4, 12, generator=torch.Generator().manual_seed(2))
    goes_on = torch.zeros(4, dtype=torch.bool)
    gates = network.gates(items)[:4]
    assert torch.equal(network.advance(gates, goes_on, past), network.advance(gates, goes_on, network.fresh(4)))


@torch.no_grad()
@pytest.mark.parametrize("core", CORES)
def test_unrolling_is_advancing_step_by_step(core, items, sequence):
    network = network_of(0, core)
    frame_id, is_first = sequence
    gates = network.gates(items)
    memory = torch.randn(network.fresh(5).shape, generator=torch.Generator().manual_seed(2))
    whole = network.unroll(gates[frame_id], is_first, memory)
    for step in range(6):
        memory = network.advance(gates[frame_id[step]], is_first[step], memory)
        assert torch.equal(whole[step], memory[:, :12])


def test_two_networks_of_one_seed_are_equal_to_the_bit():
    one, other = network_of(3), network_of(3)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_a_new_network_prefers_no_action():
    network = RecurrentActorCritic(n_items=980, n_actions=7, d_hidden=12, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network.embed.weight @ network.embed.weight.T, 2 * torch.eye(12), atol=1e-4, rtol=0)
    logits = network.policy_head(torch.randn(100, 12, generator=torch.Generator().manual_seed(1)).tanh())
    assert torch.softmax(logits, dim=-1).sub(1 / 7).abs().max() < 0.01


@torch.no_grad()
@pytest.mark.parametrize("core", CORES)
def test_an_agent_acts_as_its_network_does_on_the_frames_themselves(core, trajectories, items, sequence):
    network = network_of(0, core)
    frame_id, is_first = sequence
    policy = AgentPolicy(network, FrameItems(trajectories))
    memory, own = policy.start(5), network.fresh(5)
    for frames, begins in zip(frame_id, is_first, strict=True):
        seen = Observation(frames, begins, last_action=torch.full((5,), 7), last_reward=torch.zeros(5))
        decision = policy.act(seen, memory)
        memory = decision.memory
        own = network.advance(network.gates(items[frames]), begins, own)
        torch.testing.assert_close(decision.logits, network.policy_head(own[:, :12]))
