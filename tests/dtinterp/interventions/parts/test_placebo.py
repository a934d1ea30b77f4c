import pytest
import torch

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.controls.drawn import random_directions
from dtinterp.interventions.edits.set import Setting
from dtinterp.interventions.parts.along import ItemEmbedding, along
from dtinterp.interventions.parts.part import Part
from dtinterp.interventions.parts.placebo import Placebo

ROWS = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))
F, R = random_directions(2, 8, torch.Generator().manual_seed(1))


@pytest.mark.parametrize("part", [along(F), ItemEmbedding(3 * F)], ids=["direction", "item"])
def test_a_placebo_moves_each_row_as_far_as_setting_would_but_elsewhere(part: Part) -> None:
    placebo = Setting(Placebo(part, R[None]), 1.5).apply(ROWS) - ROWS
    real = Setting(part, 1.5).apply(ROWS) - ROWS
    torch.testing.assert_close(placebo.norm(dim=1), real.norm(dim=1))
    torch.testing.assert_close(placebo, torch.outer(placebo @ R, R), atol=1e-6, rtol=1e-5)


def test_a_placebo_along_the_direction_itself_is_setting_it() -> None:
    itself = Setting(Placebo(along(F), F[None]), 1.5).apply(ROWS)
    torch.testing.assert_close(itself, Setting(along(F), 1.5).apply(ROWS))


def test_a_placebo_that_is_not_of_length_one_is_refused() -> None:
    with pytest.raises(UserError, match="the direction has length 3, expected 1"):
        Placebo(along(F), 3 * R[None])
