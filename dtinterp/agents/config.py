"""Settings of the training of an agent, checked."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from dtinterp.agents.recurrent_cells import Core
from dtinterp.foundation.devices import Device
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.ranges import require_above, require_at_least, require_sensible, require_share

Schedule: TypeAlias = Literal["constant", "linear"]
"""Whether a setting stays as it is or falls linearly to zero over the training."""
TimeLimit: TypeAlias = Literal["end", "cut"]
"""What the time limit does to an episode.

`end`: it ends there like any other, and nothing is to be had afterwards. That is so in MiniGrid, whose reward falls
with time and is gone at the limit. `cut`: it would have gone on, so the value of its last frame stands for the rest
(Pardo et al. 2018, arXiv:1712.00378).
"""


@dataclass(frozen=True)
class AgentConfig:
    """How an agent is trained."""

    env_id: str = "MiniGrid-MemoryS7FixedStart-v0"
    """world to learn, a registered gymnasium id"""
    steps: int = 2_000_000
    """environment steps in all, over all worlds"""
    n_worlds: int = 128
    """worlds stepped in parallel"""
    n_layouts: int = 1024
    """layouts that episodes begin with, where a world has more of them than can be listed"""
    n_rollout: int = 32
    """steps of each world between two updates"""
    core: Core = "gru"
    """what remembers: gru, lstm, or none for worlds where the present frame tells all that counts"""
    d_hidden: int = 128
    """width of the core"""
    learning_rate: float = 5e-4
    """Adam's step size at the start"""
    learning_rate_schedule: Schedule = "linear"
    """constant, or linear: it falls to zero"""
    epochs: int = 4
    """passes over each rollout"""
    n_minibatches: int = 4
    """groups of worlds per pass"""
    discount: float = 0.99
    """per step"""
    decay: float = 0.95
    """lambda of the generalised advantage"""
    time_limit: TimeLimit = "end"
    """end: nothing follows the time limit; cut: the value of the last frame stands for what would have followed"""
    clip: float = 0.2
    """how far the probability ratio counts"""
    clip_value: bool = False
    """whether the value, too, may move by at most `clip` in an update"""
    entropy: float = 0.01
    """weight of the entropy bonus, in nats, at the start"""
    entropy_schedule: Schedule = "constant"
    """constant, or linear: it falls to zero"""
    value_weight: float = 2.0
    """weight of the value loss"""
    max_gradient: float = 0.5
    """gradient norm above which it is scaled down"""
    stop_at: float | None = None
    """share of successes, in the last 2,000 episodes and the last rollout, at which training ends early; None: never"""
    save_every: int = 20
    """updates between two states of the training written to disk, from which an interrupted one goes on"""
    device: Device = "auto"
    """auto takes the first CUDA device where there is one, else the processor"""
    seed: int = 0
    """seed of layouts, weights and actions"""

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        require_sensible(self)
        require_at_least(self, 1, "n_worlds", "n_layouts", "n_rollout", "d_hidden")
        require_at_least(self, 1, "epochs", "n_minibatches", "save_every")
        require_at_least(self, 0, "entropy", "value_weight")
        require_above(self, 0, "learning_rate", "clip", "max_gradient")
        require_share(self, "discount", "decay")
        if self.stop_at is not None:
            require_share(self, "stop_at")
        if self.n_worlds % self.n_minibatches:
            raise UserError(
                f"n_worlds is {self.n_worlds}, expected a multiple of n_minibatches, {self.n_minibatches}: "
                "change either."
            )
        if self.n_worlds // self.n_minibatches * self.n_rollout < 2:
            raise UserError(
                f"n_rollout is {self.n_rollout}, expected at least 2 with one world per minibatch: advantages are "
                "normalised within a minibatch."
            )
        if self.n_updates < 1:
            raise UserError(
                f"steps is {self.steps}, expected at least one rollout, {self.steps_per_update}: ask for more steps."
            )

    @property
    def steps_per_update(self) -> int:
        """Environment steps in a rollout, over all worlds."""
        return self.n_worlds * self.n_rollout

    @property
    def n_updates(self) -> int:
        """Rollouts that fit into `steps`."""
        return self.steps // self.steps_per_update


def scheduled(start: float, schedule: Schedule, passed: float) -> float:
    """Return a setting when a share `passed`, from 0 to 1, of the training is over."""
    return start if schedule == "constant" else start * (1 - passed)
