"""Search for the fewest features that keep two observations apart."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, islice
from math import comb

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.equivalence.explain.feature_patching import (
    Difference,
    PatchingSetup,
    as_far_as,
    difference,
    patching_setup,
)
from dtinterp.equivalence.partition import check_epsilon
from dtinterp.equivalence.swaps.contexts import draw_contexts
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.ranges import require_at_least, require_sensible
from dtinterp.foundation.seeding import generator as seeded
from dtinterp.foundation.statistics import Interval, wilson
from dtinterp.interventions.controls.drawn import directions_of_differences
from dtinterp.model.network.transformer import DecisionTransformer

AT_ONCE = 1024
"""Sets that are tried together."""


@dataclass(frozen=True)
class PairConfig:
    """How a pair of observations is explained."""

    n_contexts: int = 8
    """contexts of each of the two"""
    epsilon: float = 0.05
    """bits of Jensen-Shannon divergence up to which the two count as interchangeable"""
    n_sets: int = 5_000
    """sets of features that are tried, at most, to find a smaller one than the greedy search's"""
    n_draws: int = 200
    """random directions, and random sets of features, as controls"""
    seed: int = 0
    """seed of contexts and controls"""

    def __post_init__(self) -> None:
        """Refuse what cannot be tried."""
        check_epsilon(self.epsilon)
        require_at_least(self, 1, "n_contexts", "n_draws")
        require_at_least(self, 0, "n_sets")
        require_sensible(self)


@dataclass(frozen=True)
class PairExplanation:
    """The features whose exchange makes two observations interchangeable."""

    divergence: float
    """of the two as they are, in bits: the largest of any decision in any context tried"""
    n_contexts: int
    """of both together"""
    differing: tuple[int, ...]
    """features whose codes differ"""
    left_by_all: float
    """bits, when all of these are exchanged: what the dictionary does not explain"""
    features: tuple[int, ...] | None
    """the smallest set found that leaves at most epsilon, the most telling first; None where no set tried does"""
    left: float
    """bits, when this set is exchanged; where there is none, the least that any set tried leaves"""
    is_smallest: bool
    """whether every smaller set was tried, too"""
    random_directions: Interval | None
    """share of random directions of any kind, of the length that the set moves, that leave at most epsilon; Wilson"""
    random_features: Interval | None
    """share of random sets of as many differing features that do; None where there is no other such set"""
    random_differences: Interval | None = None
    """share of random directions in which frames differ, of the same length, that do; None where it was not tried

    A direction of any kind may lie where no two frames differ, and be survived for that."""
    random_features_as_far: Interval | None = None
    """share of the same random sets, what they move made as long as what the set moves, that do; None likewise"""

    @property
    def is_interchangeable(self) -> bool:
        """Whether nothing has to be exchanged."""
        return self.features == ()


def pair_in_contexts(
    model: DecisionTransformer,
    trajectories: Trajectories,
    steps: Int64[Tensor, " side"],
    *,
    items: Float32[Tensor, "table item"],
    pair: Int64[Tensor, " 2"],
    config: PairConfig,
) -> PatchingSetup:
    """Draw contexts of two frames, rows of the coded frame table `items`, among `steps`, to exchange features in.

    Raises `UserError` for a frame that `steps` never show.
    """
    contexts = draw_contexts(
        trajectories,
        steps,
        frame_id=pair,
        n_contexts=config.n_contexts,
        n_slots=model.cfg.n_slots,
        generator=seeded(config.seed, "pair/contexts"),
    )
    return patching_setup(model, contexts, items=items, pair=pair)


def smallest_set(
    setup: PatchingSetup, dictionary: Dictionary, config: PairConfig, generator: torch.Generator
) -> PairExplanation:
    """Search for the fewest features to exchange: greedily, then all smaller sets while there are few enough.

    The greedy search takes up the feature that leaves least, until what is left is at most epsilon, and then drops what
    it can do without. Raises `UserError` where the dictionary is of another site.
    """
    if dictionary.site != OBSERVATION_EMBEDDING:
        raise UserError(
            f"the dictionary {dictionary.name!r} is of {dictionary.site}, expected one of {OBSERVATION_EMBEDDING}: "
            "elsewhere an observation is no single row."
        )
    search = _Search(setup, difference(dictionary, setup.embedding), config.epsilon)
    nothing, everything = search.left(torch.stack([search.none, ~search.none])).tolist()
    found, is_smallest = search.exactly(search.greedily(_Found(search.none, nothing)), config.n_sets)
    is_enough = found.left <= config.epsilon
    controls = search.controls(found, config.n_draws, generator) if is_enough else _Controls()
    return PairExplanation(
        divergence=nothing,
        n_contexts=len(setup.start),
        differing=tuple(search.difference.feature.tolist()),
        left_by_all=everything,
        features=search.ordered(found.is_chosen) if is_enough else None,
        left=found.left,
        is_smallest=is_smallest and is_enough,
        **vars(controls),
    )


@dataclass(frozen=True)
class _Found:
    is_chosen: Bool[Tensor, " differing"]
    left: float
    """bits"""


