"""SAELens's format, written and read: a dictionary as a folder, of version 6 or before where it is read.

The folder holds `cfg.json` and `sae_weights.safetensors`, for rows in the network's own units. Of SAELens's
architectures, standard is our L1, topk TopK, jumprelu JumpReLU and gated Gated; BatchTopK and Matryoshka are read with
thresholds and hence written as jumprelu. Nothing of SAELens is imported.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import save

from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.formats.weights import (
    AGAIN,
    Size,
    Tensors,
    checked,
    dictionary_of,
    gated,
    read_settings,
    read_weights,
    without_input_bias,
)
from dtinterp.dictionary.kinds import AUTOENCODERS, Kind
from dtinterp.dictionary.kinds.autoencoders.gated import Gated
from dtinterp.dictionary.kinds.autoencoders.jump_relu import JumpReLU
from dtinterp.dictionary.kinds.autoencoders.l1 import L1
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.foundation.artefacts.soundness import settings_of
from dtinterp.foundation.artefacts.writing import draft_folder
from dtinterp.foundation.errors import UserError

CONFIG = "cfg.json"
WEIGHTS = "sae_weights.safetensors"
NAME = "SAELens"
FILES = f"{CONFIG} and {WEIGHTS}"
ARCHITECTURES = {kind: kind.saelens for kind in AUTOENCODERS if kind.saelens}
AVERAGE_NORM = "expected_average_only_in"
"""All rows are multiplied by one number, which SAELens can fold into the weights."""
SCALING = ("finetuning_scaling_factor", "scaling_factor")
"""Names of the factors by which fine-tuning scaled the features."""
_RENAMED = {
    "activation_fn_str": "activation_fn",
    "hook_point": "hook_name",
    "hook_point_head_index": "hook_head_index",
    "meta": "metadata",
}
"""Settings by the names that they had before."""


def export_saelens(path: Path, dictionary: Dictionary) -> Path:
    """Write the folder `path` and return it; it is there whole or not at all.

    The scale is folded into the weights. Raises `UserError` where `path` exists, and for baselines, whose codes SAELens
    cannot write.
    """
    kind = dictionary.kind
    if kind.saelens is None:
        known = ", ".join(each.__name__ for each in ARCHITECTURES)
        raise UserError(f"SAELens knows no {type(kind).__name__}, expected one of {known}: export an autoencoder.")
    if path.exists():
        raise UserError(f"{path} exists already: give another folder.")
    with draft_folder(path) as draft:
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in _written(folded(dictionary)).items()}
        (draft / WEIGHTS).write_bytes(save(tensors))
        (draft / CONFIG).write_text(json.dumps(_config(dictionary, kind), indent=1) + "\n", encoding="utf-8")
        draft.chmod(0o755)
        draft.rename(path)
    return path


def recognises(folder: Path) -> bool:
    """Whether the folder is one of SAELens's."""
    return (folder / WEIGHTS).is_file()


def read(folder: Path) -> Dictionary:
    """Read the folder, of version 6 or before; its site is empty where it says none.

    Training settings that the format does not keep, such as prices, come back only from our own folders; elsewhere they
    are zero. Raises `UserError` where files are missing or damaged, and for architectures or normalisations that have
    no equal here.
    """
    file = folder / CONFIG
    told = _of_today(read_settings(file), file)
    settings = checked(_Settings, told, file)
    _require_plain(settings, folder)
    kind = _kind(settings, file)
    return dictionary_of(
        _parts(settings, folder),
        kind,
        site=str(settings.metadata.get("hook_name") or ""),
        name=str(settings.metadata.get("dtinterp_name") or folder.resolve().name),
    )


def folded(dictionary: Dictionary) -> Dictionary:
    """Return the same autoencoder for rows as they are: the scale goes into biases and thresholds.

    Codes grow by the scale, since `relu(s a) = s relu(a)`.
    """
    scale = dictionary.scale
    threshold = None if dictionary.threshold is None else dictionary.threshold * scale
    return replace(
        dictionary,
        b_enc=dictionary.b_enc * scale,
        b_dec=dictionary.b_dec * scale,
        threshold=threshold,
        scale=torch.ones_like(scale),
    )


@dataclass(frozen=True)
class _Settings:
    """What we read of cfg.json; the rest is for others."""

    architecture: str
    d_in: Size
    d_sae: Size
    metadata: Mapping[str, object]
    k: int = 0
    apply_b_dec_to_input: bool = True
    finetuning_scaling_factor: bool = False
    normalize_activations: str | None = "none"
    reshape_activations: str | None = "none"
    rescale_acts_by_decoder_norm: bool = False


@dataclass(frozen=True)
class _Flat:
    """What cfg.json held before version 6, all beside each other."""

    d_in: Size
    d_sae: Size
    architecture: str = "standard"
    activation_fn: Literal["relu", "topk"] = "relu"
    activation_fn_kwargs: Mapping[str, object] | None = None
    hook_name: str = ""
    hook_head_index: None = None
    apply_b_dec_to_input: bool = True
    finetuning_scaling_factor: bool = False
    normalize_activations: bool | str | None = "none"


