"""A world becomes an agent on disk."""

from dataclasses import asdict
from pathlib import Path

import torch

from dtinterp.agents.config import AgentConfig
from dtinterp.agents.items import FrameItems
from dtinterp.agents.network import AgentPolicy, RecurrentActorCritic
from dtinterp.agents.storage import TRAINING, load_agent, save_agent
from dtinterp.agents.training import train_agent as train
from dtinterp.commands.claiming import claims_out
from dtinterp.demonstrations.evaluate import Evaluation, evaluate
from dtinterp.demonstrations.samplers import Greedy, Sampler, Temperature, sampler_name
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.devices import device_of
from dtinterp.foundation.jobs.interruption import TrainingRecord
from dtinterp.foundation.jobs.unfinished import begin_log, keep_log, unfinished_beside
from dtinterp.foundation.logbook import Logbook, notice
from dtinterp.foundation.seeding import generator
from dtinterp.foundation.tracking import Track, open_tracker
from environments.making import make_worlds
from environments.registration import SUPPORTED_IDS
from environments.resets import beginnings
from environments.worlds import Worlds

AGENT = Path("results/agent")
N_EPISODES = 2000
"""Fresh episodes that judge an agent."""
ON_TRAINING_LAYOUTS = "temperature=1 on training layouts"
"""Name under which an artefact keeps how its agent fares where it was trained, if layouts are drawn."""


@claims_out
def train_agent(
    config: AgentConfig,
    out: Path = AGENT,
    *,
    start_from: Path | None = None,
    replace: bool = False,
    track: Track = "none",
) -> Artefact:
    """Train an agent in a MiniGrid world and judge it over 2,000 fresh episodes.

    An interrupted training goes on where it stopped when the same command is given again.

    Args:
        config: how it is trained.
        out: folder to write.
        start_from: agent to begin with, as of a smaller world; None: random weights.
        replace: write it anew where it exists.
        track: draw curves beside the folder, for tensorboard or wandb (pip install 'dtinterp[track]'); neither sends
            anything over the network unless WANDB_MODE is online.
    """
    start = None if start_from is None else load_agent(start_from)
    device = device_of(config.device)
    unread = beginnings(config.env_id).unread_mission
    if unread is not None:
        notice(unread)
    unfinished = unfinished_beside(out)
    log = begin_log(out, fresh=not unfinished.exists())
    record = TrainingRecord(Logbook(log, open_tracker(track, out.with_name(f"{out.name}.{track}"))), unfinished)
    worlds = training_worlds(config, config.n_worlds, device)
    learned = train(worlds, config, record, start=start)
    network = learned.network.cpu().eval()
    metrics = {
        **{name: asdict(evaluation) for name, evaluation in _judgements(network, config).items()},
        TRAINING: {
            "steps": learned.n_steps,
            "seconds": round(learned.seconds, 1),
            **({} if unread is None else {"note": unread}),
        },
    }
    artefact = save_agent(out, network, config, metrics=metrics, start=start, replace=replace)
    keep_log(out)
    unfinished.unlink(missing_ok=True)
    return artefact


def training_worlds(config: AgentConfig, n_worlds: int, device: torch.device | str = "cpu") -> Worlds:
    """Return worlds with the layouts that an agent of this config is trained on."""
    layouts = generator(config.seed, "agent/layouts")
    return make_worlds(config.env_id, n_worlds, generator=layouts, device=device, n_layouts=config.n_layouts)


def fresh_worlds(env_id: str, n_worlds: int = N_EPISODES) -> Worlds:
    """Return worlds whose starts training did not draw, the same ones for every agent."""
    return make_worlds(env_id, n_worlds, generator=generator(0, "evaluation/layouts"))


def judge(network: RecurrentActorCritic, worlds: Worlds, sampler: Sampler) -> Evaluation:
    """Play one episode in each world."""
    policy = AgentPolicy(network, FrameItems(worlds))
    return evaluate(policy, worlds, sampler, generator=generator(0, "evaluation/actions"))


def _judgements(network: RecurrentActorCritic, config: AgentConfig) -> dict[str, Evaluation]:
    """Judge under both samplers; where layouts are drawn, on those of training, too, so that the difference shows."""
    fresh, samplers = fresh_worlds(config.env_id), (Greedy(), Temperature(1.0))
    judgements = {sampler_name(sampler): judge(network, fresh, sampler) for sampler in samplers}
    if config.env_id not in SUPPORTED_IDS:
        at_home = training_worlds(config, N_EPISODES)
        judgements[ON_TRAINING_LAYOUTS] = judge(network, at_home, Temperature(1.0))
    return judgements
