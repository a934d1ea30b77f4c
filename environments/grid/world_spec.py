"""What all episodes of one world share: the size of its grid, what can be seen of it, its time limit and its rule."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

import torch
from jaxtyping import Bool, Int32, Int64
from torch import Tensor

from environments.grid.cells import Thing, code_of
from environments.grid.facts import SHARED_FACTS, SeenCells, Target, shared_facts, target_like
from environments.grid.flaws import Flaw
from environments.grid.state import State
from environments.grid.transition import Ending, Transition

LONGEST = 2**15 - 1
"""The longest time limit: the time is a fact, and facts have 16 bits."""

N_PARAMETERS = 3
"""Numbers per world that a rule can use; those that it does not use are 0."""


class Parameter(Enum):
    """What one of a rule's parameters is."""

    CELL = "a cell"
    END = "a cell inside the outer wall that is no wall itself"
    DOOR = "the cell of a door"
    THING = "the code of a thing to carry"
    LANDMARK = "the code of a door or of a thing to carry"


@dataclass(frozen=True)
class Rule(ABC):
    """One of MiniGrid's own `step` methods: when episodes end and which endings pay, and what there is to tell of it.

    What differs between layouts, such as the cell of a target, stands in a few numbers per world, its parameters; each
    rule says what they are.
    """

    parameters: ClassVar[tuple[Parameter, ...]] = ()
    mission: ClassVar[tuple[int, ...]] = ()
    """Which parameters are codes of what the mission names: the target, then what must be put beside it."""
    fact_names: ClassVar[tuple[str, ...]] = SHARED_FACTS
    """The facts of these worlds, in order; time comes after them."""
    fact_values: ClassVar[dict[str, tuple[str, ...]]] = {}
    """What the numbers of the family's own facts mean, where these are neither counts nor coordinates."""
    doors_stay: ClassVar[bool] = False
    """Whether no door ever opens, since toggling ends the episode."""
    follows_recolouring: ClassVar[bool] = False
    """Whether MiniGrid knows the target by identity, so that it stays the target in another colour."""
    pickup_toggles: bool = False
    """Whether pickup does what toggle does, as in MiniGrid's memory task."""

    @abstractmethod
    def ending(self, transition: Transition) -> Ending:
        """Return which episodes the rule ends; goals and lava, which count in every world, are not its business."""

    def target(self, state: State, seen: SeenCells) -> Target:
        """Return what must be reached, fetched, opened or put beside: here a goal."""
        goal = torch.full_like(state.position, code_of(Thing("goal", "green")))
        return target_like(goal, state, seen)

    def is_target_visible(self, state: State, seen: SeenCells) -> Bool[Tensor, " world"]:
        """Return whether the frame shows the target."""
        return self.target(state, seen).is_visible

    def facts(self, state: State, seen: SeenCells) -> dict[str, Tensor]:
        """Return each of `fact_names`."""
        return shared_facts(state, seen, self.target(state, seen))

    def flaws(self, state: State, codes: Int32[Tensor, "world cell"], spec: "WorldSpec") -> Iterator[Flaw]:  # noqa: ARG002
        """Yield what only worlds of this family can have wrong. What is out of range has been told by then."""
        yield from ()


def parameter_row(rule: Rule, numbers: Sequence[int]) -> Int64[Tensor, "1 parameter"]:
    """Return the parameters of one world. Raises ValueError for another number of them than the rule goes by."""
    wanted = rule.parameters
    if len(numbers) != len(wanted):
        kinds = f": {', '.join(kind.value for kind in wanted)}" if wanted else ""
        raise ValueError(
            f"{len(numbers)} parameters were given, and {type(rule).__name__} goes by {len(wanted)}{kinds}."
        )
    return torch.tensor([[*numbers, *[0] * (N_PARAMETERS - len(numbers))]], dtype=torch.int64)


@dataclass(frozen=True)
class WorldSpec:
    """A world apart from its layouts. Raises ValueError for a size that no world can have."""

    env_id: str
    width: int
    height: int
    max_steps: int
    """The episode is cut off after so many steps."""
    rule: Rule
    """When an episode ends, and which endings pay."""
    view: int = 7
    """Cells along each side of what the agent sees; odd."""
    sees_through_walls: bool = False

    def __post_init__(self) -> None:
        if self.view < 3 or self.view % 2 == 0:
            raise ValueError(f"The view is {self.view} cells wide; it must be odd and at least 3.")
        if min(self.width, self.height) < 3:
            raise ValueError(
                f"A grid of {self.width} by {self.height} has no room inside its walls; 3 by 3 is the least."
            )
        if not 1 <= self.max_steps <= LONGEST:
            raise ValueError(
                f"The time limit is {self.max_steps}; it is 1 to {LONGEST}, so that facts can tell the time in 16 bits."
            )

    @property
    def n_cells(self) -> int:
        """Cells of the grid."""
        return self.width * self.height

    def cell(self, x: int, y: int) -> int:
        """Return the number of a cell: grids are kept column by column, as MiniGrid's images are indexed [x, y]."""
        if not (0 <= x < self.width and 0 <= y < self.height):
            raise ValueError(f"There is no cell ({x}, {y}) in a grid of {self.width} by {self.height}.")
        return x * self.height + y

    def place(self, cell: int) -> tuple[int, int]:
        """Return the coordinates (x, y) of a cell, the inverse of `cell`."""
        return divmod(cell, self.height)
