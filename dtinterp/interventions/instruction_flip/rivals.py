"""Directions that the instruction's is held against: controls from the span of items, and others that may do better.

Most of the whole sphere is not read by a model, so that random directions of it prove little. Those of the span of key
and ball items are sums of the items' embeddings at all cells of the view, with normal weights, their mean taken off;
without the direction's own part they are what the span does beside it. Both are moved exactly as far as the direction
would move, either way along themselves. Beside them stand directions that are set as the instruction's is: the
difference of means of the same items, and that of the first frames themselves, by instruction.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor
from torch.nn.functional import normalize

from dtinterp.foundation.seeding import numpy_generator
from dtinterp.foundation.statistics import Interval, bootstrap_mean
from dtinterp.interventions.closed_loop import ClosedLoop, LoopSetup, endings
from dtinterp.interventions.controls.drawn import directions_of_differences
from dtinterp.interventions.dose import DoseCurves, DoseSetup
from dtinterp.interventions.edits.edit import Edit
from dtinterp.interventions.instruction_flip.directions import OBJECTS
from dtinterp.interventions.refutations import SIGNIFICANT
from dtinterp.model.network.transformer import DecisionTransformer
from environments.vocabulary import VIEW, item_index

Family: TypeAlias = Literal["item_span", "item_span_without_direction"]
"""Where random directions are drawn from."""
Other: TypeAlias = Literal["difference_of_means", "difference_of_first_frames"]
"""How another direction of the instruction is found."""

EVERYWHERE = tuple((x, y) for x in range(VIEW) for y in range(VIEW))


@dataclass(frozen=True)
class RivalEndings:
    """How episodes end under one sampler."""

    sampler: str
    other_target: Interval
    """share of episodes that end at the other target: of several directions their mean, bootstrapped over directions;
    of one alone Wilson's interval over its episodes"""
    by_direction: tuple[float, ...]
    """that share for each direction"""

    def p_value(self, share: float) -> float:
        """Chance that one of these directions leads as many to the other target, as in `DoseCurves.p_value`."""
        return (1 + sum(each >= share for each in self.by_direction)) / (1 + len(self.by_direction))


@dataclass(frozen=True)
class Rival:
    """One kind of direction, and what it does where the instruction's direction is set to the other instruction."""

    name: Family | Other
    cosine: tuple[float, ...]
    """of each direction and the instruction's"""
    n_turned: tuple[int, ...]
    """configurations whose turn is the other one, by direction"""
    endings: tuple[RivalEndings, ...]
    """by sampler"""

    @property
    def is_control(self) -> bool:
        """Whether its directions are drawn at random, and moved as far as the instruction's."""
        return self.name in get_args(Family)

    def p_value(self, n_turned: int) -> float:
        """Chance that one of these directions turns as many configurations, as in `DoseCurves.p_value`."""
        return (1 + sum(each >= n_turned for each in self.n_turned)) / (1 + len(self.n_turned))


@dataclass(frozen=True)
class Turning:
    """Where directions are turned: at the decision points, and in whole episodes."""

    model: DecisionTransformer
    dose: DoseSetup
    loop: LoopSetup
    samplers: Sequence[str]

    def rival(self, name: Family | Other, directions: Sequence[tuple[Edit, Edit]], cosine: Sequence[float]) -> Rival:
        """Return what edits do, two for each direction: of the decision points, and of the worlds."""
        original = self.dose.answer(self.model)[0]
        turned = [int((self.dose.answer(self.model, edit)[0] * original < 0).sum()) for edit, _ in directions]
        played = tuple(self._endings(sampler, [edit for _, edit in directions]) for sampler in self.samplers)
        return Rival(name, tuple(cosine), tuple(turned), played)

    def _endings(self, sampler: str, edits: Sequence[Edit]) -> RivalEndings:
        shares = [endings([self.loop.play(sampler, edit)]).other_target for edit in edits]
        by_direction = tuple(share.estimate for share in shares)
        if len(shares) == 1:
            return RivalEndings(sampler, shares[0], by_direction)
        rng = numpy_generator(self.loop.seed, "interventions/rivals")
        return RivalEndings(sampler, bootstrap_mean(np.array(by_direction), rng), by_direction)


def against_span(dose: DoseCurves, loops: Sequence[ClosedLoop], span: Rival) -> Iterator[str]:
    """Yield what directions of the items' span say against the claim that just this one carries the instruction.

    The claim needs all of: they turn as many configurations with p ≤ 0.05; and under every sampler they lead as many
    episodes to the other target with p ≤ 0.05, one direction a draw.
    """
    p_value = span.p_value(dose.n_turned)
    if p_value > SIGNIFICANT:
        yield f"Directions in the span of the items turn as many, p = {p_value:.3f}."
    for loop, rival in zip(loops, span.endings, strict=True):
        opposite = loop.opposite.other_target
        p_value = rival.p_value(opposite.estimate)
        if p_value > SIGNIFICANT:
            yield (
                f"Under {loop.sampler}, directions in the span of the items lead {rival.other_target} to the other "
                f"target, as against {opposite}, p = {p_value:.3f}."
            )


def drawn(
    family: Family,
    W_obs: Float[Tensor, "item d_model"],
    direction: Float32[Tensor, " d_model"],
    n_draws: int,
    generator: torch.Generator,
) -> Float32[Tensor, "draw d_model"]:
    """Return random directions of a family, of length 1."""
    rows = [item_index(f"{thing} ({x},{y})") for thing in OBJECTS for x, y in EVERYWHERE]
    embeddings = W_obs.detach()[rows].float()
    deviation = embeddings - embeddings.mean(dim=0)
    if family == "item_span_without_direction":
        deviation = deviation - (deviation @ direction)[:, None] * direction
    return directions_of_differences(deviation, n_draws, generator)


def difference(
    rows: Float32[Tensor, "configuration d_model"], sign: Float32[Tensor, " configuration"]
) -> Float32[Tensor, " d_model"]:
    """Return the direction of length 1 from the mean of the rows whose sign is −1 to that of those whose sign is 1."""
    return normalize(rows[sign > 0].mean(dim=0) - rows[sign < 0].mean(dim=0), dim=0)
