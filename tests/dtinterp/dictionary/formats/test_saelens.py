import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from dtinterp.dictionary.dictionary import Dictionary, encode_dense, reconstruct
from dtinterp.dictionary.formats.saelens import export_saelens, folded, read
from dtinterp.dictionary.kinds import Kind
from dtinterp.dictionary.kinds.autoencoders.batch_topk import BatchTopK
from dtinterp.dictionary.kinds.autoencoders.gated import Gated
from dtinterp.dictionary.kinds.autoencoders.jump_relu import JumpReLU
from dtinterp.dictionary.kinds.autoencoders.l1 import L1
from dtinterp.dictionary.kinds.autoencoders.matryoshka import Matryoshka
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.kinds.baselines.identity import Identity
from dtinterp.dictionary.kinds.baselines.pca import Pca
from dtinterp.dictionary.kinds.learned import LearnedKind
from dtinterp.foundation.errors import UserError

KINDS: list[LearnedKind] = [TopK(3), L1(0.5), JumpReLU(0.5), Gated(0.5), BatchTopK(3), Matryoshka(3, 2)]
Make = Callable[..., Dictionary]
named = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: type(kind).__name__)


@named
def test_folding_the_scale_changes_no_reconstruction(kind: Kind, random_dictionary: Make, rows: Tensor) -> None:
    dictionary = random_dictionary(kind, width=11)
    raw = folded(dictionary)
    assert raw.scale == 1
    torch.testing.assert_close(reconstruct(raw, rows), reconstruct(dictionary, rows))
    torch.testing.assert_close(encode_dense(raw, rows), dictionary.scale * encode_dense(dictionary, rows))


@named
def test_a_folder_comes_back_as_the_same_dictionary(
    kind: Kind, random_dictionary: Make, rows: Tensor, tmp_path: Path
) -> None:
    dictionary = random_dictionary(kind, width=11)
    found = read(export_saelens(tmp_path / "sae", dictionary))
    assert (found.kind, found.site, found.name) == (kind, dictionary.site, dictionary.name)
    torch.testing.assert_close(reconstruct(found, rows), reconstruct(dictionary, rows))


def test_the_folder_holds_two_files(random_dictionary: Make, tmp_path: Path) -> None:
    export_saelens(tmp_path / "sae", random_dictionary(TopK(3), width=11))
    assert sorted(path.name for path in (tmp_path / "sae").iterdir()) == ["cfg.json", "sae_weights.safetensors"]
    assert [path.name for path in tmp_path.iterdir()] == ["sae"]


def test_thresholded_kinds_are_written_as_jumprelu(random_dictionary: Make, tmp_path: Path) -> None:
    for kind in (BatchTopK(3), Matryoshka(3, 2), JumpReLU()):
        folder = export_saelens(tmp_path / type(kind).__name__, random_dictionary(kind, width=11))
        assert json.loads((folder / "cfg.json").read_text())["architecture"] == "jumprelu"


def _rewrite(folder: Path, tensors: dict[str, Tensor] | None = None, **settings: object) -> None:
    config = json.loads((folder / "cfg.json").read_text())
    (folder / "cfg.json").write_text(json.dumps(config | settings))
    if tensors is not None:
        save_file(tensors, folder / "sae_weights.safetensors")


def test_a_folder_of_others_has_no_prices(random_dictionary: Make, tmp_path: Path) -> None:
    for kind, expected in (
        (TopK(3), TopK(3)),
        (L1(0.5), L1(0.0)),
        (JumpReLU(0.5), JumpReLU(0.0)),
        (Gated(), Gated(0.0)),
    ):
        folder = export_saelens(tmp_path / type(kind).__name__, random_dictionary(kind, width=11))
        _rewrite(folder, metadata={})
        found = read(folder)
        assert (found.kind, found.site, found.name) == (expected, "", folder.name)


def test_an_encoder_that_does_not_take_b_dec_away_is_read_alike(
    random_dictionary: Make, rows: Tensor, tmp_path: Path
) -> None:
    dictionary = random_dictionary(L1(), width=11)
    folder = export_saelens(tmp_path / "sae", dictionary)
    tensors = load_file(folder / "sae_weights.safetensors")
    _rewrite(
        folder, tensors | {"b_enc": tensors["b_enc"] - tensors["b_dec"] @ tensors["W_enc"]}, apply_b_dec_to_input=False
    )
    torch.testing.assert_close(reconstruct(read(folder), rows), reconstruct(dictionary, rows))


def test_activations_rescaled_by_decoder_norms_are_read_alike(
    random_dictionary: Make, rows: Tensor, tmp_path: Path
) -> None:
    folder = export_saelens(tmp_path / "sae", random_dictionary(TopK(3), width=11))
    tensors = load_file(folder / "sae_weights.safetensors")
    norm = torch.linspace(0.5, 2, 11)
    tensors["W_dec"] = tensors["W_dec"] * norm[:, None]
    _rewrite(folder, tensors, rescale_acts_by_decoder_norm=True)
    value, index = (((rows - tensors["b_dec"]) @ tensors["W_enc"] + tensors["b_enc"]) * norm).relu().topk(3, dim=1)
    code = torch.zeros(len(rows), 11).scatter(1, index, value) / norm
    torch.testing.assert_close(reconstruct(read(folder), rows), code @ tensors["W_dec"] + tensors["b_dec"])


