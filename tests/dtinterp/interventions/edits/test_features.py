import pytest
import torch
from torch import Tensor

from dtinterp.dictionary.codes import Codes
from dtinterp.dictionary.dictionary import Dictionary, decode, encode, encode_dense
from dtinterp.dictionary.kinds import Kind
from dtinterp.dictionary.kinds.autoencoders.l1 import L1
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.kinds.baselines.pca import Pca
from dtinterp.foundation.errors import UserError
from dtinterp.interventions.edits.features import AblateFeature, AddFeature, SetFeature

D_MODEL, WIDTH, N_ROWS = 8, 6, 5


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


@pytest.mark.parametrize("kind", KINDS, ids=repr)
@pytest.mark.parametrize("wanted", [0.0, 0.7])
def test_a_set_feature_decodes_to_the_wanted_code(kind: Kind, wanted: float, rows: Tensor) -> None:
    dictionary = _dictionary(kind)
    codes = encode_dense(dictionary, rows)
    rewritten = codes.clone()
    rewritten[:, 3] = wanted
    every = torch.arange(WIDTH).expand(N_ROWS, -1)
    difference = decode(dictionary, Codes(every, rewritten)) - decode(dictionary, Codes(every, codes))
    edited = SetFeature(dictionary, 3, wanted).apply(rows)
    torch.testing.assert_close(edited, rows + difference, atol=1e-5, rtol=0)


def test_a_set_feature_is_read_again_as_what_it_was_set_to(rows: Tensor) -> None:
    dictionary = _dictionary(Pca(n_components=WIDTH))
    wanted = torch.linspace(-2, 2, N_ROWS)
    before, after = (encode_dense(dictionary, each) for each in (rows, SetFeature(dictionary, 4, wanted).apply(rows)))
    torch.testing.assert_close(after[:, 4], wanted)
    others = [0, 1, 2, 3, 5]
    torch.testing.assert_close(after[:, others], before[:, others])


def test_setting_a_feature_to_its_own_activation_changes_nothing(rows: Tensor) -> None:
    dictionary = _dictionary(TopK(k=2))
    present = encode_dense(dictionary, rows)[:, 1]
    assert torch.equal(SetFeature(dictionary, 1, present).apply(rows), rows)


def test_ablating_a_feature_takes_it_out_of_the_code(rows: Tensor) -> None:
    dictionary = _dictionary(L1())
    ablated = AblateFeature(dictionary, 2).apply(rows)
    assert torch.equal(ablated, SetFeature(dictionary, 2, 0.0).apply(rows))
    assert encode_dense(dictionary, rows)[:, 2].max() > 0.1
    assert encode_dense(dictionary, ablated)[:, 2].max() < 1e-6


def test_ablating_a_silent_feature_changes_nothing(rows: Tensor) -> None:
    dictionary = _dictionary(TopK(k=1))
    active = encode(dictionary, rows).index[:, 0]
    for feature in range(WIDTH):
        unchanged = (AblateFeature(dictionary, feature).apply(rows) == rows).all(dim=1)
        assert unchanged[active != feature].all()


def test_adding_a_feature_moves_along_its_decoder_in_the_units_of_the_rows(rows: Tensor) -> None:
    dictionary = _dictionary(TopK(k=2))
    moved = AddFeature(dictionary, 5, 2.0).apply(rows) - rows
    expected = (6.0 * dictionary.W_dec[5]).expand(N_ROWS, -1)  # scale 3 · coefficient 2
    torch.testing.assert_close(moved, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("feature", [-1, WIDTH])
def test_a_feature_that_the_dictionary_lacks_is_refused(feature: int) -> None:
    dictionary = _dictionary(L1())
    with pytest.raises(UserError, match=rf"the feature is {feature}, expected 0 to {WIDTH - 1}"):
        AddFeature(dictionary, feature, 1.0)
