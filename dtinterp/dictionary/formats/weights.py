"""Settings and weights of a foreign autoencoder, checked before anything is computed with them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeAlias, TypeVar

import torch
from pydantic import Field
from torch import Tensor

from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.kinds import Kind
from dtinterp.foundation.artefacts.reading import parse_object, read_bytes, read_tensors
from dtinterp.foundation.artefacts.soundness import settings_of
from dtinterp.foundation.errors import UserError

SETTINGS_BYTES = 2**20
"""A hundred times what any of these libraries writes."""
FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
AGAIN = "fetch it again"
Size: TypeAlias = Annotated[int, Field(ge=1)]
"""A width that settings give."""
Tensors: TypeAlias = dict[str, Tensor]
SettingsT = TypeVar("SettingsT")


def read_settings(file: Path) -> Mapping[str, object]:
    """Return the settings of a folder. Raises `UserError` where they are no JSON object."""
    return parse_object(read_bytes(file, at_most=SETTINGS_BYTES), str(file))


def checked(kind: type[SettingsT], settings: object, file: Path) -> SettingsT:
    """Return settings of a kind. Raises `UserError` for the first thing in them that cannot be."""
    return settings_of(kind, settings, str(file), advice=AGAIN)


def read_weights(
    file: Path, shapes: Mapping[str, tuple[int, ...]], *, optional: Mapping[str, tuple[int, ...]] | None = None
) -> Tensors:
    """Return the named weights in float32, each of the shape that the settings call for.

    The optional ones are among them where the file has them. Raises `UserError` where the file is damaged, lacks one,
    or has one of another shape, of whole numbers, or with one that is not finite.
    """
    found = read_tensors(file)
    missing = sorted(shapes.keys() - found.keys())
    if missing:
        raise UserError(f"{file} lacks {', '.join(missing)}: {AGAIN}.")
    expected = {**shapes, **{name: shape for name, shape in (optional or {}).items() if name in found}}
    wrong = [
        f"{name} has shape {tuple(found[name].shape)}, not {shape}"
        for name, shape in expected.items()
        if tuple(found[name].shape) != shape
    ]
    if wrong:
        raise UserError(f"{file} does not have the shapes that its settings say ({', '.join(wrong)}): {AGAIN}.")
    odd = [name for name in expected if found[name].dtype not in FLOATS or not found[name].isfinite().all()]
    if odd:
        raise UserError(f"{file} has {', '.join(odd)} with what is no finite number: {AGAIN}.")
    return {name: found[name].float() for name in expected}


def require_off(settings: Mapping[str, object], options: tuple[str, ...], folder: Path) -> None:
    """Raise `UserError` for an option that is on and changes what an autoencoder computes."""
    on = [name for name in options if settings.get(name)]
    if on:
        raise UserError(
            f"{folder} has {', '.join(on)}, which no dictionary here has: it cannot be imported; give a plain "
            "autoencoder."
        )


def without_input_bias(parts: Tensors) -> Tensors:
    """Return the parts of an encoder that reads rows as they are: ours takes `b_dec` away, `b_enc` gives it back."""
    return parts | {"b_enc": parts["b_enc"] + parts["b_dec"] @ parts["W_enc"]}


def gated(parts: Tensors) -> Tensors:
    """Return the parts of a gated encoder with the thresholds that its gates amount to (`kinds.Gated`)."""
    b_gate, b_mag, gain = parts["b_gate"], parts["b_mag"], parts["r_mag"].exp()  # feature
    encoder = {
        "W_enc": parts["W_enc"] * gain,
        "b_enc": b_mag,
        "threshold": (b_mag - gain * b_gate).clamp_min(0),
    }
    return {"W_dec": parts["W_dec"], "b_dec": parts["b_dec"], **encoder}


def dictionary_of(parts: Tensors, kind: Kind, *, site: str, name: str) -> Dictionary:
    """Return the dictionary of these parts, for rows in the network's own units."""
    contiguous = {part: tensor.contiguous() for part, tensor in parts.items()}
    return Dictionary(**contiguous, kind=kind, scale=torch.tensor(1.0), site=site, name=name, of_untrained=False)
