"""An agent on disk becomes demonstrations on disk."""

from dataclasses import dataclass
from pathlib import Path

from dtinterp.agents.items import FrameItems
from dtinterp.agents.network import AgentPolicy
from dtinterp.agents.storage import load_agent
from dtinterp.commands.train_agent import AGENT
from dtinterp.demonstrations.collect import PUBLISHED_RECIPE, parse_share
from dtinterp.demonstrations.collect import collect as collect_trajectories
from dtinterp.demonstrations.storage import save_trajectories
from dtinterp.foundation.artefact import Artefact, refuse_existing
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.seeding import generator
from environments.making import make_worlds

DEMONSTRATIONS = Path("results/demonstrations")


@dataclass(frozen=True)
class CollectConfig:
    """Which demonstrations are collected."""

    sampler: tuple[str, ...] = PUBLISHED_RECIPE
    """shares SAMPLER:STEPS, where SAMPLER is temperature=T, greedy, top-k=K or uniform=EPSILON"""
    n_worlds: int = 16
    """worlds stepped in parallel"""
    seed: int = 0
    """seed of layouts and actions"""

    def __post_init__(self) -> None:
        """Refuse to collect nothing."""
        if self.n_worlds < 1 or not self.sampler:
            raise UserError(
                f"n_worlds is {self.n_worlds} with {len(self.sampler)} samplers, expected at least one of each."
            )


def collect(
    config: CollectConfig, agent: Path = AGENT, out: Path = DEMONSTRATIONS, *, replace: bool = False
) -> Artefact:
    """Record an agent's demonstrations, by default the published recipe at temperatures 1 and 5.

    Args:
        config: which demonstrations.
        agent: folder of the agent, as train-agent wrote it.
        out: folder to write.
        replace: write it anew where it exists.
    """
    refuse_existing(out, replace=replace)
    shares = [parse_share(text) for text in config.sampler]
    trained = load_agent(agent)
    layouts = generator(config.seed, "demonstrations/layouts")
    worlds = make_worlds(trained.config.env_id, config.n_worlds, generator=layouts)
    policy = AgentPolicy(trained.network, FrameItems(worlds))
    trajectories = collect_trajectories(policy, worlds, shares, generator(config.seed, "demonstrations/actions"))
    return save_trajectories(out, trajectories, parent=trained.artefact, seed=config.seed, replace=replace)
