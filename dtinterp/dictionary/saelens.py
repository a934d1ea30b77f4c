"""A dictionary becomes a folder in SAELens's format, and such a folder a dictionary.

The folder holds `cfg.json` and `sae_weights.safetensors`, for rows in the network's own units. Of SAELens's
architectures, standard is our L1, topk TopK, jumprelu JumpReLU and gated Gated; BatchTopK and Matryoshka are read with
thresholds and hence written as jumprelu. Nothing of SAELens is imported.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeAlias, get_args

import torch
from pydantic import TypeAdapter, ValidationError
from safetensors.torch import save
from torch import Tensor

from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.kinds import L1, Autoencoder, BatchTopK, Gated, JumpReLU, Kind, Matryoshka, TopK
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.reading import read_tensors
from dtinterp.foundation.writing import draft_folder

CONFIG = "cfg.json"
WEIGHTS = "sae_weights.safetensors"
ARCHITECTURES: Mapping[type[Autoencoder], str] = {
    L1: "standard",
    TopK: "topk",
    JumpReLU: "jumprelu",
    BatchTopK: "jumprelu",
    Matryoshka: "jumprelu",
    Gated: "gated",
}
Tensors: TypeAlias = dict[str, Tensor]


def export_saelens(path: Path, dictionary: Dictionary) -> Path:
    """Write the folder `path` and return it; it is there whole or not at all.

    The scale is folded into the weights. Raises `UserError` where `path` exists, and for baselines, whose codes SAELens
    cannot write.
    """
    kind = dictionary.kind
    if not isinstance(kind, Autoencoder):
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


def import_saelens(path: Path, *, site: str = "", name: str = "") -> Dictionary:
    """Read the folder `path`; `site` and `name` stand in where it does not say them.

    Training settings that the format does not keep, such as prices, come back only from our own folders; elsewhere they
    are zero. Raises `UserError` where files are missing or damaged, and for architectures or normalisations that have
    no equal here.
    """
    settings, tensors = _read(path)
    _require_plain(settings, path)
    parts = _parts(settings, tensors, path)
    kind = _kind(settings)
    return Dictionary(
        **parts,
        kind=kind,
        scale=torch.tensor(1.0),
        site=str(settings.metadata.get("hook_name") or site),
        name=str(settings.metadata.get("dtinterp_name") or name or path.name),
        of_untrained=False,
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
    metadata: Mapping[str, object]
    k: int = 0
    apply_b_dec_to_input: bool = True
    normalize_activations: str = "none"
    reshape_activations: str = "none"
    rescale_acts_by_decoder_norm: bool = False


def _config(dictionary: Dictionary, kind: Autoencoder) -> dict[str, object]:
    sparsity = {"k": kind.k, "rescale_acts_by_decoder_norm": False} if isinstance(kind, TopK) else {}
    return {
        "architecture": ARCHITECTURES[type(kind)],
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
    if isinstance(dictionary.kind, Gated):
        b_mag, threshold = tensors.pop("b_enc"), tensors.pop("threshold")
        tensors |= {"b_mag": b_mag, "b_gate": b_mag - threshold, "r_mag": torch.zeros_like(b_mag)}
    return tensors


def _read(path: Path) -> tuple[_Settings, Tensors]:
    for file in (CONFIG, WEIGHTS):
        if not (path / file).is_file():
            raise UserError(f"{path} holds no {file}: give a folder that SAELens wrote.")
    try:
        settings = TypeAdapter(_Settings).validate_json((path / CONFIG).read_bytes())
    except ValidationError:
        raise UserError(f"{path / CONFIG} is no configuration of a SAELens autoencoder: write it again.") from None
    return settings, {name: tensor.float() for name, tensor in read_tensors(path / WEIGHTS).items()}


def _require_plain(settings: _Settings, path: Path) -> None:
    if settings.architecture not in ARCHITECTURES.values():
        known = ", ".join(dict.fromkeys(ARCHITECTURES.values()))
        raise UserError(f"{path} is of architecture {settings.architecture}, expected one of {known}.")
    for setting in ("normalize_activations", "reshape_activations"):
        if getattr(settings, setting) != "none":
            raise UserError(
                f"{path} has {setting} {getattr(settings, setting)!r}, expected 'none': fold it into the weights with "
                "SAELens first."
            )


def _parts(settings: _Settings, tensors: Tensors, path: Path) -> Tensors:
    wanted = {"standard": {"b_enc"}, "topk": {"b_enc"}, "jumprelu": {"b_enc", "threshold"}}
    names = {"W_enc", "W_dec", "b_dec"} | wanted.get(settings.architecture, {"b_gate", "b_mag", "r_mag"})
    missing = sorted(names - tensors.keys())
    if missing:
        raise UserError(f"{path / WEIGHTS} lacks {', '.join(missing)}: write it again.")
    parts = {name: tensors[name] for name in names}
    if settings.architecture == "gated":
        gain = parts.pop("r_mag").exp()  # feature
        b_mag, b_gate = parts.pop("b_mag"), parts.pop("b_gate")
        parts |= {"W_enc": parts["W_enc"] * gain, "b_enc": b_mag, "threshold": (b_mag - gain * b_gate).clamp_min(0)}
    if not settings.apply_b_dec_to_input:
        parts["b_enc"] = parts["b_enc"] + parts["b_dec"] @ parts["W_enc"]
    if settings.rescale_acts_by_decoder_norm:
        norm = parts["W_dec"].norm(dim=1)  # feature
        parts |= {
            "W_enc": parts["W_enc"] * norm,
            "b_enc": parts["b_enc"] * norm,
            "W_dec": parts["W_dec"] / norm[:, None],
        }
    return parts


def _kind(settings: _Settings) -> Kind:
    kept = settings.metadata.get("dtinterp_kind")
    if isinstance(kept, Mapping):
        kinds = {kind.__name__: kind for kind in get_args(Autoencoder)}
        return TypeAdapter(kinds[str(kept["type"])]).validate_python({k: v for k, v in kept.items() if k != "type"})
    match settings.architecture:
        case "topk":
            return TopK(settings.k)
        case "gated":
            return Gated(0.0)
        case "jumprelu":
            return JumpReLU(0.0)
        case _:
            return L1(0.0)