def _of_today(told: Mapping[str, object], file: Path) -> Mapping[str, object]:
    """Return settings as version 6 writes them."""
    named = {_RENAMED.get(name, name): value for name, value in told.items()}
    if "metadata" in named:
        return named
    flat = checked(_Flat, named, file)
    is_topk = "topk" in (flat.architecture, flat.activation_fn)
    scaled = {True: AVERAGE_NORM, False: "none"}
    norm = flat.normalize_activations
    return {
        **{
            name: getattr(flat, name) for name in ("d_in", "d_sae", "apply_b_dec_to_input", "finetuning_scaling_factor")
        },
        "architecture": "topk" if is_topk else flat.architecture,
        "k": (flat.activation_fn_kwargs or {}).get("k", 0) if is_topk else 0,
        "normalize_activations": scaled[norm] if isinstance(norm, bool) else norm,
        "metadata": {"hook_name": flat.hook_name},
    }


def _config(dictionary: Dictionary, kind: Kind) -> dict[str, object]:
    sparsity = {"k": asdict(kind)["k"], "rescale_acts_by_decoder_norm": False} if kind.saelens == "topk" else {}
    return {
        "architecture": kind.saelens,
        "d_in": dictionary.d_model,
        "d_sae": dictionary.width,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "none",
        **sparsity,
        "metadata": {
            "hook_name": dictionary.site,
            "dtinterp_name": dictionary.name,
            "dtinterp_kind": {"type": type(kind).__name__, **asdict(kind)},
        },
    }


def _written(dictionary: Dictionary) -> Tensors:
    """Return the weights by SAELens's names; a gate shares the magnitude's weights, so `r_mag` is zero."""
    tensors = {name: tensor for name, tensor in dictionary.tensors.items() if name != "scale"}
    if dictionary.kind.saelens == "gated":
        b_mag, threshold = tensors.pop("b_enc"), tensors.pop("threshold")
        tensors |= {"b_mag": b_mag, "b_gate": b_mag - threshold, "r_mag": torch.zeros_like(b_mag)}
    return tensors


def _require_plain(settings: _Settings, folder: Path) -> None:
    if settings.architecture not in ARCHITECTURES.values():
        known = ", ".join(dict.fromkeys(ARCHITECTURES.values()))
        raise UserError(
            f"{folder} is of architecture {settings.architecture!r} of SAELens, expected one of {known}: give one of "
            "these."
        )
    norm = settings.normalize_activations or "none"
    if norm == AVERAGE_NORM:
        raise UserError(
            f"{folder} has normalize_activations {norm!r}, whose factor is not in it, expected 'none': fold the factor "
            "into the weights with SAELens first."
        )
    if norm != "none":
        raise UserError(
            f"{folder} has normalize_activations {norm!r}, by which each row is divided by a number of its own; no "
            "weights can do that, so it cannot be imported: train one with 'none'."
        )
    if (settings.reshape_activations or "none") not in ("none", "hook_z"):  # heads one after the other, as rows here
        raise UserError(
            f"{folder} has reshape_activations {settings.reshape_activations!r}, expected 'none' or 'hook_z': train "
            "one on rows as they are."
        )


def _parts(settings: _Settings, folder: Path) -> Tensors:
    """Return the parts that a dictionary has; what the architecture does otherwise is folded in."""
    row, feature = (settings.d_in,), (settings.d_sae,)
    encoders = {"jumprelu": ("b_enc", "threshold"), "gated": ("b_gate", "b_mag", "r_mag")}
    shapes = {"W_enc": row + feature, "W_dec": feature + row, "b_dec": row}
    shapes |= dict.fromkeys(encoders.get(settings.architecture, ("b_enc",)), feature)
    parts = read_weights(folder / WEIGHTS, shapes, optional=dict.fromkeys(SCALING, feature))
    factors = [parts.pop(name) for name in SCALING if name in parts]
    if any((factor != 1).any() for factor in factors) and not settings.finetuning_scaling_factor:
        raise UserError(
            f"{folder} has scaling factors, which its settings say are off, so nobody knows what it computes: {AGAIN}."
        )
    for factor in factors:
        parts["W_dec"] = parts["W_dec"] * factor[:, None]
    if settings.architecture == "gated":
        parts = gated(parts)
    if settings.architecture == "jumprelu":
        parts["threshold"] = parts["threshold"].clamp_min(0)  # a code is never below 0
    if not settings.apply_b_dec_to_input:
        parts = without_input_bias(parts)
    return _rescaled(parts) if settings.rescale_acts_by_decoder_norm and settings.architecture == "topk" else parts


def _rescaled(parts: Tensors) -> Tensors:
    """Return parts whose activations grow by the norms of their directions, which become one."""
    norm = parts["W_dec"].norm(dim=1)  # feature
    return parts | {
        "W_enc": parts["W_enc"] * norm,
        "b_enc": parts["b_enc"] * norm,
        "W_dec": parts["W_dec"] / norm[:, None],
    }


def _kind(settings: _Settings, file: Path) -> Kind:
    kept = settings.metadata.get("dtinterp_kind")
    if isinstance(kept, Mapping):
        written = {kind.__name__: kind for kind, name in ARCHITECTURES.items() if name == settings.architecture}
        name = str(kept.get("type"))
        if name not in written:
            raise UserError(f"{file} is of kind {name}, expected one of {', '.join(written)}: {AGAIN}.")
        own = {key: value for key, value in kept.items() if key != "type"}
        return settings_of(written[name], own, str(file), advice=AGAIN)
    match settings.architecture:
        case "topk":
            return TopK(settings.k)
        case "gated":
            return Gated(0.0)
        case "jumprelu":
            return JumpReLU(0.0)
        case _:
            return L1(0.0)
