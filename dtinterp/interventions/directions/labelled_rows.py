"""Rows of a site with the value of a fact, as probes and differences of means are found in them."""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from jaxtyping import Bool, Float32, Int64
from pydantic import Field, StrictInt, StrictStr
from torch import Tensor

from dtinterp.activations.harvest import harvest
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.ranges import LARGEST
from dtinterp.interventions.directions.finder import DirectionFinder, Material
from dtinterp.interventions.slots import slot_number, slots_of
from dtinterp.interventions.windows.chosen import ChosenWindows
from dtinterp.interventions.windows.predicate import number_of, word_of
from dtinterp.interventions.windows.recorded import recorded

Value = StrictStr | StrictInt


@dataclass(frozen=True)
class LabelledRows:
    """One row a window, and whether the fact has the first of its two values there."""

    rows: Float32[Tensor, "row d_model"]
    is_first: Bool[Tensor, " row"]

    @property
    def means(self) -> Float32[Tensor, "2 d_model"]:
        """The mean row of the first value, and of the second."""
        return torch.stack([self.rows[self.is_first].mean(dim=0), self.rows[~self.is_first].mean(dim=0)])

    def accuracy(self, direction: Float32[Tensor, " d_model"], threshold: float) -> float:
        """Return the share of rows on the right side of a threshold along a direction."""
        return float(((self.rows @ direction > threshold) == self.is_first).float().mean())

    @property
    def majority(self) -> float:
        """The share of the more frequent value: what knowing nothing achieves."""
        share = float(self.is_first.float().mean())
        return max(share, 1 - share)

    def distinct(self) -> "LabelledRows":
        """Return each row once for each value that goes with it."""
        both = torch.cat([self.rows, self.is_first[:, None].float()], dim=1).unique(dim=0)
        return LabelledRows(both[:, :-1], both[:, -1] > 0)


class OfLabelledRows(DirectionFinder):
    """What is found in rows by a fact's two values, and judged on windows of held-out episodes."""

    fact: StrictStr
    """such as instruction; its value is that of each window's newest frame"""
    between: tuple[Value, Value] | None = None
    """the value at the positive end, and the other; none: the two that occur, the lower one positive"""
    frame: Literal["first", "last"] = "last"
    """whose row is taken of each window"""
    rows: Literal["chosen", "training"] = "chosen"
    """whether it is found in the chosen windows, or in windows of training episodes"""
    n_windows: Annotated[StrictInt, Field(ge=1, le=LARGEST)] = 1024
    """training windows, and held-out windows that it is judged on"""

    def found_in(self, material: Material) -> LabelledRows:
        """Return the rows that it is found in. Raises `UserError` where one of two values is missing."""
        if self.rows == "chosen":
            chosen = material.windows
        else:
            drawn = material.subject.train_windows(self.n_windows, seed=material.seed)
            chosen = recorded(material.subject, material.subject.trajectories, drawn.step[:, -1], None)
        found = self._labelled(material, chosen, self._values(chosen))
        if found.majority == 1:
            value = self._values(chosen)[0 if bool(found.is_first.all()) else 1]
            raise UserError(
                f"all rows have {self.fact} {word_of(self.fact, value)}: choose windows in which the fact differs."
            )
        return found

    def judged_on(self, material: Material) -> LabelledRows:
        """Return the distinct rows of held-out windows that have either value."""
        steps = material.subject.held_out_windows(self.n_windows, seed=material.seed).step[:, -1]
        chosen = recorded(material.subject, material.subject.trajectories, steps, None)
        values = self._values(material.windows if self.rows == "chosen" else chosen)
        return self._labelled(material, chosen, values).distinct()

    def _values(self, chosen: ChosenWindows) -> tuple[int, int]:
        if self.between is not None:
            first, second = (number_of(self.fact, value) for value in self.between)
            return first, second
        values = chosen.fact(self.fact).unique().tolist()
        if len(values) != 2:
            words = ", ".join(word_of(self.fact, value) for value in values)
            raise UserError(
                f"the fact {self.fact} has {len(values)} values in the windows ({words}): say `between` which two."
            )
        return values[0], values[1]

    def _labelled(self, material: Material, chosen: ChosenWindows, values: tuple[int, int]) -> LabelledRows:
        value = chosen.fact(self.fact)
        rows, slot = rows_at(material, chosen, self.frame)
        kept = (slot >= 0) & torch.isin(value, torch.tensor(values))
        if not kept.any():
            raise UserError(f"no window shows its {self.frame} frame with such a {self.fact}: choose other windows.")
        return LabelledRows(rows[kept], value[kept] == values[0])


def rows_at(
    material: Material, chosen: ChosenWindows, frame: Literal["first", "last"]
) -> tuple[Float32[Tensor, "window d_model"], Int64[Tensor, " window"]]:
    """Return each window's row at the material's site and frame, and its slot; a row of 0 where it lacks the frame."""
    windows = chosen.windows
    is_chosen = slots_of(frame)(windows)  # window slot
    slot = slot_number(is_chosen)
    found = harvest(material.subject.model, windows, chosen.items, material.site)
    rows = torch.zeros(len(chosen), found.value.shape[1])
    rows[slot >= 0] = found.value[is_chosen[windows.mask]]
    return rows, slot
