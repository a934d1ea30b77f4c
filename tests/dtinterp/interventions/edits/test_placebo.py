import pytest
import torch
from torch import Tensor

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.edits.directions import SetDirection
from dtinterp.interventions.edits.placebo import PlaceboDirection


def test_a_placebo_moves_each_row_as_far_as_setting_would_but_elsewhere(rows: Tensor, directions: Tensor) -> None:
    f, r = directions
    placebo = PlaceboDirection(f, r, 1.5).apply(rows) - rows
    real = SetDirection(f, 1.5).apply(rows) - rows
    torch.testing.assert_close(placebo.norm(dim=1), real.norm(dim=1))
    torch.testing.assert_close(placebo, torch.outer(placebo @ r, r))


def test_a_placebo_along_the_direction_itself_is_setting_it(rows: Tensor, directions: Tensor) -> None:
    f = directions[0]
    assert torch.equal(PlaceboDirection(f, f, 1.5).apply(rows), SetDirection(f, 1.5).apply(rows))


def test_a_placebo_that_is_not_of_length_one_is_refused(directions: Tensor) -> None:
    with pytest.raises(UserError, match="the direction has length 3, expected 1"):
        PlaceboDirection(directions[0], 3 * directions[1], 1.0)
