"""Statistics of the latest episodes of a training, as they are shown and logged."""

from collections.abc import Mapping

import torch
from jaxtyping import Float64
from torch import Tensor

from dtinterp.agents.rollout import Rollout

N_LATEST = 2000
"""Episodes that say whether a training may end early."""


class EpisodeStatistics:
    """Counts episodes, successes, rewards and steps of each rollout."""

    def __init__(self) -> None:
        """Begin with nothing counted."""
        self._counts = torch.zeros(0, 4, dtype=torch.float64)  # rollout (episodes, successes, reward, steps)

    def add(self, rollout: Rollout) -> None:
        """Count a rollout; rollouts too old for the latest episodes are forgotten."""
        counted = (rollout.is_last, rollout.success, rollout.reward, torch.ones_like(rollout.reward))
        row = torch.stack([each.double().sum().cpu() for each in counted])
        counts = torch.cat([self._counts, row[None]])
        n_since = counts[:, 0].flip(0).cumsum(0).flip(0)  # episodes in this rollout and after it
        n_needless = int((n_since[1:] >= N_LATEST).sum())
        self._counts = counts[n_needless:]

    @property
    def n_episodes(self) -> int:
        """How many episodes the averages of `latest` rest on."""
        return int(self._counts[:, 0].sum())

    def last(self) -> dict[str, float]:
        """Return success, return and length of the episodes that ended in the last rollout, on average."""
        return _averages(self._counts[-1])

    def latest(self) -> dict[str, float]:
        """Return the same of the latest rollouts, which hold 2,000 episodes if there were as many."""
        return _averages(self._counts.sum(0))

    def has_reached(self, success: float | None) -> bool:
        """Whether at least this share succeeded, of 2,000 latest episodes and of those of the last rollout alone."""
        if success is None or self.n_episodes < N_LATEST:
            return False
        return min(self.latest()["success"], self.last()["success"]) >= success

    def state_dict(self) -> dict[str, Tensor]:
        """Return the counts."""
        return {"counts": self._counts}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from there."""
        self._counts = state["counts"]


def _averages(counts: Float64[Tensor, " kind"]) -> dict[str, float]:
    """Return averages per ended episode; the parts of episodes at the ends of a rollout even out."""
    n_episodes, n_successes, reward, n_steps = counts.tolist()
    n_episodes = max(n_episodes, 1.0)
    return {"success": n_successes / n_episodes, "return": reward / n_episodes, "length": n_steps / n_episodes}
