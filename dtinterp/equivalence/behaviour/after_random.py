"""What a model returns on its classes from wherever a few random actions led it.

From the starts alone a greedy player meets so few observations that almost any merge of the others costs it nothing. So
classes are judged on plays that begin with random actions, beside the partitions that would score well from the starts:
those that merge whatever is never met there. All are played from the same beginnings.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from dtinterp.equivalence.behaviour.quotient import KEPT
from dtinterp.equivalence.partition import Partition, one_member_each, partition_of
from dtinterp.equivalence.populations.own_play import PlayConfig, Plays, PlayStarts, beginnings, player
from dtinterp.foundation.seeding import numpy_generator
from dtinterp.foundation.statistics import Interval, bootstrap_mean, central
from dtinterp.interventions.returns.paired_rollouts import SubstitutedPolicy
from dtinterp.model.network.transformer import DecisionTransformer
from environments.graph.state_graph import StateGraph

WORLDS_AT_ONCE = 4096
Merge = Callable[[np.random.Generator], Int64[Tensor, " frame"]]
"""Draws, for each compared observation, the place of the one that is shown instead."""


CLASSES, RANDOM = "the model's classes", "random"
"""What the names of merges begin with."""


@dataclass(frozen=True)
class Merged:
    """What is tried in place of observations apart."""

    n_classes: int
    n_draws: int
    """1 where there is nothing to draw"""
    merge: Merge

    def drawn(self, generator: np.random.Generator) -> list[Int64[Tensor, " frame"]]:
        """Return all draws."""
        return [self.merge(generator) for _ in range(self.n_draws)]


@dataclass(frozen=True)
class QuotientPlay:
    """How a model plays when each observation is shown as another, over draws of which one."""

    shown: str
    """what is merged"""
    n_classes: int
    n_draws: int
    """of classes or of their representatives; 1 where there is nothing to draw"""
    mean_return: Interval
    """over plays with a bootstrap interval for one draw; else over draws, with their central 95%"""
    least_return: float
    """of any draw"""
    change: Interval
    """return less that of the intact model from the same beginnings, averaged over draws; bootstrap over plays"""
    same_end: float
    """share of plays that end as the intact model's: with success, otherwise, or at the time limit"""
    same_actions: float
    """share of plays that take the same actions from beginning to end"""


@dataclass(frozen=True)
class Wandering:
    """A model on its classes and on trivial ones, from beginnings after random actions."""

    n_plays: int
    most_random: int
    n_met: int
    """compared observations that the intact model meets in these plays"""
    n_met_from_starts: int
    """compared observations that it meets where no action is random"""
    intact: Interval
    """mean return; bootstrap over plays"""
    played: tuple[QuotientPlay, ...]
    """the model's own classes first"""

    @property
    def is_kept(self) -> bool:
        """Whether the classes certainly leave the share `KEPT` of the return, and no random classes do."""
        own, *others = self.played
        most_lost = (KEPT - 1) * self.intact.estimate
        random = [each for each in others if each.shown.startswith(RANDOM)]
        return own.change.low >= most_lost and all(each.change.high < most_lost for each in random)


