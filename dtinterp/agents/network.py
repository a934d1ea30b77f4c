"""The recurrent actor-critic: preferences and a value from frames, through a core that remembers."""

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor, nn
from torch.nn import functional

from dtinterp.agents.items import FrameItems
from dtinterp.agents.policy import Decision, Observation
from dtinterp.agents.recurrent_cells import N_GATES, N_PARTS, Core, gru, lstm


class RecurrentActorCritic(nn.Module):
    """One-hot frames → linear → core → action logits and value.

    A world has few distinct frames, so all that depends on the frame alone (its embedding and what it sends into the
    gates) is computed once per distinct frame and gathered for the steps.
    """

    def __init__(
        self, *, n_items: int, n_actions: int, d_hidden: int, generator: torch.Generator, core: Core = "gru"
    ) -> None:
        """Initialise orthogonally, the policy head small (Andrychowicz et al. 2021, arXiv:2006.05990, §3.2).

        The value head is smaller than orthogonal, too: large values that no reward stands behind promise something to
        whoever avoids the end of an episode, and small ones teach the core little (docs/results/agents.md).
        """
        super().__init__()
        self.core: Core = core
        self.d_hidden = d_hidden
        self.embed = nn.Linear(n_items, d_hidden)
        self.from_frame = nn.Linear(d_hidden, N_GATES[core] * d_hidden)
        if core != "none":
            self.from_hidden = nn.Linear(d_hidden, N_GATES[core] * d_hidden)
        self.policy_head = nn.Linear(d_hidden, n_actions)
        self.value_head = nn.Linear(d_hidden, 1)
        self._initialise(generator)

    @property
    def shape(self) -> str:
        """What weights of another network must have in common with these, in words."""
        n_items, n_actions = self.embed.in_features, self.policy_head.out_features
        return f"core {self.core}, width {self.d_hidden}, {n_items} items and {n_actions} actions"

    def gates(self, items: Float32[Tensor, "frame item"]) -> Float32[Tensor, "frame gate"]:
        """Return what each distinct frame sends into the core."""
        return self.from_frame(torch.relu(self.embed(items)))

    def fresh(self, n_worlds: int) -> Float32[Tensor, "world d_memory"]:
        """Return the memory of worlds in which nothing was seen yet: zeros."""
        return self.value_head.weight.new_zeros(n_worlds, N_PARTS[self.core] * self.d_hidden)

    def advance(
        self,
        gates: Float32[Tensor, "world gate"],
        is_first: Bool[Tensor, " world"],
        memory: Float32[Tensor, "world d_memory"],
    ) -> Float32[Tensor, "world d_memory"]:
        """Return the next memory; it starts from zero where an episode begins."""
        memory = memory * ~is_first[:, None]
        match self.core:
            case "gru":
                return gru(gates, self.from_hidden(memory), memory)
            case "lstm":
                return lstm(gates, self.from_hidden(self.hidden_of(memory)), memory)
            case "none":
                return torch.tanh(gates)

    def hidden_of(self, memory: Float32[Tensor, "*shape d_memory"]) -> Float32[Tensor, "*shape d_hidden"]:
        """Return the part of the memory that actions and values are read from."""
        return memory[..., : self.d_hidden]

    def unroll(
        self,
        gates: Float32[Tensor, "time world gate"],
        is_first: Bool[Tensor, "time world"],
        memory: Float32[Tensor, "world d_memory"],
    ) -> Float32[Tensor, "time world d_hidden"]:
        """Return the hidden state after each step of whole sequences."""
        states = []
        for gate, first in zip(gates.unbind(), is_first.unbind(), strict=True):
            memory = self.advance(gate, first, memory)
            states.append(self.hidden_of(memory))
        return torch.stack(states)

    def _initialise(self, generator: torch.Generator) -> None:
        gains = {"policy_head.weight": 0.01, "value_head.weight": 0.3, "embed.weight": 2**0.5}
        for name, parameter in self.named_parameters():
            if parameter.is_meta:
                continue  # where shapes alone are asked for, nothing is drawn
            if parameter.dim() == 2:
                nn.init.orthogonal_(parameter, gain=gains.get(name, 1.0), generator=generator)
            else:
                nn.init.zeros_(parameter)


class FrameGates:
    """What frames send into the core of a network that stays as it is, computed once for each frame that is shown."""

    @torch.no_grad()
    def __init__(self, network: RecurrentActorCritic, items: FrameItems) -> None:
        """Compute nothing yet."""
        self._network, self._items = network, items
        self._table = network.gates(items.of(torch.empty(0, dtype=torch.int64)))
        self._is_known = torch.empty(0, dtype=torch.bool, device=self._table.device)

    @torch.no_grad()
    def of(self, frame_id: Int64[Tensor, " world"]) -> Float32[Tensor, "world gate"]:
        """Return the gates of the frames that worlds show now."""
        self._make_room()
        unknown = frame_id[~self._is_known[frame_id]].unique()
        if len(unknown):
            self._table[unknown] = self._network.gates(self._items.of(unknown))
            self._is_known[unknown] = True
        return functional.embedding(frame_id, self._table)

    def _make_room(self) -> None:
        n_new = self._items.n_frames - len(self._is_known)
        if n_new:
            self._table = torch.cat([self._table, self._table.new_empty(n_new, self._table.shape[1])])
            self._is_known = torch.cat([self._is_known, self._is_known.new_zeros(n_new)])


class AgentPolicy:
    """A trained network that acts in worlds."""

    def __init__(self, network: RecurrentActorCritic, items: FrameItems) -> None:
        """Bind the network to the frames of the worlds it will act in."""
        self.network = network
        self._gates = FrameGates(network, items)

    def start(self, n_worlds: int) -> Float32[Tensor, "world d_memory"]:
        """Return a memory of zeros."""
        return self.network.fresh(n_worlds)

    @torch.no_grad()
    def act(
        self, observation: Observation, memory: Float32[Tensor, "world d_memory"]
    ) -> Decision[Float32[Tensor, "world d_memory"]]:
        """Return the logits of each action and the next memory."""
        memory = self.network.advance(self._gates.of(observation.frame_id), observation.is_first, memory)
        return Decision(self.network.policy_head(self.network.hidden_of(memory)), memory)
