import torch
from torch import Tensor

from dtinterp.interventions.edits.set import Setting
from dtinterp.interventions.parts.along import Along, along

N_ROWS, D_MODEL = 5, 8


def test_setting_the_coefficient_that_is_there_changes_nothing(rows: Tensor, directions: Tensor) -> None:
    assert torch.equal(Setting(along(directions[0]), along(directions[0]).read(rows)).apply(rows), rows)


def test_the_last_setting_wins(rows: Tensor, directions: Tensor) -> None:
    part = along(directions[0])
    twice = Setting(part, 2.0).apply(Setting(part, -1.0).apply(rows))
    torch.testing.assert_close(twice, Setting(part, 2.0).apply(rows))


def test_setting_a_direction_follows_the_formula_row_by_row(rows: Tensor, directions: Tensor) -> None:
    f, coefficient = directions[0], torch.tensor([2.0, -1.0, 0.0, 0.5, 3.0])
    expected = rows.clone()
    for row in range(N_ROWS):
        dot = sum(float(rows[row, i]) * float(f[i]) for i in range(D_MODEL))
        for i in range(D_MODEL):
            expected[row, i] = float(rows[row, i]) - dot * float(f[i]) + float(coefficient[row]) * float(f[i])
    torch.testing.assert_close(Setting(along(f), coefficient).apply(rows), expected)


def test_what_is_orthogonal_to_a_set_direction_stays(rows: Tensor, directions: Tensor) -> None:
    f = directions[0]
    orthogonal = torch.eye(D_MODEL) - torch.outer(f, f)
    torch.testing.assert_close(Setting(along(f), 5.0).apply(rows) @ orthogonal, rows @ orthogonal)


def test_edits_commute_where_their_parts_are_orthogonal_and_not_where_they_are_not(
    rows: Tensor, directions: Tensor
) -> None:
    def both(first: Along, second: Along) -> Tensor:
        return Setting(second, -2.0).apply(Setting(first, 3.0).apply(rows))

    def either_way(first: Along, second: Along) -> tuple[Tensor, Tensor]:
        return both(first, second), Setting(first, 3.0).apply(Setting(second, -2.0).apply(rows))

    orthogonal = torch.linalg.qr(directions.T).Q.T
    torch.testing.assert_close(*either_way(along(orthogonal[0]), along(orthogonal[1])))
    one, other = either_way(along(directions[0]), along(directions[1]))
    assert not torch.allclose(one, other, atol=0.01)