@dataclass(frozen=True)
class _Controls:
    """Those of `PairExplanation`."""

    random_directions: Interval | None = None
    random_features: Interval | None = None
    random_differences: Interval | None = None
    random_features_as_far: Interval | None = None


@dataclass(frozen=True)
class _Search:
    setup: PatchingSetup
    difference: Difference
    epsilon: float

    @property
    def none(self) -> Bool[Tensor, " differing"]:
        return torch.zeros(len(self.difference.feature), dtype=torch.bool)

    def left(self, is_chosen: Bool[Tensor, "draft differing"]) -> Tensor:
        return self.left_by(self.difference.shift(is_chosen))

    def left_by(self, shift: Float32[Tensor, "draft d_model"]) -> Tensor:
        return torch.cat([self.setup.left(part) for part in shift.split(AT_ONCE)])

    def greedily(self, chosen: _Found) -> _Found:
        """Take up what leaves least until it is little enough, then drop what is not needed for that."""
        best = chosen
        while chosen.left > self.epsilon and not chosen.is_chosen.all():
            chosen = self._best(_toggled(chosen.is_chosen, ~chosen.is_chosen))
            best = min(best, chosen, key=lambda found: found.left)
        if best.left > self.epsilon:
            return best
        while best.is_chosen.any():
            fewer = self._best(_toggled(best.is_chosen, best.is_chosen))
            if fewer.left > self.epsilon:
                break
            best = fewer
        return best

    def exactly(self, greedy: _Found, n_sets: int) -> tuple[_Found, bool]:
        """Return the smallest set that is enough, and whether all smaller ones were tried; `greedy` where none is."""
        n, limit = len(self.difference.feature), int(greedy.is_chosen.sum())
        if greedy.left > self.epsilon:
            limit = n + 1
        for size in range(1, limit):
            n_sets -= comb(n, size)
            if n_sets < 0:
                return greedy, False
            found = self._first_enough(size)
            if found is not None:
                return found, True
        return greedy, True

    def ordered(self, is_chosen: Bool[Tensor, " differing"]) -> tuple[int, ...]:
        """Return the chosen features, the one first whose exchange alone leaves least."""
        chosen = is_chosen.nonzero().squeeze(1)
        if len(chosen) == 0:
            return ()
        alone = self.left(_toggled(self.none, is_chosen))
        return tuple(self.difference.feature[chosen[alone.argsort(stable=True)]].tolist())

    def controls(self, found: _Found, n: int, generator: torch.Generator) -> _Controls:
        """Return how often chance is enough: in directions as long, and with sets as large."""
        if not found.is_chosen.any():
            return _Controls()
        shift = self.difference.shift(found.is_chosen[None])[0]
        directions = torch.randn(n, len(shift), generator=generator)
        others = self.difference.shift(self._other_sets(found, n, generator))
        differences = directions_of_differences(self.setup.deviation, n, generator)
        return _Controls(
            random_directions=self._share_enough(as_far_as(shift, directions)),
            random_features=self._share_enough(others),
            random_differences=self._share_enough(as_far_as(shift, differences)),
            random_features_as_far=self._share_enough(as_far_as(shift, others)),
        )

    def _other_sets(self, found: _Found, n: int, generator: torch.Generator) -> Bool[Tensor, "draft differing"]:
        """Return random sets of as many features that are not the one found."""
        size, n_differing = int(found.is_chosen.sum()), len(found.is_chosen)
        chosen = torch.rand(n, n_differing, generator=generator).argsort(1)[:, :size]
        drafts = torch.zeros(n, n_differing, dtype=torch.bool).scatter(1, chosen, True)
        return drafts[(drafts != found.is_chosen).any(1)]

    def _share_enough(self, shift: Float32[Tensor, "draft d_model"]) -> Interval | None:
        if not len(shift):
            return None
        return wilson(int((self.left_by(shift) <= self.epsilon).sum()), len(shift))

    def _best(self, drafts: Bool[Tensor, "draft differing"]) -> _Found:
        left = self.left(drafts)
        best = int(left.argmin())
        return _Found(drafts[best], left[best].item())

    def _first_enough(self, size: int) -> _Found | None:
        """Return the set of this size that leaves least, if it is enough."""
        sets = combinations(range(len(self.difference.feature)), size)
        parts = [self._best(_marked(part, len(self.difference.feature))) for part in _pieces(sets)]
        best = min(parts, key=lambda found: found.left)
        return best if best.left <= self.epsilon else None


def _toggled(
    is_chosen: Bool[Tensor, " differing"], which: Bool[Tensor, " differing"]
) -> Bool[Tensor, "draft differing"]:
    """Return one draft per feature of `which`, with that one toggled."""
    return is_chosen ^ torch.eye(len(is_chosen), dtype=torch.bool)[which]


def _pieces(sets: Iterator[tuple[int, ...]]) -> Iterator[list[tuple[int, ...]]]:
    while piece := list(islice(sets, AT_ONCE)):
        yield piece


def _marked(sets: list[tuple[int, ...]], n: int) -> Bool[Tensor, "draft differing"]:
    return torch.zeros(len(sets), n, dtype=torch.bool).scatter(1, torch.tensor(sets), True)
