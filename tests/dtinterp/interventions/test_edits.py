from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.dictionary.dictionary import Codes, Dictionary, decode, encode, encode_dense
from dtinterp.dictionary.kinds import L1, Kind, Pca, TopK
from dtinterp.foundation.errors import UserError
from dtinterp.interventions.edits import (
    AblateDirection,
    AblateFeature,
    AddDirection,
    AddFeature,
    Edit,
    PlaceboDirection,
    SetDirection,
    SetFeature,
    apply_edit,
    coefficient_of,
    edit_of,
)
from dtinterp.interventions.instruction_flip.directions import random_directions

D_MODEL, WIDTH, N_ROWS = 8, 6, 5


@pytest.fixture
def rows() -> Float32[Tensor, "row d_model"]:
    return torch.randn(N_ROWS, D_MODEL, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def directions() -> Float32[Tensor, "draw d_model"]:
    return random_directions(2, D_MODEL, torch.Generator().manual_seed(1))


def _dictionary(kind: Kind) -> Dictionary:
    """Orthonormal features, so that what is decoded is encoded again; rows are divided by 3 first."""
    basis = torch.linalg.qr(torch.randn(D_MODEL, D_MODEL, generator=torch.Generator().manual_seed(2))).Q[:, :WIDTH]
    offset = torch.linspace(-0.2, 0.2, D_MODEL)
    return Dictionary(
        W_enc=basis.contiguous(),
        b_enc=torch.zeros(WIDTH),
        W_dec=basis.T.contiguous(),
        b_dec=offset,
        kind=kind,
        scale=torch.tensor(3.0),
        site="blocks.0.hook_resid_pre",
        name="planted",
    )


KINDS = [TopK(k=2), L1(), Pca(n_components=WIDTH)]


def test_setting_the_coefficient_that_is_there_changes_nothing(rows: Tensor, directions: Tensor) -> None:
    assert torch.equal(apply_edit(SetDirection(directions[0], rows @ directions[0]), rows), rows)


def test_adding_zero_changes_nothing(rows: Tensor, directions: Tensor) -> None:
    assert torch.equal(apply_edit(AddDirection(directions[0], 0.0), rows), rows)


def test_ablating_is_setting_to_zero(rows: Tensor, directions: Tensor) -> None:
    ablated = apply_edit(AblateDirection(directions[0]), rows)
    assert torch.equal(ablated, apply_edit(SetDirection(directions[0], 0.0), rows))
    torch.testing.assert_close(ablated @ directions[0], torch.zeros(N_ROWS), atol=1e-6, rtol=0)


def test_an_ablation_is_made_with_zero_and_every_other_edit_with_its_own_coefficient(directions: Tensor) -> None:
    f, dictionary, each = directions[0], _dictionary(L1()), torch.arange(3).float()
    assert coefficient_of(AblateDirection(f)) == coefficient_of(AblateFeature(dictionary, 0)) == 0
    assert coefficient_of(SetDirection(f, 2.0)) == coefficient_of(AddFeature(dictionary, 0, 2.0)) == 2
    assert coefficient_of(PlaceboDirection(f, f, each)) is each


def test_the_last_setting_wins(rows: Tensor, directions: Tensor) -> None:
    twice = apply_edit(SetDirection(directions[0], 2.0), apply_edit(SetDirection(directions[0], -1.0), rows))
    torch.testing.assert_close(twice, apply_edit(SetDirection(directions[0], 2.0), rows))


def test_setting_a_direction_follows_the_formula_row_by_row(rows: Tensor, directions: Tensor) -> None:
    f, coefficient = directions[0], torch.tensor([2.0, -1.0, 0.0, 0.5, 3.0])
    expected = rows.clone()
    for row in range(N_ROWS):
        dot = sum(float(rows[row, i]) * float(f[i]) for i in range(D_MODEL))
        for i in range(D_MODEL):
            expected[row, i] = float(rows[row, i]) - dot * float(f[i]) + float(coefficient[row]) * float(f[i])
    torch.testing.assert_close(apply_edit(SetDirection(f, coefficient), rows), expected)


def test_adding_a_direction_moves_each_row_by_its_own_coefficient(rows: Tensor, directions: Tensor) -> None:
    coefficient = torch.arange(N_ROWS).float()
    moved = apply_edit(AddDirection(directions[0], coefficient), rows) - rows
    torch.testing.assert_close(moved, torch.outer(coefficient, directions[0]), atol=1e-6, rtol=0)


def test_what_is_orthogonal_to_a_set_direction_stays(rows: Tensor, directions: Tensor) -> None:
    f = directions[0]
    orthogonal = torch.eye(D_MODEL) - torch.outer(f, f)
    torch.testing.assert_close(apply_edit(SetDirection(f, 5.0), rows) @ orthogonal, rows @ orthogonal)


def test_a_placebo_moves_each_row_as_far_as_setting_would_but_elsewhere(rows: Tensor, directions: Tensor) -> None:
    f, r = directions
    placebo = apply_edit(PlaceboDirection(f, r, 1.5), rows) - rows
    real = apply_edit(SetDirection(f, 1.5), rows) - rows
    torch.testing.assert_close(placebo.norm(dim=1), real.norm(dim=1))
    torch.testing.assert_close(placebo, torch.outer(placebo @ r, r))


def test_a_placebo_along_the_direction_itself_is_setting_it(rows: Tensor, directions: Tensor) -> None:
    f = directions[0]
    assert torch.equal(apply_edit(PlaceboDirection(f, f, 1.5), rows), apply_edit(SetDirection(f, 1.5), rows))


@pytest.mark.parametrize("kind", KINDS, ids=repr)
@pytest.mark.parametrize("wanted", [0.0, 0.7])
def test_a_set_feature_decodes_to_the_wanted_code(kind: Kind, wanted: float, rows: Tensor) -> None:
    dictionary = _dictionary(kind)
    codes = encode_dense(dictionary, rows)
    rewritten = codes.clone()
    rewritten[:, 3] = wanted
    every = torch.arange(WIDTH).expand(N_ROWS, -1)
    difference = decode(dictionary, Codes(every, rewritten)) - decode(dictionary, Codes(every, codes))
    edited = apply_edit(SetFeature(dictionary, 3, wanted), rows)
    torch.testing.assert_close(edited, rows + difference, atol=1e-5, rtol=0)


def test_a_set_feature_is_read_again_as_what_it_was_set_to(rows: Tensor) -> None:
    dictionary = _dictionary(Pca(n_components=WIDTH))
    wanted = torch.linspace(-2, 2, N_ROWS)
    before, after = (
        encode_dense(dictionary, each) for each in (rows, apply_edit(SetFeature(dictionary, 4, wanted), rows))
    )
    torch.testing.assert_close(after[:, 4], wanted)
    others = [0, 1, 2, 3, 5]
    torch.testing.assert_close(after[:, others], before[:, others])


def test_setting_a_feature_to_its_own_activation_changes_nothing(rows: Tensor) -> None:
    dictionary = _dictionary(TopK(k=2))
    present = encode_dense(dictionary, rows)[:, 1]
    assert torch.equal(apply_edit(SetFeature(dictionary, 1, present), rows), rows)


def test_ablating_a_feature_takes_it_out_of_the_code(rows: Tensor) -> None:
    dictionary = _dictionary(L1())
    ablated = apply_edit(AblateFeature(dictionary, 2), rows)
    assert torch.equal(ablated, apply_edit(SetFeature(dictionary, 2, 0.0), rows))
    assert encode_dense(dictionary, rows)[:, 2].max() > 0.1
    assert encode_dense(dictionary, ablated)[:, 2].max() < 1e-6


def test_ablating_a_silent_feature_changes_nothing(rows: Tensor) -> None:
    dictionary = _dictionary(TopK(k=1))
    active = encode(dictionary, rows).index[:, 0]
    for feature in range(WIDTH):
        unchanged = (apply_edit(AblateFeature(dictionary, feature), rows) == rows).all(dim=1)
        assert unchanged[active != feature].all()


def test_adding_a_feature_moves_along_its_decoder_in_the_units_of_the_rows(rows: Tensor) -> None:
    dictionary = _dictionary(TopK(k=2))
    moved = apply_edit(AddFeature(dictionary, 5, 2.0), rows) - rows
    expected = (6.0 * dictionary.W_dec[5]).expand(N_ROWS, -1)  # scale 3 · coefficient 2
    torch.testing.assert_close(moved, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "make",
    [lambda f: SetDirection(f, 1.0), lambda f: AddDirection(f, 1.0), AblateDirection],
    ids=["set", "add", "ablate"],
)
def test_a_direction_that_is_not_of_length_one_is_refused(make: Callable[[Tensor], Edit]) -> None:
    with pytest.raises(UserError, match=r"the direction has length 2, expected 1: divide it by its norm\."):
        make(torch.ones(4))


def test_a_placebo_that_is_not_of_length_one_is_refused(directions: Tensor) -> None:
    with pytest.raises(UserError, match="the direction has length 3, expected 1"):
        PlaceboDirection(directions[0], 3 * directions[1], 1.0)


@pytest.mark.parametrize("feature", [-1, WIDTH])
def test_a_feature_that_the_dictionary_lacks_is_refused(feature: int) -> None:
    dictionary = _dictionary(L1())
    with pytest.raises(UserError, match=rf"the feature is {feature}, expected 0 to {WIDTH - 1}"):
        AddFeature(dictionary, feature, 1.0)


def test_a_direction_of_another_model_is_refused(rows: Tensor) -> None:
    stranger = random_directions(1, D_MODEL + 1, torch.Generator().manual_seed(0))[0]
    edits: list[Edit] = [SetDirection(stranger, 1.0), AddDirection(stranger, 1.0), AblateDirection(stranger)]
    for edit in edits:
        with pytest.raises(UserError, match=f"length {D_MODEL + 1}, the rows at this site have {D_MODEL}"):
            apply_edit(edit, rows)


def test_as_many_coefficients_as_windows_are_wanted(rows: Tensor, directions: Tensor) -> None:
    edit = SetDirection(directions[0], torch.zeros(N_ROWS - 1))
    with pytest.raises(UserError, match=f"{N_ROWS - 1} coefficients for {N_ROWS} windows"):
        apply_edit(edit, rows)


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
        torch.testing.assert_close(apply_edit(edit_of(edit, chosen), rows[chosen]), apply_edit(edit, rows)[chosen])
