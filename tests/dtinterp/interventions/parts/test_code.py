import pytest
import torch
from torch import Tensor

from dtinterp.dictionary.codes import Codes
from dtinterp.dictionary.dictionary import Dictionary, decode, encode, encode_dense, reconstruct
from dtinterp.dictionary.kinds import Kind
from dtinterp.dictionary.kinds.autoencoders.l1 import L1
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.kinds.baselines.pca import Pca
from dtinterp.foundation.errors import UserError
from dtinterp.interventions.edits.add import Adding
from dtinterp.interventions.edits.set import Setting
from dtinterp.interventions.parts.code import Code, ObliqueCode, RewrittenCode

D_MODEL, WIDTH, N_ROWS = 8, 6, 5
ROWS = torch.randn(N_ROWS, D_MODEL, generator=torch.Generator().manual_seed(0))


def _dictionary(kind: Kind, features: Tensor | None = None) -> Dictionary:
    """Orthonormal features, so that what is decoded is encoded again; rows are divided by 3 first."""
    basis = torch.linalg.qr(torch.randn(D_MODEL, D_MODEL, generator=torch.Generator().manual_seed(2))).Q[:, :WIDTH]
    basis = basis if features is None else features
    return Dictionary(
        W_enc=basis.contiguous(),
        b_enc=torch.zeros(basis.shape[1]),
        W_dec=basis.T.contiguous(),
        b_dec=torch.linspace(-0.2, 0.2, D_MODEL),
        kind=kind,
        scale=torch.tensor(3.0),
        site="blocks.0.hook_resid_pre",
        name="planted",
    )


@pytest.fixture
def crowded() -> Dictionary:
    """Sixteen features that are not orthogonal in eight dimensions, four of them active in a row."""
    drawn = torch.randn(D_MODEL, 16, generator=torch.Generator().manual_seed(3))
    return _dictionary(TopK(k=4), drawn / drawn.norm(dim=0))


KINDS = [TopK(k=2), L1(), Pca(n_components=WIDTH)]


@pytest.mark.parametrize("kind", KINDS, ids=repr)
@pytest.mark.parametrize("wanted", [0.0, 0.7])
def test_a_set_feature_decodes_to_the_wanted_code(kind: Kind, wanted: float) -> None:
    dictionary = _dictionary(kind)
    codes = encode_dense(dictionary, ROWS)
    rewritten = codes.clone()
    rewritten[:, 3] = wanted
    every = torch.arange(WIDTH).expand(N_ROWS, -1)
    difference = decode(dictionary, Codes(every, rewritten)) - decode(dictionary, Codes(every, codes))
    edited = Setting(Code(dictionary, 3), wanted).apply(ROWS)
    torch.testing.assert_close(edited, ROWS + difference, atol=1e-5, rtol=0)


def test_a_set_feature_is_read_again_as_what_it_was_set_to() -> None:
    part, wanted = Code(_dictionary(Pca(n_components=WIDTH)), 4), torch.linspace(-2, 2, N_ROWS)
    edited = Setting(part, wanted).apply(ROWS)
    before, after = (encode_dense(part.dictionary, each) for each in (ROWS, edited))
    torch.testing.assert_close(after[:, 4], wanted)
    others = [0, 1, 2, 3, 5]
    torch.testing.assert_close(after[:, others], before[:, others])


@pytest.mark.parametrize("kind", [Code, ObliqueCode])
def test_setting_a_feature_to_its_own_activation_changes_nothing(kind: type[Code], crowded: Dictionary) -> None:
    for feature in range(crowded.width):
        part = kind(crowded, feature)
        assert torch.equal(Setting(part, part.read(ROWS)).apply(ROWS), ROWS)


def test_ablating_a_silent_feature_changes_nothing() -> None:
    dictionary = _dictionary(TopK(k=1))
    active = encode(dictionary, ROWS).index[:, 0]
    for feature in range(WIDTH):
        unchanged = (Setting(Code(dictionary, feature), 0.0).apply(ROWS) == ROWS).all(dim=1)
        assert unchanged[active != feature].all()


def test_adding_a_feature_moves_along_its_decoder_in_the_units_of_the_rows() -> None:
    dictionary = _dictionary(TopK(k=2))
    moved = Adding(Code(dictionary, 5), 2.0).apply(ROWS) - ROWS
    expected = (6.0 * dictionary.W_dec[5]).expand(N_ROWS, -1)  # scale 3 · amount 2
    torch.testing.assert_close(moved, expected, atol=1e-6, rtol=0)


def test_an_oblique_edit_moves_no_code_of_another_active_feature(crowded: Dictionary) -> None:
    before = encode_dense(crowded, ROWS)
    worst, plain = 0.0, 0.0
    for row in range(N_ROWS):
        feature = int(before[row].argmax())
        others = (before[row] != 0) & (torch.arange(crowded.width) != feature)
        for kind in (ObliqueCode, Code):
            part = kind(crowded, feature)
            edited = Setting(part, part.read(ROWS) + 0.05).apply(ROWS)[row, None]
            read = (crowded.centred(edited) @ crowded.W_enc)[0]  # what the encoder reads, before the top four are taken
            change = float((read - before[row])[others].abs().max())
            worst, plain = (max(worst, change), plain) if kind is ObliqueCode else (worst, max(plain, change))
            torch.testing.assert_close(read[feature], before[row, feature] + 0.05, atol=1e-4, rtol=1e-4)
    assert worst < 1e-5
    assert plain > 0.01


def test_rewriting_what_is_there_leaves_the_reconstruction(crowded: Dictionary) -> None:
    part = RewrittenCode(crowded, 2)
    rewritten = Setting(part, part.read(ROWS)).apply(ROWS)
    torch.testing.assert_close(rewritten, reconstruct(crowded, ROWS), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("feature", [-1, WIDTH])
def test_a_feature_that_the_dictionary_lacks_is_refused(feature: int) -> None:
    dictionary = _dictionary(L1())
    with pytest.raises(UserError, match=rf"the feature is {feature}, expected 0 to {WIDTH - 1}"):
        Code(dictionary, feature)
