import torch

from dtinterp.interventions.controls.displaced import along_random_directions, the_other_way
from dtinterp.interventions.edits import edit_of

SITE = "blocks.0.hook_resid_pre"


def test_controls_move_rows_as_far_in_what_differs_and_not_along_the_edit(names, there) -> None:
    bound = edit_of({"set": {"direction": "one"}, "at": SITE, "to": 4.0}).bound(names)
    moved = bound.edit(slice(0, 1), 4).apply(there) - there
    direction = names.directions["one"][0][0]
    drawn = along_random_directions([bound], names, 3, torch.Generator().manual_seed(0))
    span = there - there.mean(dim=0)
    for (control,) in drawn:
        elsewhere = control.edit(slice(0, 1), 4).apply(there) - there
        torch.testing.assert_close(elsewhere.norm(dim=1), moved.norm(dim=1), atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(elsewhere @ direction, torch.zeros(4), atol=1e-3, rtol=0)
        together = torch.cat([span, direction[None]])
        assert torch.linalg.matrix_rank(torch.cat([together, elsewhere[:1]]), rtol=1e-4) == torch.linalg.matrix_rank(
            together, rtol=1e-4
        )
    (other,) = the_other_way([bound])
    torch.testing.assert_close(other.edit(slice(0, 1), 4).apply(there) - there, -moved, atol=1e-3, rtol=1e-3)


def test_what_has_no_direction_of_its_own_has_no_such_control(names) -> None:
    whole = edit_of({"scale": {"token": "whole"}, "at": SITE, "by": 2}).bound(names)
    assert along_random_directions([whole], names, 3, torch.Generator()) == []
    assert the_other_way([whole]) == []
