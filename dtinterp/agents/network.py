"""Frames become preferences and a value, through a recurrent core."""

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor, nn
from torch.nn import functional

from dtinterp.agents.items import FrameItems
from dtinterp.agents.policy import Decision, Observation


class RecurrentActorCritic(nn.Module):
    """One-hot frames → linear → GRU (Cho et al. 2014, arXiv:1406.1078) → action logits and value.

    A world has few distinct frames, so all that depends on the frame alone (its embedding and what it sends into the
    gates) is computed once per distinct frame and gathered for the steps.
    """

    def __init__(self, *, n_items: int, n_actions: int, d_hidden: int, generator: torch.Generator) -> None:
        """Initialise orthogonally, the policy head small (Andrychowicz et al. 2021, arXiv:2006.05990, §3.2)."""
        super().__init__()
        self.d_hidden = d_hidden
        self.embed = nn.Linear(n_items, d_hidden)
        self.from_frame = nn.Linear(d_hidden, 3 * d_hidden)
        self.from_hidden = nn.Linear(d_hidden, 3 * d_hidden)
        self.policy_head = nn.Linear(d_hidden, n_actions)
        self.value_head = nn.Linear(d_hidden, 1)
        self._initialise(generator)

    def gates(self, items: Float32[Tensor, "frame item"]) -> Float32[Tensor, "frame gate"]:
        """Return what each distinct frame sends into the reset, update and candidate gates."""
        return self.from_frame(torch.relu(self.embed(items)))

    def advance(
        self,
        gates: Float32[Tensor, "world gate"],
        is_first: Bool[Tensor, " world"],
        hidden: Float32[Tensor, "world d_hidden"],
    ) -> Float32[Tensor, "world d_hidden"]:
        """Return the next hidden state; it starts from zero where an episode begins."""
        hidden = hidden * ~is_first[:, None]
        frame_reset, frame_update, frame_candidate = gates.chunk(3, dim=-1)
        own_reset, own_update, own_candidate = self.from_hidden(hidden).chunk(3, dim=-1)
        reset = torch.sigmoid(frame_reset + own_reset)
        update = torch.sigmoid(frame_update + own_update)
        candidate = torch.tanh(frame_candidate + reset * own_candidate)
        return torch.lerp(candidate, hidden, update)

    def unroll(
        self,
        gates: Float32[Tensor, "time world gate"],
        is_first: Bool[Tensor, "time world"],
        hidden: Float32[Tensor, "world d_hidden"],
    ) -> Float32[Tensor, "time world d_hidden"]:
        """Return the hidden state after each step of whole sequences."""
        states = []
        for gate, first in zip(gates.unbind(), is_first.unbind(), strict=True):
            hidden = self.advance(gate, first, hidden)
            states.append(hidden)
        return torch.stack(states)

    def _initialise(self, generator: torch.Generator) -> None:
        gains = {"policy_head.weight": 0.01, "embed.weight": 2**0.5}
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                nn.init.orthogonal_(parameter, gain=gains.get(name, 1.0), generator=generator)
            else:
                nn.init.zeros_(parameter)


class FrameGates:
    """What each frame sends into the gates of a network that stays as it is, computed once per frame."""

    @torch.no_grad()
    def __init__(self, network: RecurrentActorCritic, items: FrameItems) -> None:
        """Compute them for the frames known already."""
        self._network, self._items = network, items
        self._table = network.gates(items.table)

    @torch.no_grad()
    def of(self, frame_id: Int64[Tensor, " world"]) -> Float32[Tensor, "world gate"]:
        """Return the gates of the frames that worlds show now."""
        n_known, items = len(self._table), self._items.table
        if len(items) > n_known:
            self._table = torch.cat([self._table, self._network.gates(items[n_known:])])
        return functional.embedding(frame_id, self._table)


class AgentPolicy:
    """A trained network that acts in worlds."""

    def __init__(self, network: RecurrentActorCritic, items: FrameItems) -> None:
        """Bind the network to the frames of the worlds it will act in."""
        self.network = network
        self._gates = FrameGates(network, items)

    def start(self, n_worlds: int) -> Float32[Tensor, "world d_hidden"]:
        """Return a hidden state of zeros."""
        return self.network.value_head.weight.new_zeros(n_worlds, self.network.d_hidden)

    @torch.no_grad()
    def act(
        self, observation: Observation, memory: Float32[Tensor, "world d_hidden"]
    ) -> Decision[Float32[Tensor, "world d_hidden"]]:
        """Return the logits of each action and the next hidden state."""
        hidden = self.network.advance(self._gates.of(observation.frame_id), observation.is_first, memory)
        return Decision(self.network.policy_head(hidden), hidden)
