"""Statements about a row's frame and recent history that are true or false."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log2

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from dtinterp.activations.harvest import Activations
from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.foundation.errors import UserError
from environments.vocabulary import ACTIONS, CHANNELS, ITEMS, VIEW, one_hot

OBJECTS = CHANNELS[0]
CARRIABLE = ("key", "ball", "box")
AGENT = (VIEW // 2, VIEW - 1)
"""The agent's cell of the view, which shows what it carries."""
WITHIN = (1, 2, 4, 8)
"""How many steps back "within k steps" reaches."""


@dataclass(frozen=True)
class Predicates:
    """Statements, and the rows in which each is true."""

    holds: Bool[Tensor, "row predicate"]
    words: tuple[str, ...]
    """such as `key at (2,6)`, `ball ahead`, `key seen within 4 steps`"""
    bits: Float32[Tensor, " predicate"]
    """what it costs to name each: log2 of the number of families, and of the number of statements in its family"""

    def __post_init__(self) -> None:
        """Check that there is one name and one cost per column."""
        if not self.holds.shape[1] == len(self.words) == len(self.bits):
            raise ValueError(f"{self.holds.shape[1]} statements, {len(self.words)} names, {len(self.bits)} costs")

    def __getitem__(self, rows: Int64[Tensor, " chosen"] | Bool[Tensor, " row"]) -> "Predicates":
        """Return the same statements about the chosen rows."""
        return Predicates(self.holds[rows], self.words, self.bits)

    def only(self, chosen: Int64[Tensor, " chosen"]) -> "Predicates":
        """Return the chosen statements; what they cost to name does not change."""
        return Predicates(self.holds[:, chosen], tuple(self.words[place] for place in chosen), self.bits[chosen])

    @property
    def telling(self) -> Int64[Tensor, " chosen"]:
        """Columns that are neither always true nor always false, the cheapest of those that are true together."""
        order = self.bits.argsort(stable=True)
        columns = self.holds[:, order].T.contiguous()  # predicate row
        first: dict[bytes, int] = {}
        for place, column in zip(order.tolist(), columns.numpy(), strict=True):
            if column.any() and not column.all():
                first.setdefault(column.tobytes(), place)
        return torch.tensor(sorted(first.values()), dtype=torch.int64)


def predicates_of(rows: Activations, trajectories: Trajectories) -> Predicates:
    """Return every statement of the language about the rows.

    A statement is about the frame of the row's own step, or about what the row's window shows before it: nothing in it
    was out of the model's sight. Observation embeddings know no past, so nothing is said of it there. Raises
    `UserError` for windows that were made by hand, whose steps are not known.
    """
    if (rows.step < 0).any():
        raise UserError(
            "some rows come from windows made by hand, whose steps nobody knows: harvest windows of trajectories."
        )
    in_frame = {"cell": _cells(trajectories), "region": _regions(trajectories), "carrying": _carried(trajectories)}
    frame = trajectories.frame_id[rows.step].long()
    families = {name: _Family(family.holds[frame], family.words) for name, family in in_frame.items()}
    if rows.site != OBSERVATION_EMBEDDING:
        families |= {"seen": _seen(rows, trajectories)}
        families |= {"action": _acted(rows, trajectories), "past": _past(rows, trajectories)}
    bits = [log2(len(families)) + log2(len(family.words)) for family in families.values() for _ in family.words]
    return Predicates(
        holds=torch.cat([family.holds for family in families.values()], dim=1),
        words=tuple(word for family in families.values() for word in family.words),
        bits=torch.tensor(bits),
    )


def regions() -> Mapping[str, Bool[Tensor, "x y"]]:
    """Return the parts of the view that an object can be in, relative to the agent; its own cell is in none of them."""
    x, y = torch.meshgrid(torch.arange(VIEW), torch.arange(VIEW), indexing="ij")
    away = (x - AGENT[0]).abs() + (y - AGENT[1]).abs()
    found = {"in view": away >= 0}
    found |= {f"in row {row}": y == row for row in range(VIEW)}
    found |= {f"in column {column}": x == column for column in range(VIEW)}
    found |= {"to the left": x < AGENT[0], "to the right": x > AGENT[0], "straight ahead": x == AGENT[0]}
    found |= {"in the far half": y < AGENT[0], "in the near half": y >= AGENT[0]}
    found |= {f"within {steps} cells": away <= steps for steps in (1, 2, 3)}
    return {name: cells & (away > 0) for name, cells in found.items()}


@dataclass(frozen=True)
class _Family:
    holds: Bool[Tensor, "row statement"]
    words: tuple[str, ...]


def _cells(trajectories: Trajectories) -> _Family:
    return _Family(one_hot(trajectories.frames).bool(), tuple(item.replace(" (", " at (") for item in ITEMS))


def _regions(trajectories: Trajectories) -> _Family:
    kinds = trajectories.frames[..., 0]  # frame x y
    holds, names = [], []
    for region, cells in regions().items():
        inside = kinds[:, cells]  # frame cell
        holds += [(inside == kind).any(dim=1) for kind in range(len(OBJECTS))]
        names += [f"{thing} {region}" for thing in OBJECTS]
    return _Family(torch.stack(holds, dim=1), tuple(names))


def _carried(trajectories: Trajectories) -> _Family:
    own = trajectories.frames[:, AGENT[0], AGENT[1], 0]  # frame
    holds = [own == OBJECTS.index(thing) for thing in CARRIABLE]
    return _Family(torch.stack(holds, dim=1), tuple(f"carrying {thing}" for thing in CARRIABLE))


def _seen(rows: Activations, trajectories: Trajectories) -> _Family:
    """Return whether the object is in view, or carried, now or in one of the last k frames of the window."""
    shown = torch.stack(
        [(trajectories.frames[..., 0] == kind).flatten(1).any(dim=1) for kind in range(len(OBJECTS))], 1
    )
    depth = n_before(rows, trajectories)
    known = shown[trajectories.frame_id[rows.step].long()]  # row kind
    holds, names = [], []
    for back in range(1, max(WITHIN) + 1):
        earlier = shown[trajectories.frame_id[(rows.step - back).clamp_min(0)].long()]
        known = known | (earlier & (back <= depth)[:, None])
        if back in WITHIN:
            holds.append(known)
            names += [f"{thing} seen within {back} step{'s' * (back > 1)}" for thing in OBJECTS]
    return _Family(torch.cat(holds, dim=1), tuple(names))


def _acted(rows: Activations, trajectories: Trajectories) -> _Family:
    """Return whether each action is the one that led to the row's step."""
    before = trajectories.action[(rows.step - 1).clamp_min(0)].long()
    is_known = n_before(rows, trajectories) > 0
    holds = (before[:, None] == torch.arange(len(ACTIONS))) & is_known[:, None]
    return _Family(holds, tuple(f"{action} just done" for action in ACTIONS))


def _past(rows: Activations, trajectories: Trajectories) -> _Family:
    """Return whether the window shows at least so many steps before the row."""
    most = int(rows.slot.max()) if len(rows.slot) else 0
    reach = torch.arange(1, max(most, 1) + 1)
    words = tuple(f"at least {back} step{'s' * (back > 1)} of past" for back in reach.tolist())
    return _Family(n_before(rows, trajectories)[:, None] >= reach, words)


def n_before(rows: Activations, trajectories: Trajectories) -> Int64[Tensor, " row"]:
    """Return how many real slots stand before each row in its window."""
    return torch.minimum(rows.slot, trajectories.time[rows.step])
