import pytest
import torch
from torch import Tensor

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.edits.scale import Scaling
from dtinterp.interventions.parts.along import along
from dtinterp.interventions.parts.whole import Whole


def test_scaling_by_one_changes_nothing_and_by_zero_takes_away(rows: Tensor, directions: Tensor) -> None:
    part = along(directions[0])
    assert torch.equal(Scaling(part, 1.0).apply(rows), rows)
    torch.testing.assert_close(part.read(Scaling(part, 0.0).apply(rows)), torch.zeros(len(rows), 1), atol=1e-6, rtol=0)
    torch.testing.assert_close(Scaling(Whole(), -2.0).apply(rows), -2 * rows)


def test_a_factor_has_no_unit(bound) -> None:
    with pytest.raises(UserError, match="a factor has no unit, and by is in sd: give plain numbers"):
        bound({"scale": {"direction": "one"}, "at": "hook_obs_embed", "by": {"unit": "sd", "values": [2]}})
