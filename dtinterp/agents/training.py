"""Training of an agent in batched worlds; an interrupted training goes on where it stopped."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from dtinterp.agents.config import AgentConfig
from dtinterp.agents.episode_statistics import EpisodeStatistics
from dtinterp.agents.network import RecurrentActorCritic
from dtinterp.agents.ppo import improve, lesson_of
from dtinterp.agents.rollout import Runner
from dtinterp.agents.storage import TrainedAgent
from dtinterp.foundation.devices import device_of
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.jobs.interruption import TrainingRecord, noted_interruption
from dtinterp.foundation.jobs.resume import Training
from dtinterp.foundation.logbook import progress
from dtinterp.foundation.seeding import generator
from environments.vocabulary import ITEMS
from environments.worlds import Worlds


@dataclass(frozen=True)
class Learned:
    """A trained network and what it took."""

    network: RecurrentActorCritic
    n_steps: int
    """environment steps, over all worlds"""
    seconds: float
    """wall-clock, interruptions left out"""


def train_agent(
    worlds: Worlds, config: AgentConfig, record: TrainingRecord, *, start: TrainedAgent | None = None
) -> Learned:
    """Train an agent in `worlds`, which must be on the config's device; same config, same machine, same bits.

    It begins with random weights, or with those of the agent `start`.

    A training resumed from `record.resume_file` is the uninterrupted one to the bit. Ctrl-C is heard between two
    updates: it saves the training and raises KeyboardInterrupt, which says how to go on. Raises `UserError` where that
    file is damaged or of another training, and where `start` has another shape.
    """
    pupil = _Pupil(worlds, config, start)
    done = record.resume(pupil.training)
    record.logbook.rewind(done * config.steps_per_update)
    with progress("training the agent", config.n_updates, completed=done) as bar, noted_interruption() as interruption:
        while done < config.n_updates and not pupil.statistics.has_reached(config.stop_at):
            pupil.learn(done / config.n_updates)
            done += 1
            record.logbook.write(update=done, step=done * config.steps_per_update, **pupil.measured())
            bar.advance(note=pupil.note())
            if interruption.is_asked:
                record.stop(pupil.training, done, f"{config.n_updates} updates")
            if done % config.save_every == 0:
                record.save(pupil.training, done)
    return Learned(pupil.network, done * config.steps_per_update, pupil.stopwatch.seconds)


class _Pupil:
    """A network that learns, and everything that changes while it does."""

    def __init__(self, worlds: Worlds, config: AgentConfig, start: TrainedAgent | None) -> None:
        device = device_of(config.device)
        self._config = config
        self._rng = generator(config.seed, "agent/actions", device)
        self.network = _begun(worlds, config, start).to(device)
        self._runner = Runner(self.network, worlds, self._rng, time_limit=config.time_limit)
        optimizer = torch.optim.Adam(self.network.parameters(), lr=config.learning_rate, eps=1e-5)
        self.statistics, self.stopwatch = EpisodeStatistics(), Stopwatch()
        carried = {"runner": self._runner, "statistics": self.statistics, "stopwatch": self.stopwatch}
        identity = {**asdict(config), "start": start and start.artefact.manifest.digest}
        self.training = Training(self.network, optimizer, identity, carried)

    def learn(self, passed: float) -> None:
        """Roll out and improve once, when a share `passed` of the training is over.

        Where the rollout reaches the mark nothing is improved: the next steps might lose what it showed.
        """
        self.stopwatch.start()
        rollout = self._runner.roll(self._config.n_rollout)
        self.stopwatch.lap()
        self.statistics.add(rollout)
        if not self.statistics.has_reached(self._config.stop_at):
            lesson = lesson_of(rollout, self._runner.items, self._config)
            improve(self.network, self.training.optimizer, lesson, self._config, passed=passed, rng=self._rng)
        self.stopwatch.stop(rollout.reward.numel())

    def measured(self) -> dict[str, float]:
        """Return what the log keeps of the last update."""
        return {name: round(value, 4) for name, value in (self.statistics.last() | self.stopwatch.rates).items()}

    def note(self) -> str:
        """Return what stands behind the progress bar."""
        latest, rates = self.statistics.latest(), self.stopwatch.rates
        return (
            f"success {latest['success']:.1%} · return {latest['return']:.3f} · length {latest['length']:.1f} · "
            f"{rates['steps_per_second']:,.0f} steps/s"
        )


def _begun(worlds: Worlds, config: AgentConfig, start: TrainedAgent | None) -> RecurrentActorCritic:
    """Return the network that the training begins with."""
    network = RecurrentActorCritic(
        n_items=len(ITEMS),
        n_actions=worlds.n_actions,
        d_hidden=config.d_hidden,
        generator=generator(config.seed, "agent/weights"),
        core=config.core,
    )
    if start is not None:
        if start.network.shape != network.shape:
            raise UserError(
                f"{start.artefact.path} is an agent with {start.network.shape}, expected {network.shape} to begin "
                "with: ask for the same core and width."
            )
        network.load_state_dict(start.network.state_dict())
    return network


class Stopwatch:
    """Times updates, and adds up their seconds over interruptions."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.seconds = 0.0
        self.rates: dict[str, float] = {}

    def start(self) -> None:
        """An update begins with its rollout."""
        self._began = time.perf_counter()

    def lap(self) -> None:
        """The rollout is over and the gradient steps begin."""
        self._rolled = time.perf_counter()

    def stop(self, n_steps: int) -> None:
        """The update is over; its rollout had so many environment steps."""
        now = time.perf_counter()
        spent = {"": now - self._began, "rollout_": self._rolled - self._began, "update_": now - self._rolled}
        self.rates = {f"{name}steps_per_second": n_steps / seconds for name, seconds in spent.items()}
        self.seconds += spent[""]

    def state_dict(self) -> dict[str, Tensor]:
        """Return the seconds so far."""
        return {"seconds": torch.tensor(self.seconds, dtype=torch.float64)}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from there."""
        self.seconds = state["seconds"].item()
