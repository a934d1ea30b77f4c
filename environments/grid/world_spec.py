"""What all episodes of one world share: the size of its grid, what can be seen of it, its time limit and its rule."""

from dataclasses import dataclass

from environments.grid.rules import Rule

LONGEST = 2**15 - 1
"""The longest time limit: the time is a fact, and facts have 16 bits."""


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
