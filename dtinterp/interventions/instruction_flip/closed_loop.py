"""A model patched while it acts becomes how its episodes end, arm by arm."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from dtinterp.agents.items import FrameItems
from dtinterp.demonstrations.evaluate import Episodes, play_episodes
from dtinterp.demonstrations.samplers import Greedy, Sampler, parse_sampler
from dtinterp.foundation.seeding import generator
from dtinterp.foundation.statistics import Interval, wilson
from dtinterp.interventions.edits.directions import SetDirection
from dtinterp.interventions.edits.edit import Edit
from dtinterp.interventions.edits.placebo import PlaceboDirection
from dtinterp.interventions.instruction_flip.dose import Dial
from dtinterp.interventions.instruction_flip.specification import Specification
from dtinterp.interventions.intervene import Intervention, first_frame
from dtinterp.interventions.paired_rollouts import PatchedPolicy
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.policy import WindowPolicy
from environments.worlds import Worlds


@dataclass(frozen=True)
class Endings:
    """How episodes end, as shares with Wilson intervals; together they are 1."""

    matching_target: Interval
    other_target: Interval
    timeout: Interval


@dataclass(frozen=True)
class ClosedLoop:
    """Episodes under one sampler, all arms from the same starts."""

    sampler: str
    intact: Endings
    same: Endings
    """the direction set to the instruction that is there: nothing should change"""
    opposite: Endings
    """the direction set to the other instruction"""
    control: Endings
    """random directions, moved as far as `opposite`; intervals as if the episodes of all draws were independent"""
    control_shares: tuple[float, ...]
    """for each random direction, the share that ended at the other target"""

    @property
    def p_value(self) -> float:
        """Chance that a random direction leads as many to the other target, computed as in `DoseCurves.p_value`."""
        as_many = sum(share >= self.opposite.other_target.estimate for share in self.control_shares)
        return (1 + as_many) / (1 + len(self.control_shares))


def play_arms(
    model: DecisionTransformer,
    worlds: Worlds,
    specification: Specification,
    *,
    dial: Dial,
    direction: Float32[Tensor, " d_model"],
    controls: Float32[Tensor, "draw d_model"],
) -> tuple[ClosedLoop, ...]:
    """Play every sampler intact, with the direction set to either instruction, and with each control moved as far."""
    stage = _Stage(model, worlds, specification)
    same = dial.activation(specification.strength * stage.sign)
    opposite = dial.activation(-specification.strength * stage.sign)
    loops = []
    for name in specification.closed_loop.samplers:
        played = [stage.play(name, PlaceboDirection(direction, r, opposite)) for r in controls]
        loops.append(
            ClosedLoop(
                sampler=name,
                intact=_endings([stage.play(name, None)]),
                same=_endings([stage.play(name, SetDirection(direction, same))]),
                opposite=_endings([stage.play(name, SetDirection(direction, opposite))]),
                control=_endings(played),
                control_shares=tuple(_endings([each]).other_target.estimate for each in played),
            )
        )
    return tuple(loops)


class _Stage:
    """Worlds, model and starts that all arms share."""

    def __init__(self, model: DecisionTransformer, worlds: Worlds, specification: Specification) -> None:
        self.worlds, self.specification = worlds, specification
        worlds.reset()
        starts = worlds.facts()
        self.policy = WindowPolicy(model, FrameItems(worlds), target_return=specification.target_return)
        instruction = starts[:, worlds.fact_names.index("instruction")]
        self.sign = 1.0 - 2.0 * instruction.float()  # key 1, ball −1
        self.is_first_of_start = _is_first_occurrence(starts.unique(dim=0, return_inverse=True)[1])

    def play(self, sampler_name: str, edit: Edit | None) -> Episodes:
        """Play one episode in each world and keep those that count as samples."""
        sampler = parse_sampler(sampler_name)
        interventions = [] if edit is None else [Intervention(self.specification.site, first_frame, edit)]
        rng = generator(self.specification.seed, f"interventions/actions/{sampler_name}")
        patched = PatchedPolicy(self.policy, interventions)
        return self._counted(sampler, play_episodes(patched, self.worlds, sampler, generator=rng))

    def _counted(self, sampler: Sampler, episodes: Episodes) -> Episodes:
        """A greedy player repeats itself: from one start it has one episode to show, however often it is played."""
        if not isinstance(sampler, Greedy):
            return episodes
        kept = self.is_first_of_start
        return Episodes(episodes.success[kept], episodes.terminated[kept], episodes.reward[kept], episodes.length[kept])


def _endings(played: Sequence[Episodes]) -> Endings:
    success = torch.cat([episodes.success for episodes in played])
    terminated = torch.cat([episodes.terminated for episodes in played])
    return Endings(
        matching_target=_share(success & terminated),
        other_target=_share(terminated & ~success),
        timeout=_share(~terminated),
    )


def _share(holds: Bool[Tensor, " episode"]) -> Interval:
    return wilson(int(holds.sum()), len(holds))


def _is_first_occurrence(values: Int64[Tensor, " world"]) -> Bool[Tensor, " world"]:
    return ~(values == values[:, None]).tril(-1).any(dim=1)
