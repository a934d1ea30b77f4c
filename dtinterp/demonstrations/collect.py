"""A policy in a world becomes trajectories."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Bool, Int64
from torch import Tensor

from dtinterp.agents.policy import MemoryT, Policy
from dtinterp.demonstrations.rollout import Step, roll_out
from dtinterp.demonstrations.samplers import Sampler, parse_sampler, sampler_name
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.logbook import progress
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


def collect(
    policy: Policy[MemoryT], worlds: Worlds, shares: Sequence[Share], generator: torch.Generator
) -> Trajectories:
    """Roll the policy out under each sampler in turn and keep the whole episodes.

    An episode that is still going on when a share ends is dropped, never glued to the next.
    """
    parts = []
    with progress("collecting demonstrations", sum(share.n_steps for share in shares)) as bar:
        for index, share in enumerate(shares):
            rows = []
            steps = roll_out(
                policy, worlds, share.sampler, n_steps=-(-share.n_steps // worlds.n_worlds), generator=generator
            )
            for step in steps:
                rows.append(step)
                bar.advance(worlds.n_worlds, sampler_name(share.sampler))
            parts.append(_Columns.of(rows, sampler=index))
    return _intern(parts, worlds, tuple(sampler_name(share.sampler) for share in shares))


@dataclass(frozen=True)
class _Columns:
    """The whole episodes of one share, world after world."""

    step: dict[str, Tensor]
    length: Int64[Tensor, " episode"]
    terminated: Bool[Tensor, " episode"]
    sampler: int

    @classmethod
    def of(cls, rows: Sequence[Step], *, sampler: int) -> "_Columns":
        columns = {
            name: rearrange([getattr(row, name) for row in rows], "time world ... -> world time ...")
            for name in ("frame_id", "facts", "action", "reward", "terminated", "is_last")
        }
        is_whole = columns["is_last"].flip(1).cumsum(1).flip(1) > 0  # some episode ends here or later
        step = {name: column[is_whole] for name, column in columns.items()}
        end = step["is_last"].nonzero().squeeze(-1)
        length = torch.diff(end, prepend=end.new_tensor([-1]))
        return cls(step=step, length=length, terminated=step["terminated"][end], sampler=sampler)


def _intern(parts: Sequence[_Columns], worlds: Worlds, samplers: tuple[str, ...]) -> Trajectories:
    """Join the shares and keep only the frames that were seen."""
    step = {name: torch.cat([part.step[name] for part in parts]) for name in parts[0].step}
    length = torch.cat([part.length for part in parts])
    if len(length) == 0:
        raise UserError(
            f"no episode of {worlds.env_id} ended in the steps asked for (an episode may take {worlds.max_steps}): "
            "ask for more steps."
        )
    seen, frame_id = torch.unique(step["frame_id"], return_inverse=True)
    return Trajectories(
        env_id=worlds.env_id,
        max_steps=worlds.max_steps,
        frames=worlds.frames[seen],
        frame_id=frame_id.int(),
        action=step["action"].to(torch.int8),
        reward=step["reward"],
        facts=step["facts"],
        length=length.int(),
        terminated=torch.cat([part.terminated for part in parts]),
        sampler=torch.cat([torch.full((len(part.length),), part.sampler, dtype=torch.int8) for part in parts]),
        fact_names=tuple(worlds.fact_names),
        samplers=samplers,
    )