def test_a_gate_with_a_gain_is_read_alike(random_dictionary: Make, rows: Tensor, tmp_path: Path) -> None:
    folder = export_saelens(tmp_path / "sae", random_dictionary(Gated(), width=11))
    tensors = load_file(folder / "sae_weights.safetensors")
    tensors["r_mag"] = torch.linspace(-1, 1, 11)
    _rewrite(folder, tensors)
    shared = (rows - tensors["b_dec"]) @ tensors["W_enc"]
    magnitude = (shared * tensors["r_mag"].exp() + tensors["b_mag"]).relu()
    code = magnitude.where(shared + tensors["b_gate"] > 0, 0.0)
    torch.testing.assert_close(encode_dense(read(folder), rows), code)


@pytest.mark.parametrize("kind", [Pca(11), Identity()], ids=lambda kind: type(kind).__name__)
def test_baselines_have_no_equal_in_saelens(kind: Kind, random_dictionary: Make, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"SAELens knows no .*, expected one of BatchTopK, .*TopK: export an autoencoder"
    ):
        export_saelens(tmp_path / "sae", random_dictionary(kind, width=11))


def test_a_folder_that_exists_is_left_alone(random_dictionary: Make, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="exists already: give another folder"):
        export_saelens(tmp_path, random_dictionary(TopK(3), width=11))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"architecture": "temporal"},
            "is of architecture 'temporal' of SAELens, expected one of jumprelu, gated, standard, topk",
        ),
        (
            {"normalize_activations": "layer_norm"},
            "divided by a number of its own; no weights can do that, so it cannot",
        ),
        ({"normalize_activations": "constant_norm_rescale"}, "no weights can do that, so it cannot be imported: train"),
        ({"normalize_activations": "expected_average_only_in"}, "fold the factor into the weights with SAELens first"),
        ({"reshape_activations": "patches"}, "has reshape_activations 'patches', expected 'none' or 'hook_z'"),
        ({"architecture": 3}, r"architecture is 3 \(.*\) in .*cfg\.json, where it cannot be: fetch it again"),
        ({"architecture": "gated", "metadata": {}}, r"sae_weights\.safetensors lacks b_gate, b_mag, r_mag: fetch it"),
        ({"d_sae": 12}, r"\(W_enc has shape \(6, 11\), not \(6, 12\), W_dec has shape \(11, 6\), not \(12, 6\), b_enc"),
        ({"d_in": 0}, r"d_in is 0 \(.*\) in .*cfg\.json"),
        ({"metadata": {}, "k": 12}, "TopK has k=12, expected at most the width 11"),
        ({"metadata": {}, "k": 0}, "TopK has k=0, expected at least 1"),
        ({"metadata": {"dtinterp_kind": {"type": "L1"}}}, r"cfg\.json is of kind L1, expected one of TopK: fetch it"),
        ({"metadata": {"dtinterp_kind": {"k": 3}}}, "is of kind None, expected one of TopK"),
        ({"metadata": {"dtinterp_kind": {"type": "TopK", "k": "many"}}}, r"k is 'many' \(.*\) in .*cfg\.json"),
    ],
)
def test_what_has_no_equal_here_gets_one_sentence(
    settings: dict, sentence: str, random_dictionary: Make, tmp_path: Path
) -> None:
    folder = export_saelens(tmp_path / "sae", random_dictionary(TopK(3), width=11))
    _rewrite(folder, **settings)
    with pytest.raises(UserError, match=sentence):
        read(folder)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"W_dec": torch.zeros(11, 5)}, r"shapes that its settings say \(W_dec has shape \(11, 5\), not \(11, 6\)\)"),
        ({"b_enc": torch.zeros(11, 1)}, r"\(b_enc has shape \(11, 1\), not \(11,\)\)"),
        ({"b_dec": torch.full((6,), torch.nan)}, r"sae_weights\.safetensors has b_dec with what is no finite number"),
        ({"W_enc": torch.ones(6, 11, dtype=torch.int64)}, "has W_enc with what is no finite number: fetch it again"),
    ],
)
def test_weights_that_do_not_fit_get_one_sentence(
    changed: dict[str, Tensor], sentence: str, random_dictionary: Make, tmp_path: Path
) -> None:
    folder = export_saelens(tmp_path / "sae", random_dictionary(TopK(3), width=11))
    _rewrite(folder, load_file(folder / "sae_weights.safetensors") | changed)
    with pytest.raises(UserError, match=sentence):
        read(folder)


