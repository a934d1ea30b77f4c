from collections.abc import Callable
from dataclasses import replace

import jaxtyping
import pytest
import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.dictionary import dictionary as module
from dtinterp.dictionary.codes import Codes, pursue
from dtinterp.dictionary.dictionary import Dictionary, decode, encode, encode_dense, reconstruct
from dtinterp.dictionary.kinds import Kind
from dtinterp.dictionary.kinds.autoencoders.batch_topk import BatchTopK
from dtinterp.dictionary.kinds.autoencoders.gated import Gated
from dtinterp.dictionary.kinds.autoencoders.jump_relu import JumpReLU
from dtinterp.dictionary.kinds.autoencoders.l1 import L1
from dtinterp.dictionary.kinds.autoencoders.matryoshka import Matryoshka
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.kinds.baselines.ica import Ica
from dtinterp.dictionary.kinds.baselines.identity import Identity
from dtinterp.dictionary.kinds.baselines.items import Items
from dtinterp.dictionary.kinds.baselines.kmeans import KMeans
from dtinterp.dictionary.kinds.baselines.pca import Pca
from dtinterp.dictionary.kinds.baselines.random import Random
from dtinterp.dictionary.kinds.baselines.semi_nmf import SemiNmf
from dtinterp.foundation.errors import UserError

Rows = Float32[Tensor, "row d_model"]
Make = Callable[..., Dictionary]


def _slow_activations(dictionary: Dictionary, row: Tensor) -> list[float]:
    """The definition, one number at a time."""
    activations = []
    for feature in range(dictionary.width):
        total = float(dictionary.b_enc[feature])
        for place in range(dictionary.d_model):
            centred = float(row[place]) / float(dictionary.scale) - float(dictionary.b_dec[place])
            total += centred * float(dictionary.W_enc[place, feature])
        activations.append(total)
    threshold = [0.0] * dictionary.width if dictionary.threshold is None else dictionary.threshold.tolist()
    match dictionary.kind:
        case TopK(k=k):
            kept = sorted(activations, reverse=True)[:k]
            return [max(0.0, value) if value in kept else 0.0 for value in activations]
        case L1() | BatchTopK() | Matryoshka() | JumpReLU() | Gated():
            return [value if value > least else 0.0 for value, least in zip(activations, threshold, strict=True)]
        case KMeans():
            return [float(value == max(activations)) for value in activations]
        case _:
            return activations


def test_encoding_is_what_a_slow_loop_computes(dictionary: Dictionary, rows: Rows) -> None:
    if isinstance(dictionary.kind, SemiNmf | Items | Random):
        pytest.skip("test_codes.py holds their codes against scipy and scikit-learn")
    expected = torch.tensor([_slow_activations(dictionary, row) for row in rows])
    torch.testing.assert_close(encode_dense(dictionary, rows), expected, rtol=1e-4, atol=1e-5)


def test_decoding_is_what_a_slow_loop_computes(dictionary: Dictionary, rows: Rows) -> None:
    codes = encode(dictionary, rows)
    expected = []
    for index, value in zip(codes.index, codes.value, strict=True):
        total = dictionary.b_dec.clone()
        for feature, amount in zip(index.tolist(), value.tolist(), strict=True):
            total += amount * dictionary.W_dec[feature]
        expected.append(total * dictionary.scale)
    torch.testing.assert_close(decode(dictionary, codes), torch.stack(expected))


def test_reconstruction_is_encoding_then_decoding(dictionary: Dictionary, rows: Rows) -> None:
    assert torch.equal(reconstruct(dictionary, rows), decode(dictionary, encode(dictionary, rows)))


def test_dense_and_sparse_codes_decode_alike(dictionary: Dictionary, rows: Rows) -> None:
    dense = encode_dense(dictionary, rows)
    expected = dictionary.scale * (dense @ dictionary.W_dec + dictionary.b_dec)
    torch.testing.assert_close(reconstruct(dictionary, rows), expected)


def test_no_active_feature_stands_twice_in_a_row(dictionary: Dictionary, rows: Rows) -> None:
    codes = encode(dictionary, rows)
    for index, value in zip(codes.index, codes.value, strict=True):
        active = index[value != 0]
        assert len(active.unique()) == len(active)


def test_topk_uses_at_most_k_features(rows: Rows, dictionary: Dictionary) -> None:
    n_active = encode(dictionary, rows).n_active
    if isinstance(dictionary.kind, TopK):
        assert n_active.max() <= dictionary.kind.k
        assert n_active.max() > 0


@pytest.mark.parametrize("kind", [Pca(5), Ica(5), Identity()], ids=lambda kind: type(kind).__name__)
def test_linear_kinds_use_every_component(kind: Kind, rows: Rows, random_dictionary: Make) -> None:
    assert (encode(random_dictionary(kind, width=5), rows).n_active == 5).all()


@pytest.mark.parametrize("kind", [Items(2), Random(2)], ids=lambda kind: type(kind).__name__)
def test_given_directions_write_a_row_by_pursuit(kind: Kind, rows: Rows, random_dictionary: Make) -> None:
    dictionary = random_dictionary(kind, width=11)
    codes = pursue(rows / dictionary.scale - dictionary.b_dec, dictionary.W_dec, 2)
    assert torch.equal(encode(dictionary, rows).index, codes.index)
    assert torch.equal(encode(dictionary, rows).value, codes.value)


