"""Autoencoders in the format of EleutherAI's sparsify.

It holds `cfg.json` and `sae.safetensors`: a TopK autoencoder, whose codes are the k largest of
`relu((x - b_dec) W + b_enc)`. Transcoders and skip connections have no equal here. Nothing of sparsify is imported.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.formats.weights import (
    Size,
    checked,
    dictionary_of,
    read_settings,
    read_weights,
    require_off,
)
from dtinterp.dictionary.kinds.autoencoders.topk import TopK

CONFIG, WEIGHTS = "cfg.json", "sae.safetensors"
NAME = "sparsify"
FILES = f"{CONFIG} and {WEIGHTS}"
OTHERS = ("transcode", "skip_connection", "embed_skip", "gram_lookup", "signed")
"""Options that change what is computed."""


@dataclass(frozen=True)
class _Settings:
    """What we read of cfg.json, with the defaults that hold where it leaves a setting out."""

    d_in: Size
    k: Size = 32
    expansion_factor: Size = 32
    num_latents: int | None = None
    """0 or nothing: `expansion_factor` times `d_in`"""
    activation: Literal["topk"] = "topk"


def recognises(folder: Path) -> bool:
    """Whether the folder is one of sparsify's."""
    return (folder / WEIGHTS).is_file()


def read(folder: Path) -> Dictionary:
    """Read the folder; it names its place by the module of a language model, which is no site here.

    Raises `UserError` where a file is missing or damaged, and for what has no equal here.
    """
    told = read_settings(folder / CONFIG)
    require_off(told, OTHERS, folder)
    settings = checked(_Settings, told, folder / CONFIG)
    d_in, width = settings.d_in, settings.num_latents or settings.d_in * settings.expansion_factor
    shapes = {"encoder.weight": (width, d_in), "encoder.bias": (width,), "W_dec": (width, d_in), "b_dec": (d_in,)}
    weights = read_weights(folder / WEIGHTS, shapes)
    parts = {
        "W_enc": weights["encoder.weight"].T,
        "b_enc": weights["encoder.bias"],
        "W_dec": weights["W_dec"],
        "b_dec": weights["b_dec"],
    }
    return dictionary_of(parts, TopK(settings.k), site="", name=folder.resolve().name)
