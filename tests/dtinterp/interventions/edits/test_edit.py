from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from inspect import isabstract
from pkgutil import iter_modules

import pytest
import torch
from torch import Tensor

from dtinterp.foundation.errors import UserError
from dtinterp.interventions import edits as folder
from dtinterp.interventions.controls import random_directions
from dtinterp.interventions.edits import EDITS
from dtinterp.interventions.edits.directions import AblateDirection, AddDirection, SetDirection
from dtinterp.interventions.edits.edit import Edit
from dtinterp.interventions.instruction_flip.scenarios import Scenarios
from dtinterp.interventions.intervene import Intervention, first_frame, intervene
from dtinterp.model.network.transformer import DecisionTransformer

D_MODEL, N_ROWS = 8, 5


@dataclass(frozen=True)
class Doubled(Edit):
    """A toy: x ← 2 x."""

    def changed(self, rows: Tensor) -> Tensor:
        return 2 * rows


def test_a_new_edit_needs_no_more_than_its_own_class(random_model: DecisionTransformer, scenarios: Scenarios) -> None:
    site, (windows, items) = "hook_obs_embed", (scenarios.windows, scenarios.items)
    doubled, plain = (
        intervene(random_model, windows, items, [Intervention(site, first_frame, edit)] if edit else [])
        for edit in (Doubled(), None)
    )
    written = random_model.W_obs.detach()[items[windows.frame_id[:, 5]].bool()[0]].sum(0)
    unit = written / written.norm()
    by_hand = Intervention(site, first_frame, SetDirection(unit, 2 * float(written.norm())))
    assert not torch.equal(doubled, plain)
    assert torch.equal(Doubled().of_rows(torch.tensor([1])).apply(torch.ones(2, 3)), torch.full((2, 3), 2.0))
    torch.testing.assert_close(
        doubled[0, -1], intervene(random_model, windows, items, [by_hand])[0, -1], atol=1e-4, rtol=1e-4
    )


def test_every_edit_of_the_folder_is_listed() -> None:
    modules = [import_module(f"{folder.__name__}.{each.name}") for each in iter_modules(folder.__path__)]
    found = {value for module in modules for value in vars(module).values() if isinstance(value, type)}
    assert {each for each in found if issubclass(each, Edit) and not isabstract(each)} == set(EDITS)


@pytest.mark.parametrize(
    "make",
    [lambda f: SetDirection(f, 1.0), lambda f: AddDirection(f, 1.0), AblateDirection],
    ids=["set", "add", "ablate"],
)
def test_a_direction_that_is_not_of_length_one_is_refused(make: Callable[[Tensor], Edit]) -> None:
    with pytest.raises(UserError, match=r"the direction has length 2, expected 1: divide it by its norm\."):
        make(torch.ones(4))


def test_a_direction_of_another_model_is_refused(rows: Tensor) -> None:
    stranger = random_directions(1, D_MODEL + 1, torch.Generator().manual_seed(0))[0]
    edits: list[Edit] = [SetDirection(stranger, 1.0), AddDirection(stranger, 1.0), AblateDirection(stranger)]
    for edit in edits:
        with pytest.raises(UserError, match=f"length {D_MODEL + 1}, the rows at this site have {D_MODEL}"):
            edit.apply(rows)


def test_as_many_coefficients_as_windows_are_wanted(rows: Tensor, directions: Tensor) -> None:
    edit = SetDirection(directions[0], torch.zeros(N_ROWS - 1))
    with pytest.raises(UserError, match=f"{N_ROWS - 1} coefficients for {N_ROWS} windows"):
        edit.apply(rows)


def test_edits_are_frozen(directions: Tensor) -> None:
    edit = AddDirection(directions[0], 1.0)
    with pytest.raises(AttributeError, match="cannot assign"):
        edit.coefficient = 2.0  # pyright: ignore[reportAttributeAccessIssue]
    assert replace(edit, coefficient=2.0).coefficient == 2.0


def test_the_edit_of_some_rows_is_the_edit_there(rows: Tensor, directions: Tensor) -> None:
    chosen = torch.tensor([3, 0])
    coefficient = torch.arange(N_ROWS).float()
    edits: list[Edit] = [SetDirection(directions[0], coefficient), AddDirection(directions[0], 2.0)]
    for edit in [*edits, AblateDirection(directions[0])]:
        torch.testing.assert_close(edit.of_rows(chosen).apply(rows[chosen]), edit.apply(rows)[chosen])
