"""Whole episodes under an edit: how they end and what they return, beside the intact model and the controls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dtinterp.demonstrations.evaluate import Episodes
from dtinterp.demonstrations.samplers import Greedy, parse_sampler
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.seeding import generator, numpy_generator
from dtinterp.foundation.statistics import Interval, bootstrap_mean
from dtinterp.interventions.closed_loop import Endings, endings
from dtinterp.interventions.experiment.arms import UNTRAINED, ExperimentArm
from dtinterp.interventions.experiment.specification import Played
from dtinterp.interventions.intervene import made
from dtinterp.interventions.returns.paired_rollouts import PairedRollouts, PatchedPolicy
from dtinterp.model.network.frames import coded
from dtinterp.model.policy import WindowPolicy
from environments.making import make_worlds

INTACT = -1
"""The dose of episodes that nothing is done in."""


@dataclass(frozen=True)
class Loop:
    """Episodes of one arm, at one dose, under one sampler."""

    family: str
    arm: str
    sampler: str
    dose: int
    """number of the dose; `INTACT` where nothing is done"""
    endings: Endings
    mean_return: Interval


@dataclass(frozen=True)
class Playing:
    """What is played."""

    arm: ExperimentArm
    settings: Played
    sampler: str
    seed: int
    dose: int

    def play(self) -> dict[str, Tensor]:
        """Play one episode from each start, and return how those end that count as samples.

        A greedy player repeats itself: from one start it has one episode to show, however often it is played.
        """
        subject = self.arm.names.subject
        starts = generator(self.seed, "interventions/starts")
        worlds = make_worlds(subject.trajectories.env_id, self.settings.episodes, generator=starts)
        items = coded(worlds, subject.model.cfg.n_items)
        policy = WindowPolicy(subject.model, items, target_return=self.settings.target_return)
        at = slice(self.dose, self.dose + 1)
        changes = [] if self.dose == INTACT else [made(each, at, self.settings.episodes) for each in self.arm.edits]
        rollouts = PairedRollouts(worlds, self.sampler, self.seed, f"interventions/actions/{self.sampler}")
        worlds.reset()
        begun = worlds.facts().unique(dim=0, return_inverse=True)[1]
        episodes = rollouts.play(PatchedPolicy(policy, changes))
        kept = torch.ones(self.settings.episodes, dtype=torch.bool)
        if isinstance(parse_sampler(self.sampler), Greedy):
            kept = ~(begun == begun[:, None]).tril(-1).any(dim=1)
        return {name: getattr(episodes, name)[kept] for name in ("success", "terminated", "reward", "length")}

    def loop(self, piece: Mapping[str, Tensor]) -> Loop:
        """Return what was played, with intervals."""
        episodes = Episodes(**piece)
        rng = numpy_generator(self.seed, "interventions/returns")
        earned = bootstrap_mean(episodes.reward.double().numpy(), rng)
        return Loop(self.arm.family, self.arm.name, self.sampler, self.dose, endings([episodes]), earned)


def plays_of(arms: Sequence[ExperimentArm], settings: Played, *, n_doses: int, seed: int) -> list[Playing]:
    """Return what is to be played under each sampler: intact, the edit at every dose, controls at the last.

    Raises `UserError` for edits whose amounts are those of certain windows.
    """
    edit, *controls = arms
    require_playable(edit)
    controls = [arm for arm in controls if arm.family != UNTRAINED]  # it reaches no target anyhow
    families = [
        [arm for arm in controls if arm.family == family] for family in dict.fromkeys(a.family for a in controls)
    ]
    beside = [arm for family in families for arm in family[: settings.controls]]
    plays = []
    for sampler in settings.samplers:
        plays += [Playing(edit, settings, sampler, seed, dose) for dose in range(INTACT, n_doses)]
        plays += [Playing(arm, settings, sampler, seed, n_doses - 1) for arm in beside]
    return plays


def require_playable(arm: ExperimentArm) -> None:
    """Raise `UserError` for edits whose amounts are those of certain windows, or worlds that are several."""
    for each in arm.edits:
        if not each.is_the_same_in_all_windows:
            raise UserError(
                "an edit takes its values from other windows, one a window, and whole episodes have none of these: "
                "leave closed_loop out, or name one window for all."
            )
    if len(arm.names.subject.trajectories.env_ids) > 1:
        raise UserError("the subject acts in several worlds: leave closed_loop out, or give demonstrations of one.")
