import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from dtinterp.dictionary.dictionary import encode_dense, reconstruct
from dtinterp.dictionary.formats.dictionary_learning import read
from dtinterp.foundation.errors import UserError

D, F, K = 6, 11, 3
Weights = dict[str, Tensor]
LINEAR = {"encoder.weight": (F, D), "decoder.weight": (D, F)}
PLAIN = {"W_enc": (D, F), "b_enc": (F,), "W_dec": (F, D), "b_dec": (D,)}
SHAPES: dict[str, dict[str, tuple[int, ...]]] = {
    "AutoEncoder": {**LINEAR, "encoder.bias": (F,), "bias": (D,)},
    "AutoEncoderNew": {**LINEAR, "encoder.bias": (F,), "decoder.bias": (D,)},
    "GatedAutoEncoder": {**LINEAR, "decoder_bias": (D,), "r_mag": (F,), "gate_bias": (F,), "mag_bias": (F,)},
    "JumpReluAutoEncoder": {**PLAIN, "threshold": (F,)},
    "AutoEncoderTopK": {**LINEAR, "encoder.bias": (F,), "b_dec": (D,)},
    "BatchTopKSAE": {**LINEAR, "encoder.bias": (F,), "b_dec": (D,), "threshold": ()},
    "MatryoshkaBatchTopKSAE": {**PLAIN, "threshold": ()},
}


def _relu(value: float) -> float:
    return max(value, 0.0)


def _standard(w: Weights, row: Tensor) -> list[float]:
    return [_relu(float(w["encoder.weight"][f] @ (row - w["bias"]) + w["encoder.bias"][f])) for f in range(F)]


def _new(w: Weights, row: Tensor) -> list[float]:
    return [_relu(float(w["encoder.weight"][f] @ row + w["encoder.bias"][f])) for f in range(F)]


def _gated(w: Weights, row: Tensor) -> list[float]:
    seen = [float(w["encoder.weight"][f] @ (row - w["decoder_bias"])) for f in range(F)]
    magnitude = [_relu(float(w["r_mag"][f].exp()) * seen[f] + float(w["mag_bias"][f])) for f in range(F)]
    return [magnitude[f] if seen[f] + float(w["gate_bias"][f]) > 0 else 0.0 for f in range(F)]


def _jump(w: Weights, row: Tensor) -> list[float]:
    pre = [float(row @ w["W_enc"][:, f] + w["b_enc"][f]) for f in range(F)]
    return [_relu(pre[f]) if pre[f] > float(w["threshold"][f]) else 0.0 for f in range(F)]


def _topk(w: Weights, row: Tensor) -> list[float]:
    pre = [float(w["encoder.weight"][f] @ (row - w["b_dec"]) + w["encoder.bias"][f]) for f in range(F)]
    return [_relu(value) if value in sorted(pre)[-K:] else 0.0 for value in pre]


def _batch(w: Weights, row: Tensor) -> list[float]:
    pre = [_relu(float(w["encoder.weight"][f] @ (row - w["b_dec"]) + w["encoder.bias"][f])) for f in range(F)]
    return [value if value > float(w["threshold"]) else 0.0 for value in pre]


def _matryoshka(w: Weights, row: Tensor) -> list[float]:
    pre = [_relu(float((row - w["b_dec"]) @ w["W_enc"][:, f] + w["b_enc"][f])) for f in range(F)]
    return [value if value > float(w["threshold"]) else 0.0 for value in pre]


SLOW: dict[str, Callable[[Weights, Tensor], list[float]]] = {
    "AutoEncoder": _standard,
    "AutoEncoderNew": _new,
    "GatedAutoEncoder": _gated,
    "JumpReluAutoEncoder": _jump,
    "AutoEncoderTopK": _topk,
    "BatchTopKSAE": _batch,
    "MatryoshkaBatchTopKSAE": _matryoshka,
}


def _write(folder: Path, name: str, **changed: object) -> Weights:
    rng = torch.Generator().manual_seed(0)
    weights = {part: torch.randn(shape, generator=rng) for part, shape in SHAPES.get(name, PLAIN).items()}
    if "threshold" in weights:
        weights["threshold"] = weights["threshold"].abs() / 2
    trainer = {"dict_class": name, "activation_dim": D, "dict_size": F, "k": K, "layer": 3, "lm_name": "x"} | changed
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"trainer": trainer, "buffer": {"ctx_len": 128}}))
    save_file(weights, folder / "ae.safetensors")
    return weights


@pytest.mark.parametrize("name", SLOW)
def test_codes_and_rows_are_those_of_a_slow_loop(name: str, rows: Tensor, tmp_path: Path) -> None:
    weights = _write(tmp_path / "ae", name)
    found = read(tmp_path / "ae")
    assert (found.width, found.d_model, found.site) == (F, D, "")
    bias = weights[
        {"AutoEncoder": "bias", "AutoEncoderNew": "decoder.bias", "GatedAutoEncoder": "decoder_bias"}.get(name, "b_dec")
    ]
    directions = weights["decoder.weight"].T if "decoder.weight" in weights else weights["W_dec"]
    for row, code, made in zip(rows, encode_dense(found, rows), reconstruct(found, rows), strict=True):
        slow = torch.tensor(SLOW[name](weights, row))
        torch.testing.assert_close(code, slow, atol=1e-4, rtol=1e-4)
        expected = bias + sum(float(slow[f]) * directions[f] for f in range(F))
        torch.testing.assert_close(made, expected, atol=1e-4, rtol=1e-4)


def test_a_pickle_is_named_and_not_opened(tmp_path: Path) -> None:
    _write(tmp_path / "ae", "AutoEncoderTopK")
    (tmp_path / "ae" / "ae.safetensors").unlink()
    (tmp_path / "ae" / "ae.pt").write_bytes(b"never read")
    with pytest.raises(
        UserError, match=r"AutoEncoderTopK of dictionary_learning whose weights are a pickle, ae\.pt, whi"
    ):
        read(tmp_path / "ae")


def test_a_threshold_that_was_never_set_is_told(tmp_path: Path) -> None:
    weights = _write(tmp_path / "ae", "BatchTopKSAE")
    save_file(weights | {"threshold": torch.tensor(-1.0)}, tmp_path / "ae" / "ae.safetensors")
    with pytest.raises(
        UserError, match="was saved before it had a threshold, so a row's code depends on the other rows"
    ):
        read(tmp_path / "ae")


@pytest.mark.parametrize(
    ("name", "changed", "sentence"),
    [
        ("CrossCoder", {}, "is a CrossCoder of dictionary_learning, expected one of AutoEncoder, "),
        (
            "AutoEncoder",
            {"dict_size": 12},
            r"\(encoder\.weight has shape \(11, 6\), not \(12, 6\), decoder\.weight has shape",
        ),
        ("AutoEncoder", {"activation_dim": "wide"}, r"trainer\.activation_dim is 'wide' \(.*\) in .*config\.json"),
        ("AutoEncoderTopK", {"k": 12}, "TopK has k=12, expected at most the width 11"),
    ],
)
def test_what_cannot_be_read_gets_one_sentence(
    name: str, changed: dict[str, object], sentence: str, tmp_path: Path
) -> None:
    _write(tmp_path / "ae", name, **changed)
    with pytest.raises(UserError, match=sentence):
        read(tmp_path / "ae")


def test_a_config_of_something_else_is_told(tmp_path: Path) -> None:
    _write(tmp_path / "ae", "AutoEncoder")
    (tmp_path / "ae" / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"trainer is missing in .*config\.json, where it cannot be"):
        read(tmp_path / "ae")
