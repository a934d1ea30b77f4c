import pytest
import torch
from torch import Tensor

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.edits.clamp import Clamping
from dtinterp.interventions.parts.along import along


def test_rows_within_the_bounds_keep_every_bit_and_the_others_go_to_the_nearer_bound(
    rows: Tensor, directions: Tensor
) -> None:
    part = along(directions[0])
    there = part.read(rows)[:, 0]
    low, high = float(there.sort().values[1]) - 1e-3, float(there.sort().values[3]) + 1e-3
    clamped = Clamping(part, low, high).apply(rows)
    inside = (low <= there) & (there <= high)
    assert inside.sum() == 3
    assert torch.equal(clamped[inside], rows[inside])
    torch.testing.assert_close(part.read(clamped)[:, 0], there.clamp(low, high))


def test_bounds_the_wrong_way_round_are_refused(bound) -> None:
    with pytest.raises(UserError, match="from is 2 and to is -1, expected from below to"):
        bound({"clamp": {"direction": "one"}, "at": "hook_obs_embed", "from": 2, "to": -1})
