"""Closed loop of a patched policy: how episodes end with a direction set, beside directions moved as far."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from dtinterp.demonstrations.evaluate import Episodes
from dtinterp.demonstrations.samplers import Greedy, parse_sampler
from dtinterp.foundation.statistics import Interval, wilson
from dtinterp.interventions.edits.edit import Edit
from dtinterp.interventions.edits.set import Setting
from dtinterp.interventions.intervene import Intervention
from dtinterp.interventions.parts.along import along
from dtinterp.interventions.parts.placebo import Placebo
from dtinterp.interventions.returns.paired_rollouts import PairedRollouts, PatchedPolicy
from dtinterp.interventions.slots import SlotChoice
from dtinterp.model.policy import WindowPolicy
from environments.worlds import Worlds


@dataclass(frozen=True)
class Endings:
    """How episodes end, as shares with Wilson intervals; together they are 1."""

    matching_target: Interval
    """with success"""
    other_target: Interval
    """by the world, without"""
    timeout: Interval


@dataclass(frozen=True)
class ClosedLoop:
    """Episodes under one sampler, all arms from the same starts."""

    sampler: str
    intact: Endings
    same: Endings
    """the direction set to the value that is there: nothing should change"""
    opposite: Endings
    """the direction set to the other value"""
    control: Endings
    """random directions, moved as far as `opposite`; intervals as if the episodes of all draws were independent"""
    control_shares: tuple[float, ...]
    """for each random direction, the share that ended at the other target"""

    @property
    def p_value(self) -> float:
        """Chance that a random direction leads as many to the other target, computed as in `DoseCurves.p_value`."""
        as_many = sum(share >= self.opposite.other_target.estimate for share in self.control_shares)
        return (1 + as_many) / (1 + len(self.control_shares))


@dataclass(frozen=True)
class LoopSetup:
    """What all arms share."""

    policy: WindowPolicy
    worlds: Worlds
    start: Int64[Tensor, " world"]
    """worlds with equal numbers begin alike"""
    site: str
    """where rows are edited"""
    slot: SlotChoice
    """of which frame"""
    seed: int

    def play(self, sampler: str, edit: Edit | None) -> Episodes:
        """Play one episode in each world and keep those that count as samples.

        A greedy player repeats itself: from one start it has one episode to show, however often it is played.
        """
        interventions = [] if edit is None else [Intervention(self.site, self.slot, edit)]
        rollouts = PairedRollouts(self.worlds, sampler, self.seed, f"interventions/actions/{sampler}")
        episodes = rollouts.play(PatchedPolicy(self.policy, interventions))
        if not isinstance(parse_sampler(sampler), Greedy):
            return episodes
        kept = ~(self.start == self.start[:, None]).tril(-1).any(dim=1)
        return Episodes(episodes.success[kept], episodes.terminated[kept], episodes.reward[kept], episodes.length[kept])


def play_arms(
    setup: LoopSetup,
    samplers: Sequence[str],
    *,
    direction: Float32[Tensor, " d_model"],
    controls: Float32[Tensor, "draw d_model"],
    same: Float32[Tensor, " world"],
    opposite: Float32[Tensor, " world"],
) -> tuple[ClosedLoop, ...]:
    """Play every sampler intact, with the direction set to `same` and to `opposite`, with each control moved as far.

    Both are coefficients in activation units.
    """
    loops = []
    for name in samplers:
        played = [setup.play(name, Setting(Placebo(along(direction), r[None]), opposite)) for r in controls]
        loops.append(
            ClosedLoop(
                sampler=name,
                intact=endings([setup.play(name, None)]),
                same=endings([setup.play(name, Setting(along(direction), same))]),
                opposite=endings([setup.play(name, Setting(along(direction), opposite))]),
                control=endings(played),
                control_shares=tuple(endings([each]).other_target.estimate for each in played),
            )
        )
    return tuple(loops)


def endings(played: Sequence[Episodes]) -> Endings:
    """Return how episodes ended, those of several rollouts together."""
    success = torch.cat([episodes.success for episodes in played])
    terminated = torch.cat([episodes.terminated for episodes in played])
    return Endings(
        matching_target=_share(success & terminated),
        other_target=_share(terminated & ~success),
        timeout=_share(~terminated),
    )


def _share(holds: Bool[Tensor, " episode"]) -> Interval:
    return wilson(int(holds.sum()), len(holds))
