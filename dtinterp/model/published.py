"""Import of checkpoints in the format of the published models.

The format is that of DecisionTransformerInterpretability (Joseph Bloom 2022, MIT licence): a dictionary of weights,
`model_state_dict`, and three JSON texts, `model_config`, `environment_config` and `offline_config`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError
from torch import Tensor

from dtinterp.foundation.artefacts.manifest import JSON
from dtinterp.foundation.errors import UserError
from dtinterp.model.checkpoint import read_checkpoint
from dtinterp.model.config import ModelConfig, Normalization
from dtinterp.model.network.shapes import weight_shapes
from dtinterp.model.network.tokens import n_slots_of
from dtinterp.model.network.transformer import DecisionTransformer

WEIGHTS, SETTINGS = "model_state_dict", ("model_config", "environment_config", "offline_config")

RENAMED = {
    "W_rtg": "reward_embedding.0.weight",
    "W_obs": "state_embedding.weight",
    "W_action": "action_embedding.0.weight",
    "W_time": "time_embedding.weight",
    "W_pos": "transformer.pos_embed.W_pos",
    "W_U": "action_predictor.weight",
    "b_U": "action_predictor.bias",
}
"""Our weights by their names in such a file; inside the blocks the names are the same, after `transformer.`."""

TRANSPOSED = {"W_rtg", "W_obs", "W_U"}
"""Weights of torch's linear layers, written as output by input."""

OURS_ALONE = ("b_gate", "b_linear")
"""Biases that their gated MLP does not have: zero."""

UNUSED = ("state_predictor.", "reward_predictor.")
"""Heads that were never trained."""

CONSTANTS = (".attn.mask", ".attn.IGNORE")
"""What attention keeps beside its weights: the causal mask, and what it writes where it masks."""


class _ModelSettings(BaseModel):
    """Their `model_config`, with the defaults that held where a file leaves a setting out."""

    model_config = ConfigDict(extra="forbid", strict=True)

    d_model: int = 128
    n_heads: int = 4
    d_mlp: int = 256
    n_layers: int = 2
    n_ctx: int = 2
    layer_norm: Literal["LN", "LNPre"] | bool | None = None
    gated_mlp: bool = False
    activation_fn: Literal["relu", "gelu", "silu"] = "relu"
    state_embedding_type: Literal["grid"] = "grid"
    time_embedding_type: Literal["embedding"] = "embedding"
    seed: int = 1
    device: str = "cpu"


class _EnvironmentSettings(BaseModel):
    """What their `environment_config` says of the world, its frames and times."""

    model_config = ConfigDict(strict=True)

    env_id: str | None = None
    one_hot_obs: bool = False
    view_size: PositiveInt = 7
    max_steps: int = 1000


class _OfflineSettings(BaseModel):
    """What their `offline_config` says of the model."""

    model_config = ConfigDict(strict=True)

    model_type: Literal["decision_transformer"] = "decision_transformer"
    convert_to_one_hot: bool = False


_ELSE = "give a checkpoint of DecisionTransformerInterpretability"
Settings = TypeVar("Settings", bound=BaseModel)


@dataclass(frozen=True)
class Published:
    """A model as somebody else published it."""

    model: DecisionTransformer
    settings: Mapping[str, JSON]
    """the three configs, as they stand in the file"""
    seed: int
    """of its training"""
    sha256: str
    """of the file"""


def read_published(file: Path) -> Published:
    """Read a published checkpoint; nothing in it is run.

    Its pads are attended to, as they were. Raises `UserError` for a file that is missing, truncated, holds more than
    tensors and texts, or whose weights are not those that its own settings call for.
    """
    contents = _contents(file)
    texts = {name: _json(contents[name], f"{name} of {file}") for name in SETTINGS}
    model_settings = _checked(_ModelSettings, texts["model_config"], f"model_config of {file}")
    weights = _tensors(contents[WEIGHTS], file)
    shape = _shape(model_settings, texts, weights, file)
    ours = weight_shapes(shape, file, n_weights=len(weights))
    renamed = _renamed(ours, weights, file)
    model = DecisionTransformer(shape, torch.Generator())
    model.load_state_dict(renamed)
    return Published(model.eval(), texts, model_settings.seed, sha256(file.read_bytes()).hexdigest())


def _contents(file: Path) -> Mapping[str, object]:
    """Return the dictionary that the file holds, once its parts are known to be there."""
    if not file.is_file():
        raise UserError(f"{file} is no file: give the path of a published checkpoint, a .pt file.")
    contents = read_checkpoint(file)
    if not isinstance(contents, dict):
        raise UserError(f"{file} holds a {type(contents).__name__}, expected a dictionary with {WEIGHTS}: {_ELSE}.")
    missing = [name for name in (WEIGHTS, *SETTINGS) if name not in contents]
    if missing:
        raise UserError(f"{file} has no {', '.join(missing)}, which every published checkpoint has: {_ELSE}.")
    return contents