def test_more_levels_than_any_width_has_are_refused_at_once(random_dictionary: Make, tmp_path: Path) -> None:
    folder = export_saelens(tmp_path / "sae", random_dictionary(Matryoshka(3, 2), width=11))
    _rewrite(folder, metadata={"dtinterp_kind": {"type": "Matryoshka", "k": 3, "n_levels": 10**8}})
    with pytest.raises(UserError, match="Matryoshka halves the width 11 99999999 times: give fewer levels"):
        read(folder)


def test_weights_that_are_cut_short_are_damaged(random_dictionary: Make, tmp_path: Path) -> None:
    weights = export_saelens(tmp_path / "sae", random_dictionary(TopK(3), width=11)) / "sae_weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"sae_weights\.safetensors is damaged"):
        read(tmp_path / "sae")


FLAT = {"d_in": 6, "d_sae": 11, "hook_point": "hook_obs_embed", "prepend_bos": False, "normalize_activations": False}


def _before_6(folder: Path, settings: dict[str, object], **weights: Tensor) -> dict[str, Tensor]:
    """Write a folder as SAELens did before version 6, and return its weights."""
    rng = torch.Generator().manual_seed(0)
    shapes = {"W_enc": (6, 11), "b_enc": (11,), "W_dec": (11, 6), "b_dec": (6,)}
    tensors = {name: torch.randn(shape, generator=rng) for name, shape in shapes.items()} | weights
    folder.mkdir()
    (folder / "cfg.json").write_text(json.dumps(FLAT | settings))
    save_file(tensors, folder / "sae_weights.safetensors")
    return tensors


@pytest.mark.parametrize("takes_b_dec_away", [True, False])
@pytest.mark.parametrize(
    ("settings", "k", "threshold"),
    [
        ({"architecture": "standard", "activation_fn_str": "relu", "activation_fn_kwargs": {}}, 11, 0.0),
        ({}, 11, 0.0),
        ({"activation_fn": "topk", "activation_fn_kwargs": {"k": 2}}, 2, 0.0),
        ({"architecture": "topk", "activation_fn_kwargs": {"k": 2}}, 2, 0.0),
        ({"architecture": "jumprelu", "normalize_activations": None}, 11, 0.4),
    ],
    ids=str,
)
def test_a_folder_of_before_version_6_computes_what_it_did(
    settings: dict[str, object], k: int, threshold: float, takes_b_dec_away: bool, rows: Tensor, tmp_path: Path
) -> None:
    extra = {"threshold": torch.full((11,), threshold)} if threshold else {}
    weights = _before_6(tmp_path / "sae", settings | {"apply_b_dec_to_input": takes_b_dec_away}, **extra)
    found = read(tmp_path / "sae")
    assert found.site == "hook_obs_embed"
    for row, code, made in zip(rows, encode_dense(found, rows), reconstruct(found, rows), strict=True):
        seen = row - weights["b_dec"] if takes_b_dec_away else row
        pre = [float(seen @ weights["W_enc"][:, each] + weights["b_enc"][each]) for each in range(11)]
        kept = sorted(pre)[-k:]
        slow = torch.tensor([value if value in kept and value > threshold else 0.0 for value in pre])
        torch.testing.assert_close(code, slow, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(made, slow @ weights["W_dec"] + weights["b_dec"], atol=1e-4, rtol=1e-4)


def test_scaling_factors_of_a_fine_tuning_are_folded_in(rows: Tensor, tmp_path: Path) -> None:
    factor = torch.linspace(0.5, 2, 11)
    weights = _before_6(tmp_path / "on", {"finetuning_scaling_factor": True}, finetuning_scaling_factor=factor)
    found = read(tmp_path / "on")
    code = ((rows - weights["b_dec"]) @ weights["W_enc"] + weights["b_enc"]).relu()
    torch.testing.assert_close(reconstruct(found, rows), (code * factor) @ weights["W_dec"] + weights["b_dec"])
    _before_6(tmp_path / "off", {}, scaling_factor=factor)
    with pytest.raises(UserError, match="has scaling factors, which its settings say are off"):
        read(tmp_path / "off")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"activation_fn_str": "tanh-relu"}, r"activation_fn is 'tanh-relu' \(.*\) in .*cfg\.json"),
        ({"hook_point_head_index": 3}, r"hook_head_index is 3 \(.*\) in .*cfg\.json"),
        ({"normalize_activations": True}, "'expected_average_only_in', whose factor is not in it"),
        ({"normalize_activations": "layer_norm"}, "no weights can do that, so it cannot be imported"),
        ({"d_sae": None}, r"d_sae is None \(.*\) in .*cfg\.json"),
        ({"architecture": "topk", "activation_fn_kwargs": {"k": "x"}}, r"k is 'x' \(.*\) in .*cfg\.json"),
    ],
    ids=str,
)
def test_what_is_odd_before_version_6_gets_one_sentence(
    settings: dict[str, object], sentence: str, tmp_path: Path
) -> None:
    _before_6(tmp_path / "sae", settings)
    with pytest.raises(UserError, match=sentence):
        read(tmp_path / "sae")
