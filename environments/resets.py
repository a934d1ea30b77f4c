"""What a world tells only after a reset: its time limit and its mission."""

import re
from dataclasses import dataclass
from functools import cache

from environments.registration import make

N_RESETS = 32
"""Seeds looked at, from 0 on. A BabyAI level has time limit 0 until its first reset, which draws it with a mission."""

_ARTICLE = re.compile(r"\b(?:a|the) ")


@dataclass(frozen=True)
class Beginnings:
    """How episodes of a world begin."""

    env_id: str
    max_steps: int
    """the longest time limit"""
    missions: tuple[str, ...]
    """one of each that names something else, in the order of the seeds; `a` and `the` make no difference"""

    @property
    def unread_mission(self) -> str | None:
        """One sentence, where episodes want different things and only the mission says which; else None.

        Agents and models see frames, and no mission.
        """
        if len(self.missions) < 2:
            return None
        return (
            f"{self.env_id} gives each episode a mission of its own, such as {self.missions[0]!r} or "
            f"{self.missions[1]!r}, which neither agents nor models read: expect success only where the frames alone "
            "tell what to do."
        )


@cache
def beginnings(env_id: str) -> Beginnings:
    """Reset a world N_RESETS times. Raises WorldError for an id that is not MiniGrid's or ours."""
    env = make(env_id)
    limit, missions = 0, dict[str, str]()
    for seed in range(N_RESETS):
        env.reset(seed=seed)
        limit = max(limit, env.max_steps)
        missions.setdefault(_ARTICLE.sub("", env.mission), env.mission)
    return Beginnings(env_id, limit, tuple(missions.values()))