def _json(text: object, what: str) -> dict[str, JSON]:
    try:
        settings = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        settings = None
    if not isinstance(settings, dict):
        raise UserError(f"{what} is no JSON object, expected the settings in one: {_ELSE}.")
    return settings


def _tensors(weights: object, file: Path) -> dict[str, Tensor]:
    if not isinstance(weights, Mapping):
        raise UserError(f"{WEIGHTS} of {file} is a {type(weights).__name__}, expected weights by name: {_ELSE}.")
    strays = [str(name) for name, weight in weights.items() if not isinstance(weight, Tensor)]
    if strays:
        raise UserError(f"{', '.join(strays)} in {file} is no tensor, expected only weights: {_ELSE}.")
    named = {str(name): weight for name, weight in weights.items()}
    read = {name: named[name] for name in named if not name.startswith(UNUSED) and not name.endswith(CONSTANTS)}
    dense = {name: weight for name, weight in read.items() if _is_dense(weight)}
    n_bytes, size = sum(weight.nbytes for weight in dense.values()), file.stat().st_size
    if n_bytes > size:  # a view may repeat one number as often as it likes
        raise UserError(f"{file} has {size:,} bytes and weights that say they take {n_bytes:,}: fetch it again.")
    odd = [name for name in read if name not in dense or not dense[name].isfinite().all()]
    if odd:
        raise UserError(f"{', '.join(odd)} in {file} is no plain tensor of finite numbers: fetch it again.")
    return read


def _is_dense(weight: Tensor) -> bool:
    return weight.layout == torch.strided and not weight.is_nested and not weight.is_meta and weight.is_floating_point()


def _shape(
    model: _ModelSettings, texts: Mapping[str, Mapping[str, JSON]], weights: Mapping[str, Tensor], file: Path
) -> ModelConfig:
    """Return the shape that the settings call for; the number of actions stands in the weights alone."""
    world = _checked(_EnvironmentSettings, texts["environment_config"], f"environment_config of {file}")
    offline = _checked(_OfflineSettings, texts["offline_config"], f"offline_config of {file}")
    head = RENAMED["b_U"]
    if head not in weights or weights[head].ndim != 1:
        raise UserError(f"{file} has no {head} with an entry per action, so it does not act: {_ELSE}.")
    return ModelConfig(
        d_model=model.d_model,
        n_layers=model.n_layers,
        n_heads=model.n_heads,
        d_mlp=model.d_mlp,
        act_fn=model.activation_fn,
        n_slots=n_slots_of(model.n_ctx),
        max_time=world.max_steps,
        n_actions=len(weights[head]),
        n_items=world.view_size**2 * (20 if world.one_hot_obs or offline.convert_to_one_hot else 3),
        normalization_type=_norm(model.layer_norm),
        gated_mlp=model.gated_mlp,
        position_embedding=True,
        attend_to_padding=True,
    )


def _norm(layer_norm: Literal["LN", "LNPre"] | bool | None) -> Normalization:
    """Return the norm's kind; a truth value is how early files wrote it."""
    match layer_norm:
        case "LN" | "LNPre":
            return layer_norm
        case True:
            return "LN"
        case _:
            return "none"


def _checked(kind: type[Settings], settings: Mapping[str, JSON], what: str) -> Settings:
    try:
        return kind.model_validate(settings)
    except ValidationError as mistakes:
        mistake = mistakes.errors()[0]
        name = mistake["loc"][0]
        raise UserError(f"{name} is {mistake['input']!r} in {what}, which cannot be imported: {_ELSE}.") from None


def _renamed(ours: Mapping[str, tuple[int, ...]], weights: Mapping[str, Tensor], file: Path) -> dict[str, Tensor]:
    """Return the weights under our names, each of the shape that ours has."""
    source = {name: RENAMED.get(name, f"transformer.{name}") for name in ours if not name.endswith(OURS_ALONE)}
    _require_names(set(source.values()), set(weights), file)
    shapes = {name: shape[::-1] if name in TRANSPOSED else shape for name, shape in ours.items()}
    wrong = [
        f"{theirs} has shape {tuple(weights[theirs].shape)}, not {shapes[name]}"
        for name, theirs in source.items()
        if weights[theirs].shape != shapes[name]
    ]
    if wrong:
        raise UserError(f"{file} does not have the shape that its own settings say ({', '.join(wrong)}): {_ELSE}.")
    renamed = {name: weights[theirs].T if name in TRANSPOSED else weights[theirs] for name, theirs in source.items()}
    return {name: renamed[name] if name in renamed else torch.zeros(shape) for name, shape in ours.items()}


def _require_names(expected: set[str], given: set[str], file: Path) -> None:
    faults = []
    if expected - given:
        faults.append(f"lacks {', '.join(sorted(expected - given))}")
    if given - expected:
        faults.append(f"has {', '.join(sorted(given - expected))}, which its settings do not call for")
    if faults:
        raise UserError(f"{file} {' and '.join(faults)}: {_ELSE}.")
