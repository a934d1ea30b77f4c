"""Collection of trajectories: a policy in a world, with one or several samplers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Generic

import torch
from jaxtyping import Bool, Float32, Int8, Int32
from torch import Tensor

from dtinterp.agents.policy import MemoryT, Policy
from dtinterp.demonstrations.episodes import WholeEpisodes, whole_episodes
from dtinterp.demonstrations.frame_table import FactNumbers, FrameNumbers
from dtinterp.demonstrations.rollout import Step, roll_out
from dtinterp.demonstrations.samplers import Sampler, parse_sampler, sampler_name
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.jobs.interruption import Interruption
from dtinterp.foundation.logbook import Bar, progress
from environments.worlds import Worlds


@dataclass(frozen=True)
class Share:
    """How many steps one sampler contributes, over all worlds."""

    sampler: Sampler
    n_steps: int

    def __post_init__(self) -> None:
        """Refuse an empty share."""
        if self.n_steps < 1:
            raise UserError(f"{sampler_name(self.sampler)} is to give {self.n_steps} steps, expected at least 1.")


PUBLISHED_RECIPE = ("temperature=1:160000", "temperature=5:320000")
"""Ten thousand steps of 16 worlds at temperature 1, twenty thousand at temperature 5: the published model's data."""


def parse_share(text: str) -> Share:
    """Read `temperature=5:320000`: a sampler and its number of steps."""
    sampler, _, steps = text.rpartition(":")
    if not steps.isdecimal():
        raise UserError(f"the share is {text!r}, expected SAMPLER:STEPS, for example temperature=5:320000.")
    return Share(parse_sampler(sampler), int(steps))


def parse_shares(texts: Sequence[str]) -> tuple[Share, ...]:
    """Read shares, one a text or several with spaces between them; none may give a sampler twice."""
    shares = tuple(parse_share(word) for text in texts for word in text.split())
    names = [sampler_name(share.sampler) for share in shares]
    if not shares:
        raise UserError("there is no sampler, expected at least one share, for example temperature=5:320000.")
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"the sampler {name} is given {names.count(name)} times, expected one share of each.")
    return shares


@dataclass(frozen=True)
class Recorded:
    """What some episodes add to the columns of trajectories."""

    frame_id: Int32[Tensor, " step"]
    fact_id: Int32[Tensor, " step"]
    action: Int8[Tensor, " step"]
    reward: Float32[Tensor, " step"]
    length: Int32[Tensor, " episode"]
    terminated: Bool[Tensor, " episode"]
    sampler: Int8[Tensor, " episode"]


COLUMNS = tuple(field.name for field in fields(Recorded))


class Collection(Generic[MemoryT]):
    """A policy in worlds under several samplers, one after the other.

    What it holds does not grow with the steps: the episodes still going on, the numbers of frames and facts, and the
    few thousand steps that are handed on together.
    """

    def __init__(self, policy: Policy[MemoryT], worlds: Worlds, shares: Sequence[Share]) -> None:
        """Nothing was collected yet."""
        self._policy, self._worlds, self._shares = policy, worlds, shares
        self._frames, self._facts = FrameNumbers(), FactNumbers(len(worlds.fact_names))
        self.n_steps_taken = 0
        """over all worlds, those of dropped episodes included"""

    @property
    def n_steps_asked(self) -> int:
        """Steps over all worlds; a share is rounded up to steps of all worlds."""
        return sum(self._n_rows(share) * self._worlds.n_worlds for share in self._shares)

    def episodes(self, generator: torch.Generator, interruption: Interruption | None = None) -> Iterator[Recorded]:
        """Roll the policy out under each sampler in turn and yield the whole episodes as they end.

        An episode that is still going on when a share ends, or Ctrl-C was pressed, is dropped, never glued to the
        next.
        """
        with progress("collecting demonstrations", self.n_steps_asked) as bar:
            for index, share in enumerate(self._shares):
                steps = self._steps(share, generator, bar, interruption or Interruption())
                for part in whole_episodes(steps, n_worlds=self._worlds.n_worlds):
                    yield self._recorded(part, sampler=index)

    def trajectories(self, columns: Mapping[str, Tensor]) -> Trajectories:
        """Return the columns with the tables that they point into. Raises `UserError` where no episode ended."""
        if len(columns["length"]) == 0:
            raise UserError(
                f"no episode of {self._worlds.env_id} ended in the steps asked for (an episode may take "
                f"{self._worlds.max_steps}): ask for more steps."
            )
        return Trajectories(
            env_id=self._worlds.env_id,
            max_steps=self._worlds.max_steps,
            frames=self._worlds.frames[self._frames.seen],
            fact_table=self._facts.table,
            fact_names=tuple(self._worlds.fact_names),
            samplers=tuple(sampler_name(share.sampler) for share in self._shares),
            mixture=None,
            **columns,
        )

    def _n_rows(self, share: Share) -> int:
        return -(-share.n_steps // self._worlds.n_worlds)

    def _steps(self, share: Share, generator: torch.Generator, bar: Bar, interruption: Interruption) -> Iterator[Step]:
        steps = roll_out(self._policy, self._worlds, share.sampler, n_steps=self._n_rows(share), generator=generator)
        while not interruption.is_asked and (step := next(steps, None)):
            self.n_steps_taken += self._worlds.n_worlds
            bar.advance(self._worlds.n_worlds, sampler_name(share.sampler))
            yield step

    def _recorded(self, episodes: WholeEpisodes, *, sampler: int) -> Recorded:
        return Recorded(
            frame_id=self._frames.of(episodes.frame_id),
            fact_id=self._facts.of(episodes.facts),
            action=episodes.action.to(torch.int8),
            reward=episodes.reward,
            length=episodes.length.int(),
            terminated=episodes.terminated,
            sampler=torch.full((len(episodes.length),), sampler, dtype=torch.int8),
        )


def collect(
    policy: Policy[MemoryT], worlds: Worlds, shares: Sequence[Share], generator: torch.Generator
) -> Trajectories:
    """Collect in memory: roll the policy out under each sampler in turn and keep the whole episodes."""
    collection = Collection(policy, worlds, shares)
    parts = list(collection.episodes(generator))
    return collection.trajectories({name: torch.cat([getattr(part, name) for part in parts]) for name in COLUMNS})
