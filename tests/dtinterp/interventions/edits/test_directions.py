import torch
from torch import Tensor

from dtinterp.interventions.edits.directions import AblateDirection, AddDirection, SetDirection

D_MODEL, N_ROWS = 8, 5


def test_setting_the_coefficient_that_is_there_changes_nothing(rows: Tensor, directions: Tensor) -> None:
    assert torch.equal(SetDirection(directions[0], rows @ directions[0]).apply(rows), rows)


def test_adding_zero_changes_nothing(rows: Tensor, directions: Tensor) -> None:
    assert torch.equal(AddDirection(directions[0], 0.0).apply(rows), rows)


def test_ablating_is_setting_to_zero(rows: Tensor, directions: Tensor) -> None:
    ablated = AblateDirection(directions[0]).apply(rows)
    assert torch.equal(ablated, SetDirection(directions[0], 0.0).apply(rows))
    torch.testing.assert_close(ablated @ directions[0], torch.zeros(N_ROWS), atol=1e-6, rtol=0)


def test_the_last_setting_wins(rows: Tensor, directions: Tensor) -> None:
    twice = SetDirection(directions[0], 2.0).apply(SetDirection(directions[0], -1.0).apply(rows))
    torch.testing.assert_close(twice, SetDirection(directions[0], 2.0).apply(rows))


def test_setting_a_direction_follows_the_formula_row_by_row(rows: Tensor, directions: Tensor) -> None:
    f, coefficient = directions[0], torch.tensor([2.0, -1.0, 0.0, 0.5, 3.0])
    expected = rows.clone()
    for row in range(N_ROWS):
        dot = sum(float(rows[row, i]) * float(f[i]) for i in range(D_MODEL))
        for i in range(D_MODEL):
            expected[row, i] = float(rows[row, i]) - dot * float(f[i]) + float(coefficient[row]) * float(f[i])
    torch.testing.assert_close(SetDirection(f, coefficient).apply(rows), expected)


def test_adding_a_direction_moves_each_row_by_its_own_coefficient(rows: Tensor, directions: Tensor) -> None:
    coefficient = torch.arange(N_ROWS).float()
    moved = AddDirection(directions[0], coefficient).apply(rows) - rows
    torch.testing.assert_close(moved, torch.outer(coefficient, directions[0]), atol=1e-6, rtol=0)


def test_what_is_orthogonal_to_a_set_direction_stays(rows: Tensor, directions: Tensor) -> None:
    f = directions[0]
    orthogonal = torch.eye(D_MODEL) - torch.outer(f, f)
    torch.testing.assert_close(SetDirection(f, 5.0).apply(rows) @ orthogonal, rows @ orthogonal)
