"""An agent on disk becomes demonstrations on disk."""

from dataclasses import dataclass
from pathlib import Path

from dtinterp.agents.items import FrameItems
from dtinterp.agents.network import AgentPolicy
from dtinterp.agents.storage import load_agent
from dtinterp.commands.claiming import claims_out
from dtinterp.commands.data.train_agent import AGENT
from dtinterp.demonstrations.collect import PUBLISHED_RECIPE, Collection, parse_shares
from dtinterp.demonstrations.storage import record_trajectories
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.ranges import require_sensible
from dtinterp.foundation.seeding import generator
from environments.making import make_worlds

DEMONSTRATIONS = Path("results/demonstrations")


@dataclass(frozen=True)
class CollectConfig:
    """Which demonstrations are collected."""

    sampler: tuple[str, ...] = PUBLISHED_RECIPE
    """shares SAMPLER:STEPS, several words or one quoted text; SAMPLER is temperature=T (softmax of logits / T), greedy,
    top-k=K or bottom-k=K (softmax over the K most or least preferred actions), uniform, epsilon-greedy=E (uniform with
    chance E, else greedy) or uniform=E (uniform with chance E, else temperature 1)"""
    env_id: str | None = None
    """world that is meant; refused where the agent was trained in another one"""
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
        require_sensible(self)


@claims_out
def collect(
    config: CollectConfig, agent: Path = AGENT, out: Path = DEMONSTRATIONS, *, replace: bool = False
) -> Artefact:
    """Record an agent's demonstrations, by default the published recipe at temperatures 1 and 5.

    Ctrl-C ends the collection and keeps the episodes that have ended, as an artefact that says it is not complete.

    Args:
        config: which demonstrations.
        agent: folder of the agent, as train-agent wrote it.
        out: folder to write.
        replace: write it anew where it exists.
    """
    shares = parse_shares(config.sampler)
    trained = load_agent(agent)
    env_id = trained.config.env_id
    if config.env_id not in (None, env_id):
        raise UserError(f"{agent} was trained in {env_id}, not in {config.env_id}: give an agent of that world.")
    worlds = make_worlds(env_id, config.n_worlds, generator=generator(config.seed, "demonstrations/layouts"))
    collection = Collection(AgentPolicy(trained.network, FrameItems(worlds)), worlds, shares)
    rng = generator(config.seed, "demonstrations/actions")
    return record_trajectories(out, collection, rng, parent=trained.artefact, seed=config.seed, replace=replace)
