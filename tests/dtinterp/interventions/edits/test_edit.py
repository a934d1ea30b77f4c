from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.controls.drawn import random_directions
from dtinterp.interventions.edits.add import Adding
from dtinterp.interventions.edits.edit import Edit
from dtinterp.interventions.edits.set import Setting
from dtinterp.interventions.instruction_flip.scenarios import Scenarios
from dtinterp.interventions.intervene import Intervention, intervene
from dtinterp.interventions.parts.along import along
from dtinterp.interventions.parts.whole import Whole
from dtinterp.interventions.slots import first_frame
from dtinterp.model.network.transformer import DecisionTransformer

D_MODEL, N_ROWS = 8, 5


@dataclass(frozen=True)
class Doubled(Edit):
    """A toy: p ← 2 p."""

    def changed(self, rows: Tensor) -> Tensor:
        return self.part.moved(rows, self.part.read(rows))


def test_a_new_edit_needs_no_more_than_its_own_class(random_model: DecisionTransformer, scenarios: Scenarios) -> None:
    site, (windows, items) = "hook_obs_embed", (scenarios.windows, scenarios.items)
    doubled, plain = (
        intervene(random_model, windows, items, [Intervention(site, first_frame, edit)] if edit else [])
        for edit in (Doubled(Whole()), None)
    )
    written = random_model.W_obs.detach()[items[windows.frame_id[:, 5]].bool()[0]].sum(0)
    unit = written / written.norm()
    by_hand = Intervention(site, first_frame, Setting(along(unit), 2 * float(written.norm())))
    assert not torch.equal(doubled, plain)
    torch.testing.assert_close(
        doubled[0, -1], intervene(random_model, windows, items, [by_hand])[0, -1], atol=1e-4, rtol=1e-4
    )


def test_a_direction_of_another_model_is_refused(rows: Tensor) -> None:
    stranger = along(random_directions(1, D_MODEL + 1, torch.Generator().manual_seed(0))[0])
    for edit in (Setting(stranger, 1.0), Adding(stranger, 1.0)):
        with pytest.raises(UserError, match=f"length {D_MODEL + 1}, the rows at this site have {D_MODEL}"):
            edit.apply(rows)


def test_as_many_amounts_as_windows_are_wanted(rows: Tensor, directions: Tensor) -> None:
    edit = Setting(along(directions[0]), torch.zeros(N_ROWS - 1))
    with pytest.raises(UserError, match=f"{N_ROWS - 1} amounts for {N_ROWS} windows"):
        edit.apply(rows)


def test_edits_are_frozen(directions: Tensor) -> None:
    edit = Adding(along(directions[0]), 1.0)
    with pytest.raises(AttributeError, match="cannot assign"):
        edit.by = 2.0  # pyright: ignore[reportAttributeAccessIssue]
    assert replace(edit, by=2.0).by == 2.0


def test_the_edit_of_some_rows_is_the_edit_there(rows: Tensor, directions: Tensor) -> None:
    chosen = torch.tensor([3, 0])
    part, coefficient = along(directions[0]), torch.arange(N_ROWS).float()
    for edit in (Setting(part, coefficient), Adding(part, 2.0), Setting(Whole(), torch.randn(N_ROWS, D_MODEL))):
        torch.testing.assert_close(edit.of_rows(chosen).apply(rows[chosen]), edit.apply(rows)[chosen])
