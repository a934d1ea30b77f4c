import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from dtinterp.dictionary.dictionary import encode_dense, reconstruct
from dtinterp.dictionary.formats.sparsify import read
from dtinterp.foundation.errors import UserError

SETTINGS = {
    "activation": "topk",
    "expansion_factor": 2,
    "normalize_decoder": True,
    "num_latents": 0,
    "k": 3,
    "multi_topk": False,
    "skip_connection": False,
    "transcode": False,
    "d_in": 6,
}


def _write(folder: Path, settings: dict[str, object] | None = None, **changed: Tensor) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(0)
    shapes = {"encoder.weight": (12, 6), "encoder.bias": (12,), "W_dec": (12, 6), "b_dec": (6,)}
    weights = {name: torch.randn(shape, generator=rng) for name, shape in shapes.items()} | changed
    folder.mkdir()
    (folder / "cfg.json").write_text(json.dumps(SETTINGS | (settings or {})))
    save_file(weights, folder / "sae.safetensors")
    return weights


@pytest.mark.parametrize("settings", [{}, {"num_latents": 12, "expansion_factor": 32}, {"signed": False}], ids=str)
def test_codes_and_rows_are_those_of_a_slow_loop(settings: dict[str, object], rows: Tensor, tmp_path: Path) -> None:
    weights = _write(tmp_path / "layers.0", settings)
    found = read(tmp_path / "layers.0")
    assert (found.width, found.d_model, found.site, found.name) == (12, 6, "", "layers.0")
    for row, code, made in zip(rows, encode_dense(found, rows), reconstruct(found, rows), strict=True):
        centred = row - weights["b_dec"]
        pre = [float(weights["encoder.weight"][each] @ centred + weights["encoder.bias"][each]) for each in range(12)]
        slow = torch.tensor([max(value, 0.0) if value in sorted(pre)[-3:] else 0.0 for value in pre])
        torch.testing.assert_close(code, slow, atol=1e-4, rtol=1e-4)
        expected = weights["b_dec"] + sum(float(slow[each]) * weights["W_dec"][each] for each in range(12))
        torch.testing.assert_close(made, expected, atol=1e-4, rtol=1e-4)


def test_half_precision_is_read(tmp_path: Path) -> None:
    weights = _write(tmp_path / "sae")
    save_file({name: weight.bfloat16() for name, weight in weights.items()}, tmp_path / "sae" / "sae.safetensors")
    assert read(tmp_path / "sae").W_enc.dtype == torch.float32


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"transcode": True}, "has transcode, which no dictionary here has: it cannot be imported"),
        ({"skip_connection": True, "signed": True}, "has skip_connection, signed, which no dictionary"),
        ({"activation": "groupmax"}, r"activation is 'groupmax' \(.*\) in .*cfg\.json"),
        ({"d_in": None}, r"d_in is None \(.*\) in .*cfg\.json"),
        ({"num_latents": 10**12}, r"\(encoder\.weight has shape \(12, 6\), not \(1000000000000, 6\)"),
        ({"k": 13}, "TopK has k=13, expected at most the width 12"),
    ],
    ids=str,
)
def test_what_has_no_equal_here_gets_one_sentence(settings: dict[str, object], sentence: str, tmp_path: Path) -> None:
    _write(tmp_path / "sae", settings)
    with pytest.raises(UserError, match=sentence):
        read(tmp_path / "sae")


def test_settings_that_are_no_object_are_refused(tmp_path: Path) -> None:
    _write(tmp_path / "sae")
    for text, sentence in (
        ("[1]", "is damaged .it is no JSON object"),
        ("[" * 200_000, "is damaged"),
        ("{", "is damaged"),
    ):
        (tmp_path / "sae" / "cfg.json").write_text(text)
        with pytest.raises(UserError, match=sentence):
            read(tmp_path / "sae")
