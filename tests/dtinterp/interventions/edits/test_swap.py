import pytest
import torch
from torch import Tensor

from dtinterp.foundation.errors import UserError

NAMES = ("Key,Key-Ball", "Key,Ball-Key", "Ball,Ball-Key", "Ball,Key-Ball")


def test_a_swap_with_itself_changes_no_bit(applied, there: Tensor) -> None:
    assert torch.equal(applied({"swap": {"token": "whole"}, "with": [*NAMES]}), there)
    assert torch.equal(applied({"swap": {"subspace": "plane"}, "with": [*NAMES]}), there)


def test_each_window_takes_the_part_of_the_named_one_and_keeps_the_rest(applied, names, there: Tensor) -> None:
    swapped = applied({"swap": {"subspace": "plane"}, "with": [*reversed(NAMES)]})
    plane = names.directions["plane"][0]
    torch.testing.assert_close(swapped @ plane.T, there.flip(0) @ plane.T, atol=1e-4, rtol=1e-4)
    outside = torch.eye(there.shape[1]) - plane.T @ plane
    torch.testing.assert_close(swapped @ outside, there @ outside, atol=1e-4, rtol=1e-4)


def test_one_window_may_serve_all(applied, there: Tensor) -> None:
    swapped = applied({"swap": {"token": "whole"}, "with": NAMES[2]})
    torch.testing.assert_close(swapped, there[2].expand_as(there))


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ("Key,Ball-Kee", "there is no window 'Key,Ball-Kee', expected one of .*, the nearest is Key,Ball-Key"),
        (["Key,Ball-Key"], "with names 1 windows for 4: name one a window, or one"),
    ],
)
def test_windows_that_there_are_not_are_refused(applied, other: object, told: str) -> None:
    with pytest.raises(UserError, match=told):
        applied({"swap": {"token": "whole"}, "with": other})
