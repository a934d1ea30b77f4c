import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from dtinterp.dictionary.dictionary import Dictionary, encode_dense, reconstruct
from dtinterp.dictionary.kinds import L1, Autoencoder, BatchTopK, Gated, Identity, JumpReLU, Kind, Matryoshka, Pca, TopK
from dtinterp.dictionary.saelens import export_saelens, folded, import_saelens
from dtinterp.dictionary.storage import load_dictionary
from dtinterp.foundation.errors import UserError

KINDS: list[Autoencoder] = [TopK(3), L1(0.5), JumpReLU(0.5), Gated(0.5), BatchTopK(3), Matryoshka(3, 2)]
Make = Callable[..., Dictionary]
ROOT = Path(__file__).parents[3]
OVERLAY = ROOT / ".saelens"
INTERPRETER = os.environ.get("DTINTERP_SAELENS_PYTHON")
needs_saelens = pytest.mark.skipif(
    INTERPRETER is None and not (OVERLAY / "sae_lens").is_dir(),
    reason="SAELens wants TransformerLens below 4: make saelens lays both over the environment, or name an interpreter "
    "that has them in DTINTERP_SAELENS_PYTHON",
)
SHIPPED = ROOT / "checkpoints/studies/memory-dt-small-0/dictionaries"
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
    found = import_saelens(export_saelens(tmp_path / "sae", dictionary))
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
        found = import_saelens(folder, site="somewhere")
        assert (found.kind, found.site, found.name) == (expected, "somewhere", folder.name)


def test_an_encoder_that_does_not_take_b_dec_away_is_read_alike(
    random_dictionary: Make, rows: Tensor, tmp_path: Path
) -> None:
    dictionary = random_dictionary(L1(), width=11)
    folder = export_saelens(tmp_path / "sae", dictionary)
    tensors = load_file(folder / "sae_weights.safetensors")
    _rewrite(
        folder, tensors | {"b_enc": tensors["b_enc"] - tensors["b_dec"] @ tensors["W_enc"]}, apply_b_dec_to_input=False
    )
    torch.testing.assert_close(reconstruct(import_saelens(folder), rows), reconstruct(dictionary, rows))


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
    torch.testing.assert_close(reconstruct(import_saelens(folder), rows), code @ tensors["W_dec"] + tensors["b_dec"])


def test_a_gate_with_a_gain_is_read_alike(random_dictionary: Make, rows: Tensor, tmp_path: Path) -> None:
    folder = export_saelens(tmp_path / "sae", random_dictionary(Gated(), width=11))
    tensors = load_file(folder / "sae_weights.safetensors")
    tensors["r_mag"] = torch.linspace(-1, 1, 11)
    _rewrite(folder, tensors)
    shared = (rows - tensors["b_dec"]) @ tensors["W_enc"]
    magnitude = (shared * tensors["r_mag"].exp() + tensors["b_mag"]).relu()
    code = magnitude.where(shared + tensors["b_gate"] > 0, 0.0)
    torch.testing.assert_close(encode_dense(import_saelens(folder), rows), code)


@pytest.mark.parametrize("kind", [Pca(11), Identity()], ids=lambda kind: type(kind).__name__)
def test_baselines_have_no_equal_in_saelens(kind: Kind, random_dictionary: Make, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"SAELens knows no .*, expected one of L1, TopK.*: export an autoencoder"):
        export_saelens(tmp_path / "sae", random_dictionary(kind, width=11))


def test_a_folder_that_exists_is_left_alone(random_dictionary: Make, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="exists already: give another folder"):
        export_saelens(tmp_path, random_dictionary(TopK(3), width=11))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"architecture": "temporal"}, "is of architecture temporal, expected one of standard, topk, jumprelu, gated"),
        ({"normalize_activations": "layer_norm"}, "has normalize_activations 'layer_norm', expected 'none': fold it"),
        ({"architecture": 3}, r"cfg\.json is no configuration of a SAELens autoencoder"),
        ({"architecture": "gated"}, r"sae_weights\.safetensors lacks b_gate, b_mag, r_mag: write it again"),
    ],
)
def test_what_has_no_equal_here_gets_one_sentence(
    settings: dict, sentence: str, random_dictionary: Make, tmp_path: Path
) -> None:
    folder = export_saelens(tmp_path / "sae", random_dictionary(TopK(3), width=11))
    _rewrite(folder, **settings)
    with pytest.raises(UserError, match=sentence):
        import_saelens(folder)


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no cfg\.json: give a folder that SAELens wrote"):
        import_saelens(tmp_path)


READ_BY_SAELENS = """
import sys
from pathlib import Path
from safetensors.torch import load_file, save_file
from sae_lens import SAE
here = Path(sys.argv[1])
rows = load_file(here / "rows.safetensors")["rows"]
for folder in sorted(path for path in here.iterdir() if path.is_dir()):
    sae = SAE.load_from_disk(str(folder))
    code = sae.encode(rows).detach().contiguous()
    made = sae.decode(code).detach().contiguous()
    save_file({"code": code, "made": made}, here / f"{folder.name}.answer.safetensors")
    sae.save_model(here / "again" / folder.name)
"""


@needs_saelens
@pytest.mark.slow
def test_saelens_encodes_and_decodes_alike_both_ways(random_dictionary: Make, rows: Tensor, tmp_path: Path) -> None:
    dictionaries = {type(kind).__name__: random_dictionary(kind, width=11) for kind in KINDS}
    for name, dictionary in dictionaries.items():
        export_saelens(tmp_path / name, dictionary)
    _hold_against_saelens(dictionaries, rows, tmp_path)


@needs_saelens
@pytest.mark.slow
@pytest.mark.parametrize("site", ["hook_obs_embed", "blocks.1.hook_resid_pre"])
def test_a_dictionary_that_ships_is_the_same_in_saelens(site: str, tmp_path: Path) -> None:
    dictionary = load_dictionary(SHIPPED / site / "topk-128-k8")
    export_saelens(tmp_path / "shipped", dictionary)
    noise = torch.randn(64, dictionary.d_model, generator=torch.Generator().manual_seed(0))
    some = dictionary.W_dec[:64] * 3 + dictionary.b_dec + noise / 10
    _hold_against_saelens({"shipped": dictionary}, dictionary.scale * some, tmp_path)


def _hold_against_saelens(dictionaries: dict[str, Dictionary], rows: Tensor, folder: Path) -> None:
    """Compare codes and rows of exported dictionaries, and of those that SAELens wrote again, with SAELens's own."""
    save_file({"rows": rows.contiguous()}, folder / "rows.safetensors")
    over = {} if INTERPRETER is not None else {"PYTHONPATH": str(OVERLAY)}
    command = [INTERPRETER or sys.executable, "-c", READ_BY_SAELENS, folder]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, **over})
    for name, dictionary in dictionaries.items():
        answer = load_file(folder / f"{name}.answer.safetensors")
        for ours in (folded(dictionary), import_saelens(folder / "again" / name)):
            torch.testing.assert_close(encode_dense(ours, rows), answer["code"])
            torch.testing.assert_close(reconstruct(ours, rows), answer["made"])
            assert (answer["code"] > 0).any()
