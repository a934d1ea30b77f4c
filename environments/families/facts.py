"""What there is to tell of states: the facts that a task turns on, and what the mission names."""

import torch
from jaxtyping import Bool, Int16, Int32, Int64
from torch import Tensor

from environments.grid.cells import cell_of_code
from environments.grid.facts import OBJECT_COLOURS, OBJECTS, SeenCells, colour_of, kind_of
from environments.grid.observation import cells_in_view, look, pitch_of
from environments.grid.state import State
from environments.grid.world_spec import WorldSpec

MISSION_SIZES: tuple[int, ...] = 2 * (len(OBJECTS), len(OBJECT_COLOURS))
"""How many values each number of a mission has."""


def fact_names(spec: WorldSpec) -> tuple[str, ...]:
    """Return the names of a world's facts; `time` comes last.

    In the memory family they are `environments.families.memory.MEMORY_FACTS`. Elsewhere: the agent's cell and
    direction; the kind and colour of what it carries; kind, colour, cell and visibility of the target (what must be
    reached, fetched, opened or put beside); how many things of each kind are in sight; and what only one family has.
    """
    return (*spec.rule.fact_names, "time")


def facts_of_states(state: State, spec: WorldSpec) -> Int16[Tensor, "world fact"]:
    """Return the facts of each world, in the order of `fact_names`.

    Coordinates are grid cells, y growing southwards; -1 where the target lies nowhere. Where the rule names a cell,
    they and the visibility are that cell's, though the target may have been carried off. An object that is carried
    counts as visible, since the frame shows it. Kinds and colours are numbered as FACT_VALUES of
    `environments.families.registry` has them.
    """
    columns = spec.rule.facts(state, _seen_cells(look(state, spec), state, spec))
    rows = [*(columns[name] for name in spec.rule.fact_names), state.time]
    return torch.stack([row.to(torch.int16) for row in rows], dim=1)


def target_is_visible(cells: Int32[Tensor, "world slot"], state: State, spec: WorldSpec) -> Bool[Tensor, " world"]:
    """Return whether the target, in the memory family the instruction, is among the cells that `look` returned."""
    return spec.rule.is_target_visible(state, _seen_cells(cells, state, spec))


def _seen_cells(cells: Int32[Tensor, "world slot"], state: State, spec: WorldSpec) -> SeenCells:
    """Return the slots that are cells of the view, as one row per world."""
    view, pitch = spec.view, pitch_of(spec.view)
    grid_cell = cells_in_view(spec, cells.device).index_select(0, state.position * 4 + state.direction)
    kept = [tensor.unflatten(1, (view, pitch))[:, :, :view].flatten(1) for tensor in (cells, grid_cell)]
    return SeenCells(*kept, height=spec.height)


def mission_of(state: State, spec: WorldSpec) -> Int64[Tensor, "world number"]:
    """Return kind and colour of the target, then kind and colour of what must be put near it, in MiniGrid's numbers.

    An agent must be told, since no frame shows it. They are 0, as for a cell that is not seen, where the rule goes by
    nothing that a mission names: what to do is the same in every layout of the memory task, and where a goal is to be
    reached. LockedRoom's hints on where its key lies are left out.
    """
    named = spec.rule.mission
    cells = cell_of_code(state.position.device)[state.parameters[:, named]]  # world named
    numbers = torch.stack([kind_of(cells), colour_of(cells)], dim=2).flatten(1).long()
    mission = numbers.new_zeros(len(state), len(MISSION_SIZES))
    mission[:, : numbers.shape[1]] = numbers
    return mission
