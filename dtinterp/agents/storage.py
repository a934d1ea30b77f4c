"""Storage of agents: the weights of a network, how it was trained, and how it fares."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from pydantic import PositiveInt

from dtinterp.agents.config import AgentConfig
from dtinterp.agents.network import RecurrentActorCritic
from dtinterp.foundation.artefacts.artefact import JSON, Artefact, Content, write_artefact
from dtinterp.foundation.artefacts.codec import ArtefactKind, Beside, load
from dtinterp.foundation.artefacts.soundness import settings_of
from dtinterp.foundation.devices import device_of
from dtinterp.foundation.errors import UserError

AGAIN = "train it again"
LARGEST = 2**24
"""Of any size in a config; larger ones are larger than any memory."""
TRAINING = "training"
"""Name of the measurement that says what training took; the others say how the agent fares, by sampler."""


@dataclass(frozen=True)
class TrainedAgent:
    """A network, how it was trained, and the artefact it was read from."""

    network: RecurrentActorCritic
    config: AgentConfig
    artefact: Artefact


def save_agent(
    path: Path,
    network: RecurrentActorCritic,
    config: AgentConfig,
    *,
    metrics: Mapping[str, JSON],
    start: TrainedAgent | None = None,
    replace: bool = False,
) -> Artefact:
    """Write the network, how it was trained, the agent that it began as if it did, and how it fares."""
    written = _written(network, config)
    content = Content(AGENT.name, written.config, written.tensors, metrics, written.device)
    parents = () if start is None else (start.artefact,)
    return write_artefact(path, content, parents=parents, seed=config.seed, replace=replace)


def load_agent(path: Path) -> TrainedAgent:
    """Read an agent.

    Raises `UserError` where it is missing, damaged, or no agent, or has weights that are not those of its shape.
    """
    return load(path, AGENT)


class _AgentKind(ArtefactKind[TrainedAgent]):
    def encode(self, value: TrainedAgent) -> Beside:
        """Return the weights, and the settings that tell their shapes."""
        return _written(value.network, value.config)

    def decode(self, artefact: Artefact) -> TrainedAgent:
        """Build the network once its weights are known to be those of its shape."""
        path = artefact.path
        settings = settings_of(_Settings, artefact.config, str(path), advice=AGAIN)
        if _weight_shapes(settings, path) != {name: tuple(tensor.shape) for name, tensor in artefact.tensors.items()}:
            raise UserError(f"{path} does not have the weights of the shape that it says: {AGAIN}.")
        network = settings.network()
        network.load_state_dict(dict(artefact.tensors))
        return TrainedAgent(network.eval(), settings.training, artefact)


AGENT = _AgentKind("agent", TrainedAgent)


def _written(network: RecurrentActorCritic, config: AgentConfig) -> Beside:
    shape = {"n_items": network.embed.in_features, "n_actions": network.policy_head.out_features}
    settings = {"training": asdict(config), "shape": shape}
    return Beside(settings, tensors=network.state_dict(), device=device_of(config.device).type)


@dataclass(frozen=True)
class _Shape:
    n_items: PositiveInt
    n_actions: PositiveInt


@dataclass(frozen=True)
class _Settings:
    training: AgentConfig
    shape: _Shape

    def network(self) -> RecurrentActorCritic:
        """Build the network, whose weights are yet to come."""
        return RecurrentActorCritic(
            n_items=self.shape.n_items,
            n_actions=self.shape.n_actions,
            d_hidden=self.training.d_hidden,
            generator=torch.Generator(),
            core=self.training.core,
        )


def _weight_shapes(settings: _Settings, path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of each weight by name; nothing is allocated, however large the settings say that it is."""
    if max(settings.shape.n_items, settings.shape.n_actions, settings.training.d_hidden) > LARGEST:
        raise UserError(f"{path} says that it has weights larger than any memory: {AGAIN}.")
    with torch.device("meta"):
        return {name: tuple(weight.shape) for name, weight in settings.network().state_dict().items()}
