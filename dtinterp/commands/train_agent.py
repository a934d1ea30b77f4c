"""A world becomes an agent on disk."""

from dataclasses import asdict
from pathlib import Path

from dtinterp.agents.network import AgentPolicy, RecurrentActorCritic
from dtinterp.agents.ppo import AgentConfig
from dtinterp.agents.ppo import train_agent as train
from dtinterp.agents.storage import save_agent
from dtinterp.demonstrations.evaluate import Evaluation, evaluate
from dtinterp.demonstrations.samplers import Greedy, Sampler, Temperature, sampler_name
from dtinterp.foundation.artefact import Artefact, log_beside, refuse_existing
from dtinterp.foundation.logbook import Logbook
from dtinterp.foundation.seeding import generator
from environments.graph.state_graph import StateGraph, state_graph
from environments.vocabulary import one_hot
from environments.worlds import GraphWorlds

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
    graph = state_graph(config.env_id)
    worlds = GraphWorlds(graph, config.n_worlds, generator=generator(config.seed, "agent/layouts"))
    network = train(worlds, config, Logbook(log_beside(out, fresh=True))).eval()
    samplers: tuple[Sampler, ...] = (Greedy(), Temperature(1.0))
    metrics = {sampler_name(sampler): asdict(judge(network, graph, sampler)) for sampler in samplers}
    return save_agent(out, network, config, metrics=metrics, replace=replace)


def judge(network: RecurrentActorCritic, graph: StateGraph, sampler: Sampler) -> Evaluation:
    """Play one episode in each of 2,000 worlds whose starts training did not draw."""
    worlds = GraphWorlds(graph, N_EPISODES, generator=generator(0, "evaluation/layouts"))
    policy = AgentPolicy(network, one_hot(worlds.frames))
    return evaluate(policy, worlds, sampler, generator=generator(0, "evaluation/actions"))
