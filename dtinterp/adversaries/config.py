"""Settings of a search, checked."""

from dataclasses import dataclass
from typing import Literal, get_args

from dtinterp.adversaries.edits import EditSource
from dtinterp.adversaries.naturalness import Budget, Reach
from dtinterp.adversaries.strategies import StrategyName
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.ranges import require_at_least, require_one_of, require_sensible
from environments.vocabulary import ACTIONS

Flipped = Literal["logits", "action", "feature"]


@dataclass(frozen=True)
class AdversaryConfig:
    """What is to be flipped, by which edits, and how they are looked for."""

    flip: Flipped = "logits"
    """logits: which of two actions' logits is the higher; action: the likeliest action; feature: whether a dictionary's
    feature is above a level"""
    actions: tuple[str, ...] = ("left", "right")
    """for logits: the two actions; for action: the one wanted, or none for any other"""
    feature: int = 0
    """for feature: its number"""
    frame: int = 0
    """for feature: where it is read, counted from the window's oldest frame"""
    level: float = 0.0
    """for feature: the pre-activation that is to be crossed, in the dictionary's own units"""
    edits: EditSource = "frame"
    """world: the world is edited before the window begins, and all frames show it; frame: these, and legal edits seen
    in one frame alone; item: any object in any cell of one frame, as in the published experiments"""
    reach: Reach = "any"
    """what edited windows must be; shown: of frames that the world shows; possible: what the world could show"""
    n_edits: int = 2
    """most edits in a set"""
    least_log_likelihood: float | None = None
    """nats, below 0, that an edited window may be less likely by under the cell model; none: any"""
    strategy: StrategyName = "exhaustive"
    """how sets are looked for"""
    max_candidates: int = 1_000_000
    """sets that may be evaluated in each window"""
    returns: tuple[float, ...] = (0.892, 0.5, 0.0)
    """returns at which the smallest adversaries are shown to the model itself and to others"""
    n_controls: int = 1000
    """random sets that the smallest found is held against; 0: no control"""
    detours: int = 0
    """actions that may be wasted on the way to a decision point: each such way is a window too"""
    target_return: float = 0.892
    """return asked for at every step"""
    seed: int = 0
    """of random sets"""

    def __post_init__(self) -> None:
        """Refuse what cannot be searched."""
        require_at_least(self, 1, "n_edits", "max_candidates")
        require_at_least(self, 0, "n_controls", "feature", "frame", "detours")
        require_one_of(self, "flip", get_args(Flipped))
        require_one_of(self, "edits", get_args(EditSource))
        require_one_of(self, "reach", get_args(Reach))
        require_one_of(self, "strategy", get_args(StrategyName))
        require_sensible(self)
        self._require_actions()
        if self.least_log_likelihood is not None and self.least_log_likelihood > 0:
            raise UserError(
                f"least_log_likelihood is {self.least_log_likelihood}, expected 0 or less, since edits make windows "
                "less likely: give another value."
            )

    @property
    def budget(self) -> Budget:
        """What sets of edits may cost."""
        return Budget(self.n_edits, self.reach, self.least_log_likelihood)

    def _require_actions(self) -> None:
        unknown = [name for name in self.actions if name not in ACTIONS]
        if unknown:
            raise UserError(f"actions holds {unknown[0]!r}, expected of {', '.join(ACTIONS)}: give one of these.")
        wanted = {"logits": (2,), "action": (0, 1)}.get(self.flip)
        if wanted and (len(self.actions) not in wanted or len(set(self.actions)) < len(self.actions)):
            numbers = " or ".join(map(str, wanted))
            raise UserError(
                f"actions are {' '.join(self.actions)}, and to flip {self.flip} takes {numbers} different ones: "
                "give so many."
            )
