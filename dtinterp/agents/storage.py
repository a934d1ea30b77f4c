"""An agent becomes an artefact and back."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch

from dtinterp.agents.network import RecurrentActorCritic
from dtinterp.agents.ppo import AgentConfig
from dtinterp.foundation.artefact import JSON, Artefact, Content, read_artefact, write_artefact

KIND = "agent"


def save_agent(
    path: Path,
    network: RecurrentActorCritic,
    config: AgentConfig,
    *,
    metrics: Mapping[str, JSON],
    replace: bool = False,
) -> Artefact:
    """Write the network, how it was trained and how it fares."""
    shape = {"n_items": network.embed.in_features, "n_actions": network.policy_head.out_features}
    content = Content(KIND, {"training": asdict(config), "shape": shape}, network.state_dict(), metrics)
    return write_artefact(path, content, parents=(), seed=config.seed, replace=replace)


def load_agent(path: Path) -> tuple[RecurrentActorCritic, Artefact]:
    """Read the network and its artefact."""
    artefact = read_artefact(path, kind=KIND)
    network = RecurrentActorCritic(
        **artefact.config["shape"], d_hidden=artefact.config["training"]["d_hidden"], generator=torch.Generator()
    )
    network.load_state_dict(dict(artefact.tensors))
    return network.eval(), artefact
