"""An agent becomes an artefact and back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from pydantic import TypeAdapter

from dtinterp.agents.config import AgentConfig
from dtinterp.agents.network import RecurrentActorCritic
from dtinterp.foundation.artefact import JSON, Artefact, Content, read_artefact, write_artefact
from dtinterp.foundation.devices import device_of
from dtinterp.foundation.understanding import understood

KIND = "agent"
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
    shape = {"n_items": network.embed.in_features, "n_actions": network.policy_head.out_features}
    content = Content(KIND, {"training": asdict(config), "shape": shape}, network.state_dict(), metrics)
    parents = () if start is None else (start.artefact,)
    return write_artefact(
        path, content, parents=parents, seed=config.seed, replace=replace, device=device_of(config.device).type
    )


@understood(KIND)
def load_agent(path: Path) -> TrainedAgent:
    """Read an agent. Raises `UserError` where it is missing, damaged, or no agent."""
    artefact = read_artefact(path, kind=KIND)
    settings = TypeAdapter(_Settings).validate_python(artefact.config)
    network = RecurrentActorCritic(
        n_items=settings.shape.n_items,
        n_actions=settings.shape.n_actions,
        d_hidden=settings.training.d_hidden,
        generator=torch.Generator(),
        core=settings.training.core,
    )
    network.load_state_dict(dict(artefact.tensors))
    return TrainedAgent(network.eval(), settings.training, artefact)


@dataclass(frozen=True)
class _Shape:
    n_items: int
    n_actions: int


@dataclass(frozen=True)
class _Settings:
    training: AgentConfig
    shape: _Shape
