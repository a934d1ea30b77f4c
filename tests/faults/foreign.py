"""Readers of what other projects write, with a small valid input for each."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

D_IN, WIDTH = 6, 12
SITE = "hook_obs_embed"


def _drawn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def _matrices() -> dict[str, Tensor]:
    return {"W_enc": _drawn(D_IN, WIDTH), "W_dec": _drawn(WIDTH, D_IN), "b_dec": _drawn(D_IN)}


def _folder(config: str, settings: Mapping[str, Any], weights: str, tensors: Mapping[str, Tensor]) -> Callable:
    def make(path: Path) -> None:
        path.mkdir()
        (path / config).write_text(json.dumps(settings), encoding="utf-8")
        save_file(dict(tensors), path / weights)

    return make


def _trained_by_dictionary_learning() -> Callable:
    trainer = {"dict_class": "AutoEncoderTopK", "activation_dim": D_IN, "dict_size": WIDTH, "k": 3, "lr": 0.001}
    tensors = {
        "encoder.weight": _drawn(WIDTH, D_IN),
        "encoder.bias": torch.zeros(WIDTH),
        "decoder.weight": _drawn(D_IN, WIDTH),
        "b_dec": torch.zeros(D_IN),
    }
    return _folder("config.json", {"trainer": trainer, "buffer": {"d_submodule": D_IN}}, "ae.safetensors", tensors)


def _trained_by_sparsify() -> Callable:
    tensors = {
        "encoder.weight": _drawn(WIDTH, D_IN),
        "encoder.bias": torch.zeros(WIDTH),
        "W_dec": _drawn(WIDTH, D_IN),
        "b_dec": torch.zeros(D_IN),
    }
    settings = {"activation": "topk", "d_in": D_IN, "num_latents": WIDTH, "k": 3, "signed": False, "transcode": False}
    return _folder("cfg.json", settings, "sae.safetensors", tensors)


def _trained_by_saelens(architecture: str, **further: Tensor) -> Callable:
    settings = {
        "architecture": architecture,
        "d_in": D_IN,
        "d_sae": WIDTH,
        "dtype": "float32",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {"hook_name": SITE, "sae_lens_version": "6.0.0"},
    }
    tensors = {**_matrices(), "b_enc": torch.zeros(WIDTH), **further}
    return _folder("cfg.json", settings, "sae_weights.safetensors", tensors)


def _trained_by_an_early_saelens() -> Callable:
    settings = {
        "model_name": "tiny",
        "hook_name": SITE,
        "hook_layer": 0,
        "d_in": D_IN,
        "d_sae": WIDTH,
        "architecture": "standard",
        "activation_fn_str": "relu",
        "activation_fn_kwargs": {},
        "apply_b_dec_to_input": True,
        "finetuning_scaling_factor": False,
        "normalize_activations": "none",
        "dtype": "float32",
        "prepend_bos": True,
        "sae_lens_training_version": "3.0.0",
    }
    return _folder("cfg.json", settings, "sae_weights.safetensors", {**_matrices(), "b_enc": torch.zeros(WIDTH)})


FOREIGN: Mapping[str, Callable[[Path], object]] = {
    "SAELens standard": _trained_by_saelens("standard"),
    "SAELens jumprelu": _trained_by_saelens("jumprelu", threshold=torch.ones(WIDTH)),
    "SAELens before 6": _trained_by_an_early_saelens(),
    "sparsify": _trained_by_sparsify(),
    "dictionary_learning": _trained_by_dictionary_learning(),
}


def read_autoencoder(path: Path) -> object:
    """Read an autoencoder of another library."""
    from dtinterp.dictionary.formats import read_foreign

    return read_foreign(path)


def make_published(path: Path) -> None:
    """Write a model as the published code did."""
    from tests.dtinterp.model.conftest import OFFLINE, SMALL, WORLD, written_weights

    settings = {"offline_config": OFFLINE, "environment_config": WORLD, "model_config": SMALL}
    texts = {name: json.dumps(setting) for name, setting in settings.items()}
    torch.save({"model_state_dict": dict(written_weights(SMALL)), **texts}, path)


def read_checkpoint(path: Path) -> object:
    """Read it again."""
    from dtinterp.model.published import read_published

    return read_published(path)


def read_dataset(path: Path) -> object:
    """Read a dataset of Minari."""
    from dtinterp.demonstrations.minari.importing import from_minari

    return from_minari(path)
