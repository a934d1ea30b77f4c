"""Rollouts of a policy with something replaced, paired with its own: the same starts, the same luck."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from dtinterp.agents.policy import Decision, MemoryT, Observation, Policy
from dtinterp.dataset.packing import distinct
from dtinterp.dataset.windows import Windows
from dtinterp.demonstrations.evaluate import Episodes, play_episodes
from dtinterp.demonstrations.samplers import parse_sampler
from dtinterp.dictionary.evaluation.acting import PairedReturn
from dtinterp.foundation.seeding import generator
from dtinterp.foundation.statistics import bootstrap_mean, wilson
from dtinterp.interventions.edits.edit import Edit
from dtinterp.interventions.intervene import Intervention, intervene
from dtinterp.model.policy import WindowMemory, WindowPolicy
from environments.worlds import Worlds


@dataclass(frozen=True)
class PairedRollouts:
    """Where all arms are played: from the same starts, with actions drawn from the same numbers."""

    worlds: Worlds
    sampler: str
    """how actions are drawn, such as temperature=1"""
    seed: int
    luck: str
    """name of the generator that actions are drawn by"""

    def play(self, policy: Policy[MemoryT]) -> Episodes:
        """Play one episode in each world."""
        rng = generator(self.seed, self.luck)
        return play_episodes(policy, self.worlds, parse_sampler(self.sampler), generator=rng)


def paired_returns(arms: Mapping[str, Episodes], intact: Episodes, rng: np.random.Generator) -> dict[str, PairedReturn]:
    """Return what each arm's episodes return, and how much more than the intact policy's from the same starts."""
    return {
        arm: PairedReturn(
            success=wilson(int(episodes.success.sum()), len(episodes.success)),
            mean_return=bootstrap_mean(episodes.reward.double().numpy(), rng),
            change=bootstrap_mean((episodes.reward - intact.reward).double().numpy(), rng),
        )
        for arm, episodes in arms.items()
    }


class SubstitutedPolicy(Generic[MemoryT]):
    """A policy that is shown one frame for another, at every step."""

    def __init__(
        self, policy: Policy[MemoryT], substitute: Int64[Tensor, " frame"] | Int64[Tensor, "world frame"]
    ) -> None:
        """Show frame i of the worlds as frame `substitute[i]`, or in world w as `substitute[w, i]`."""
        self._policy, self._substitute = policy, substitute

    def start(self, n_worlds: int) -> MemoryT:
        """Return the policy's memory."""
        return self._policy.start(n_worlds)

    def act(self, observation: Observation, memory: MemoryT) -> Decision[MemoryT]:
        """Let the policy act on what it is shown."""
        table = self._substitute.expand(len(observation.frame_id), -1)
        shown = table.gather(1, observation.frame_id[:, None])[:, 0]
        return self._policy.act(replace(observation, frame_id=shown), memory)


class PatchedPolicy:
    """A `WindowPolicy` whose model runs with interventions; batch = world, so amounts may differ by world.

    Slots are chosen anew at every step: an intervention at `first_frame` follows that frame as the window rolls on, and
    ends when it has left.
    """

    def __init__(self, policy: WindowPolicy, interventions: Sequence[Intervention]) -> None:
        """Keep `policy` for what it remembers; its own hooks are not used."""
        self.policy, self.interventions = policy, interventions

    def start(self, n_worlds: int) -> WindowMemory:
        """Return windows that are all padding."""
        return self.policy.start(n_worlds)

    def act(self, observation: Observation, memory: WindowMemory) -> Decision[WindowMemory]:
        """Push the observation into the window and return the patched logits of its last slot.

        Worlds that share a window and all amounts are run once.
        """
        pushed = self.policy.act(observation, memory).memory
        shared = _shared(pushed.windows, [each.edit for each in self.interventions])
        chosen = [replace(each, edit=each.edit.of_rows(shared.first)) for each in self.interventions]
        logits = intervene(self.policy.model, pushed.windows[shared.first], self.policy.items.table, chosen)
        return Decision(logits[:, -1][shared.member], pushed)


@dataclass(frozen=True)
class _Shared:
    first: Int64[Tensor, " distinct"]
    """a world of each kind"""
    member: Int64[Tensor, " world"]
    """the kind of each world"""


def _shared(windows: Windows, edits: Sequence[Edit]) -> _Shared:
    """Tell which worlds have the same window and the same amounts."""
    member = distinct(windows).member
    for edit in edits:
        for amount in edit.amounts:
            kinds = torch.stack([member, amount.unique(return_inverse=True, dim=0)[1]], dim=1)
            member = kinds.unique(dim=0, return_inverse=True)[1]
    first = torch.full((int(member.max()) + 1,), len(member))
    return _Shared(first.scatter_reduce(0, member, torch.arange(len(member)), reduce="amin"), member)