@dataclass(frozen=True)
class Wanderer:
    """Plays one model from the same beginnings, whatever it is shown."""

    model: DecisionTransformer
    graph: StateGraph
    place: Int64[Tensor, " frame"]
    """the compared observations, as frames of the graph"""
    config: PlayConfig
    begun: PlayStarts

    @classmethod
    def of(
        cls, model: DecisionTransformer, graph: StateGraph, place: Int64[Tensor, " frame"], config: PlayConfig
    ) -> "Wanderer":
        """Draw the beginnings."""
        return cls(model, graph, place, config, beginnings(graph, config))

    def intact(self) -> Plays:
        """Return the plays of the model as it is."""
        return self.begun.played(player(self.model, self.begun, self.config.target_return))

    def plays(self, shown: Sequence[Int64[Tensor, " frame"]]) -> list[Plays]:
        """Return the plays of the model that is shown, for each compared observation, the one at the place given.

        All draws of `shown` are played from the same beginnings.
        """
        at_once = max(1, WORLDS_AT_ONCE // self.config.n_plays)
        return [
            plays
            for start in range(0, len(shown), at_once)
            for plays in self._plays(torch.stack(list(shown[start : start + at_once])))
        ]

    def _plays(self, shown: Int64[Tensor, "draw frame"]) -> list[Plays]:
        substitute = torch.arange(len(self.graph.frames)).repeat(len(shown), 1)  # draw graph_frame
        substitute[:, self.place] = self.place[shown]
        begun = self.begun.repeated(self.graph, len(shown))
        policy = player(self.model, begun, self.config.target_return)
        by_world = substitute.repeat_interleave(self.config.n_plays, dim=0)
        return begun.played(SubstitutedPolicy(policy, by_world)).split(len(shown))

    def met(self, plays: Plays) -> Bool[Tensor, " frame"]:
        """Return which compared observations the plays show."""
        is_shown = torch.zeros(len(self.graph.frames), dtype=torch.bool)
        is_shown[plays.frame_id[plays.is_running]] = True
        return is_shown[self.place]


def wander(wanderer: Wanderer, merges: Mapping[str, Merged], *, n_from_starts: int, seed: int) -> Wandering:
    """Play intact and on each of `merges`; `n_from_starts` observations are met where no action is random."""
    generator = numpy_generator(seed, "after random actions/merges")
    intact = wanderer.intact()
    return Wandering(
        n_plays=wanderer.config.n_plays,
        most_random=wanderer.config.most_random,
        n_met=int(wanderer.met(intact).sum()),
        n_met_from_starts=n_from_starts,
        intact=bootstrap_mean(intact.returned.double().numpy(), generator),
        played=tuple(
            _quotient_play(
                name, each, wanderer.plays([each.merge(generator) for _ in range(each.n_draws)]), intact, generator
            )
            for name, each in merges.items()
        ),
    )


def always(shown: Int64[Tensor, " frame"]) -> Merge:
    """Return the merge that is no draw."""
    return lambda _: shown


def any_member(partition: Partition) -> Merge:
    """Return the merge of each class to a member drawn at random, the same one throughout a play."""
    return partial(one_member_each, partition)


def permuted(partition: Partition) -> Merge:
    """Return the merge of random classes of the same sizes to a member of each."""

    def merge(generator: np.random.Generator) -> Int64[Tensor, " frame"]:
        shuffled = partition_of(torch.from_numpy(generator.permutation(partition.label.numpy())), "random")
        return one_member_each(shuffled, generator)

    return merge


def sparing(n_classes: int, is_spared: Bool[Tensor, " frame"]) -> Merge:
    """Return the merge of random classes, so many, of which none holds two of the spared observations."""

    def merge(generator: np.random.Generator) -> Int64[Tensor, " frame"]:
        label = torch.from_numpy(generator.integers(n_classes, size=len(is_spared)))
        label[is_spared] = torch.from_numpy(generator.permutation(n_classes)[: int(is_spared.sum())])
        return one_member_each(partition_of(label, "sparing"), generator)

    return merge


def rest_merged(partition: Partition, is_met: Bool[Tensor, " frame"], name: str) -> Partition:
    """Return the partition in which everything that is not met is one class, and the rest as it is."""
    return partition_of(torch.where(is_met, partition.label, partition.n_classes), name)


def _quotient_play(
    name: str, merged: Merged, plays: Sequence[Plays], intact: Plays, generator: np.random.Generator
) -> QuotientPlay:
    returned = torch.stack([each.returned for each in plays]).double()  # draw play
    by_draw = returned.mean(1).tolist()
    one = bootstrap_mean(returned[0].numpy(), generator)
    return QuotientPlay(
        shown=name,
        n_classes=merged.n_classes,
        n_draws=len(plays),
        mean_return=one if len(plays) == 1 else central(by_draw),
        least_return=min(by_draw),
        change=bootstrap_mean((returned.mean(0) - intact.returned.double()).numpy(), generator),
        same_end=_mean([each.ended == intact.ended for each in plays]),
        same_actions=_mean([each.same_actions(intact) for each in plays]),
    )


def _mean(parts: Sequence[Bool[Tensor, " play"]]) -> float:
    return float(torch.stack(list(parts)).double().mean())
