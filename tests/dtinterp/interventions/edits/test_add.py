import torch
from torch import Tensor

from dtinterp.interventions.edits.add import Adding
from dtinterp.interventions.parts.along import along


def test_adding_zero_changes_nothing(rows: Tensor, directions: Tensor) -> None:
    assert torch.equal(Adding(along(directions[0]), 0.0).apply(rows), rows)


def test_adding_a_direction_moves_each_row_by_its_own_coefficient(rows: Tensor, directions: Tensor) -> None:
    coefficient = torch.arange(len(rows)).float()
    moved = Adding(along(directions[0]), coefficient).apply(rows) - rows
    torch.testing.assert_close(moved, torch.outer(coefficient, directions[0]), atol=1e-6, rtol=0)


def test_additions_commute_whatever_their_directions(rows: Tensor, directions: Tensor) -> None:
    one, other = (Adding(along(each), 2.0) for each in directions)
    torch.testing.assert_close(one.apply(other.apply(rows)), other.apply(one.apply(rows)))


def test_a_standard_deviation_is_added_without_the_mean(applied, names, there: Tensor) -> None:
    along_one = there @ names.directions["one"][0][0]
    moved = applied({"add": {"direction": "one"}, "by": {"unit": "sd", "values": [2.0]}}) - there
    expected = 2 * along_one.std() * names.directions["one"][0]
    torch.testing.assert_close(moved, expected.expand_as(moved), atol=1e-4, rtol=1e-4)
