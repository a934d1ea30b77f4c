"""Exchanging the instruction: each window with the one that differs in it alone, and what an edit does of that."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.foundation.errors import UserError
from dtinterp.interventions.directions.finder import Material
from dtinterp.interventions.directions.labelled_rows import rows_at
from dtinterp.interventions.edits.edit import Edit
from dtinterp.interventions.intervene import Intervention, intervene
from dtinterp.interventions.slots import first_frame
from dtinterp.interventions.studies.published import turn
from dtinterp.interventions.windows.chosen import ChosenWindows
from dtinterp.subject.subject import Subject


@dataclass(frozen=True)
class Exchange:
    """Windows, and for each the number of the one with the other instruction, all else equal."""

    subject: Subject
    chosen: ChosenWindows
    partner: Int64[Tensor, " window"]
    site: str
    """where the first frame's token is edited"""
    rows: Float32[Tensor, "window d_model"]
    """the first frames' tokens there"""

    @classmethod
    def of(cls, subject: Subject, chosen: ChosenWindows, site: str = OBSERVATION_EMBEDDING) -> "Exchange":
        """Pair the windows. Raises `UserError` where one has no partner, or lacks its first frame."""
        rows, slot = rows_at(Material(subject, site, chosen), chosen, "first")
        if (slot < 0).any():
            raise UserError("a window does not show its episode's first frame: choose shorter plays.")
        number = {key: place for place, key in enumerate(_keys(chosen, other=False))}
        partner = [number.get(key, -1) for key in _keys(chosen, other=True)]
        if min(partner) < 0:
            name = chosen.names[partner.index(-1)]
            raise UserError(f"the window {name} has no partner with the other instruction: choose windows in pairs.")
        return cls(subject, chosen, torch.tensor(partner), site, rows)

    @property
    def wanted(self) -> Float32[Tensor, "window d_model"]:
        """What the first frame's token would be under the other instruction."""
        return self.rows[self.partner]

    def logits(self, edit: Edit | None = None) -> Float32[Tensor, "window action"]:
        """Return the logits at each window's end with an edit of the first frame's token."""
        return intervene(self.subject.model, self.chosen.windows, self.chosen.items, self._made(edit))[:, -1]

    def turn(self, edit: Edit | None = None) -> Float32[Tensor, " window"]:
        """Return logit(left) − logit(right) at each window's end with an edit of the first frame's token."""
        return turn(self.subject.model, self.chosen, self._made(edit))

    def restored(self, edit: Edit) -> float:
        """Return the share of the other instruction's effect that an edit has.

        With D = LD_partner − LD and E = LD_edit − LD that is Σ D E / Σ D², over windows: 1 where the edit acts as the
        other instruction, 0 where it does nothing; windows in which the instruction decides little weigh little.
        """
        before = self.turn()
        due = before[self.partner] - before
        return float((self.turn(edit) - before) @ due / due.square().sum())

    def turned(self, edit: Edit) -> int:
        """Return how many windows turn to the partner's side that were not there before."""
        before, after = self.turn(), self.turn(edit)
        return int(((before * after < 0) & (before * before[self.partner] < 0)).sum())

    def _made(self, edit: Edit | None) -> list[Intervention]:
        return [] if edit is None else [Intervention(self.site, first_frame, edit)]


def _keys(chosen: ChosenWindows, *, other: bool) -> Sequence[tuple[int, ...]]:
    """Return what tells windows apart: the instruction, or the other one; the left target; and what was done."""
    instruction = chosen.fact("instruction")
    columns = [1 - instruction if other else instruction, chosen.fact("top_target")]
    told = torch.cat([torch.stack(columns, dim=1), chosen.windows.action, chosen.windows.time], dim=1)
    return [tuple(row) for row in told.tolist()]