def test_semi_nmf_never_subtracts(rows: Rows, random_dictionary: Make) -> None:
    assert (encode(random_dictionary(SemiNmf(5), width=5), rows).value >= 0).all()


def test_encoding_in_pieces_changes_nothing(
    dictionary: Dictionary, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = encode_dense(dictionary, rows)
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 7)
    torch.testing.assert_close(encode_dense(dictionary, rows), whole)


def test_an_orthonormal_dictionary_gives_back_its_own_codes() -> None:
    width = 6
    orthonormal = torch.linalg.qr(torch.randn(width, width, generator=torch.Generator().manual_seed(2))).Q
    dictionary = Dictionary(
        W_enc=orthonormal.T.contiguous(),
        b_enc=torch.zeros(width),
        W_dec=orthonormal,
        b_dec=torch.full((width,), 0.3),
        kind=TopK(2),
        scale=torch.tensor(4.0),
        site="",
        name="orthonormal",
    )
    codes = Codes(torch.tensor([[4, 1], [0, 5]]), torch.tensor([[2.0, 1.0], [3.0, 0.5]]))
    again = encode(dictionary, decode(dictionary, codes))
    assert torch.equal(again.index, codes.index)
    torch.testing.assert_close(again.value, codes.value, rtol=1e-4, atol=1e-5)


def test_padding_decodes_to_nothing(dictionary: Dictionary) -> None:
    padding = Codes(torch.zeros(2, 3, dtype=torch.int64), torch.zeros(2, 3))
    torch.testing.assert_close(decode(dictionary, padding), (dictionary.scale * dictionary.b_dec).expand(2, -1))


def test_parts_that_do_not_fit_are_refused(dictionary: Dictionary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as outside of tests
    with pytest.raises(UserError, match=r"b_dec of 'random' has shape \(2,\), expected \(6,\): fit it again"):
        replace(dictionary, b_dec=torch.zeros(2))


def test_weights_that_are_not_finite_are_refused(dictionary: Dictionary) -> None:
    with pytest.raises(UserError, match="'random' has weights that are not finite"):
        replace(dictionary, b_dec=torch.full((6,), torch.nan))


def test_a_scale_is_positive(dictionary: Dictionary) -> None:
    with pytest.raises(UserError, match=r"scale of 'random' is 0\.0, expected a positive number: fit it again"):
        replace(dictionary, scale=torch.tensor(0.0))


def test_a_threshold_is_there_just_where_the_kind_has_one(dictionary: Dictionary) -> None:
    if dictionary.threshold is None:
        with pytest.raises(UserError, match=r"'random' is a .* with a threshold, which has none: fit it again"):
            replace(dictionary, threshold=torch.zeros(dictionary.width))
    else:
        with pytest.raises(UserError, match=r"threshold of 'random' has shape None, expected \(11,\): fit it again"):
            replace(dictionary, threshold=None)


def test_rows_of_another_length_are_refused(dictionary: Dictionary) -> None:
    with pytest.raises(UserError, match="The rows have length 5, expected 6: use rows of the site"):
        encode(dictionary, torch.zeros(3, 5))


def test_rows_with_nan_are_refused(dictionary: Dictionary, rows: Rows) -> None:
    damaged = rows.clone()
    damaged[3:5, 0] = torch.nan
    with pytest.raises(
        UserError, match="2 of 40 rows hold NaN or infinity, expected finite numbers: check their model"
    ):
        encode(dictionary, damaged)


def test_no_rows_are_refused(dictionary: Dictionary) -> None:
    with pytest.raises(UserError, match="There are 0 rows, expected at least 1: harvest activations first"):
        encode(dictionary, torch.zeros(0, 6))


@pytest.mark.parametrize(
    ("kind", "width", "sentence"),
    [
        (TopK(5), 4, "TopK has k=5, expected at most the width 4: give a smaller k or a larger width"),
        (L1(1.0), 0, "The dictionary's width is 0, expected at least 1: give a larger width"),
        (Pca(3), 4, "A PCA of 3 components has width 4: fit it again"),
        (Ica(3), 4, "An ICA of 3 components has width 4: fit it again"),
        (KMeans(3), 4, "A k-means of 3 clusters has width 4: fit it again"),
        (BatchTopK(5), 4, "BatchTopK has k=5, expected at most the width 4"),
        (Random(5), 4, "Random has k=5, expected at most the width 4"),
        (Matryoshka(2, 4), 7, "Matryoshka halves the width 7 3 times: give fewer levels"),
    ],
)
def test_impossible_widths_are_refused(kind: Kind, width: int, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        kind.check_width(width)


def test_moving_to_a_device_keeps_everything(dictionary: Dictionary, rows: Rows) -> None:
    moved = dictionary.to("cpu")
    assert (moved.kind, moved.site, moved.name) == (dictionary.kind, dictionary.site, dictionary.name)
    assert torch.equal(reconstruct(moved, rows), reconstruct(dictionary, rows))
