"""A world becomes an agent on disk."""

from dataclasses import asdict
from pathlib import Path

from dtinterp.agents.items import FrameItems
from dtinterp.agents.network import AgentPolicy, RecurrentActorCritic
from dtinterp.agents.ppo import AgentConfig
from dtinterp.agents.ppo import train_agent as train
from dtinterp.agents.storage import save_agent
from dtinterp.demonstrations.evaluate import Evaluation, evaluate
from dtinterp.demonstrations.samplers import Greedy, Sampler, Temperature, sampler_name
from dtinterp.foundation.artefact import Artefact, begin_log, keep_log, refuse_existing
from dtinterp.foundation.logbook import Logbook
from dtinterp.foundation.seeding import generator
from environments.making import make_worlds

AGENT = Path("results/agent")
N_EPISODES = 2000
"""Fresh episodes that judge an agent."""


def train_agent(config: AgentConfig, out: Path = AGENT, *, replace: bool = False) -> Artefact:
    """Train an agent in a MiniGrid world and judge it over 2,000 fresh episodes.

    Args:
        config: how it is trained.
        out: folder to write.
        replace: write it anew where it exists.
    """
    refuse_existing(out, replace=replace)
    worlds = make_worlds(config.env_id, config.n_worlds, generator=generator(config.seed, "agent/layouts"))
    network = train(worlds, config, Logbook(begin_log(out, fresh=True))).eval()
    samplers: tuple[Sampler, ...] = (Greedy(), Temperature(1.0))
    metrics = {sampler_name(sampler): asdict(judge(network, config.env_id, sampler)) for sampler in samplers}
    artefact = save_agent(out, network, config, metrics=metrics, replace=replace)
    keep_log(out)
    return artefact


def judge(network: RecurrentActorCritic, env_id: str, sampler: Sampler) -> Evaluation:
    """Play one episode in each of 2,000 worlds whose starts training did not draw."""
    worlds = make_worlds(env_id, N_EPISODES, generator=generator(0, "evaluation/layouts"))
    policy = AgentPolicy(network, FrameItems(worlds))
    return evaluate(policy, worlds, sampler, generator=generator(0, "evaluation/actions"))
