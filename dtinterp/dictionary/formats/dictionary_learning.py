"""Autoencoders in the format of dictionary_learning (Marks, Karvonen & Mueller 2024).

It holds `config.json`, whose trainer names a class, and weights. The library writes these as `ae.pt`, a pickle, which
is not opened here; they are read from `ae.safetensors`. Nothing of the library is imported.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.formats.weights import (
    Size,
    Tensors,
    checked,
    dictionary_of,
    gated,
    read_settings,
    read_weights,
    without_input_bias,
)
from dtinterp.dictionary.kinds import Kind
from dtinterp.dictionary.kinds.autoencoders.batch_topk import BatchTopK
from dtinterp.dictionary.kinds.autoencoders.gated import Gated
from dtinterp.dictionary.kinds.autoencoders.jump_relu import JumpReLU
from dtinterp.dictionary.kinds.autoencoders.l1 import L1
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.foundation.errors import UserError

CONFIG, WEIGHTS, PICKLE = "config.json", "ae.safetensors", "ae.pt"
NAME = "dictionary_learning"
FILES = f"{CONFIG} and {WEIGHTS}"
LINEAR = {"W_enc": "encoder.weight", "W_dec": "decoder.weight"}
"""Matrices of torch's linear layers, written output by input."""
PLAIN = {name: name for name in ("W_enc", "b_enc", "W_dec", "b_dec", "threshold")}
NAMES: Mapping[str, Mapping[str, str]] = {
    "AutoEncoder": {**LINEAR, "b_enc": "encoder.bias", "b_dec": "bias"},
    "AutoEncoderNew": {**LINEAR, "b_enc": "encoder.bias", "b_dec": "decoder.bias"},
    "GatedAutoEncoder": {
        **LINEAR,
        "b_gate": "gate_bias",
        "b_mag": "mag_bias",
        "r_mag": "r_mag",
        "b_dec": "decoder_bias",
    },
    "JumpReluAutoEncoder": PLAIN,
    "AutoEncoderTopK": {**LINEAR, "b_enc": "encoder.bias", "b_dec": "b_dec"},
    "BatchTopKSAE": {**LINEAR, "b_enc": "encoder.bias", "b_dec": "b_dec", "threshold": "threshold"},
    "MatryoshkaBatchTopKSAE": PLAIN,
}
"""The parts of each class by their names in the file."""
ONE_THRESHOLD = ("BatchTopKSAE", "MatryoshkaBatchTopKSAE")
"""Classes with one threshold for all features."""


@dataclass(frozen=True)
class _Trainer:
    """What we read of a training: the class of what it made, and its sizes."""

    dict_class: str
    activation_dim: Size
    dict_size: Size
    k: int = 0


@dataclass(frozen=True)
class _Settings:
    trainer: _Trainer


@dataclass(frozen=True)
class _Read:
    parts: Tensors
    kind: Kind


def recognises(folder: Path) -> bool:
    """Whether the folder is one of dictionary_learning's."""
    return any((folder / file).is_file() for file in (WEIGHTS, PICKLE))


def read(folder: Path) -> Dictionary:
    """Read the folder; it names its place by a module of a language model, which is no site here.

    Raises `UserError` where a file is missing or damaged, where the weights are a pickle, and for classes that have no
    equal here.
    """
    trainer = checked(_Settings, read_settings(folder / CONFIG), folder / CONFIG).trainer
    if trainer.dict_class not in NAMES:
        raise UserError(
            f"{folder} is a {trainer.dict_class} of dictionary_learning, expected one of {', '.join(NAMES)}: give one "
            "of these."
        )
    if not (folder / WEIGHTS).is_file():
        raise UserError(
            f"{folder} is a {trainer.dict_class} of dictionary_learning whose weights are a pickle, {PICKLE}, which is "
            f"not opened: write its tensors to {WEIGHTS} beside it, with safetensors.torch.save_file."
        )
    found = _read_off(trainer, _parts(trainer, folder / WEIGHTS), folder)
    return dictionary_of(found.parts, found.kind, site="", name=folder.resolve().name)


def _parts(trainer: _Trainer, file: Path) -> Tensors:
    """Return the parts of a class by our names."""
    row, feature = (trainer.activation_dim,), (trainer.dict_size,)
    shapes = {"W_enc": row + feature, "W_dec": feature + row, "b_dec": row}
    shapes["threshold"] = () if trainer.dict_class in ONE_THRESHOLD else feature
    names = NAMES[trainer.dict_class]
    turned = set(LINEAR.values())
    wanted = {theirs: shapes.get(ours, feature) for ours, theirs in names.items()}
    weights = read_weights(file, {name: shape[:: -1 if name in turned else 1] for name, shape in wanted.items()})
    return {ours: weights[theirs].T if theirs in turned else weights[theirs] for ours, theirs in names.items()}


def _read_off(trainer: _Trainer, parts: Tensors, folder: Path) -> _Read:
    """Return what a class computes, in the parts that a dictionary has."""
    match trainer.dict_class:
        case "AutoEncoder":
            return _Read(parts, L1(0.0))
        case "AutoEncoderNew":
            return _Read(without_input_bias(parts), L1(0.0))
        case "GatedAutoEncoder":
            return _Read(gated(parts), Gated(0.0))
        case "JumpReluAutoEncoder":
            return _Read(without_input_bias(parts | {"threshold": parts["threshold"].clamp_min(0)}), JumpReLU(0.0))
        case "AutoEncoderTopK":
            return _Read(parts, TopK(trainer.k))
        case _:
            return _Read(parts | {"threshold": _everywhere(parts, folder)}, BatchTopK(trainer.k))


def _everywhere(parts: Tensors, folder: Path) -> Tensor:
    """Return the one threshold for each feature; below zero it stands for none yet."""
    if parts["threshold"] < 0:
        raise UserError(
            f"{folder} was saved before it had a threshold, so a row's code depends on the other rows of its batch: it "
            "cannot be imported; train it for longer."
        )
    return parts["threshold"].expand(len(parts["b_enc"])).clone()  # feature
