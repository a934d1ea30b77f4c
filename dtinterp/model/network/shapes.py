"""The names and shapes of a model's weights, known before there is any weight."""

from collections.abc import Mapping
from dataclasses import astuple, replace

import torch

from dtinterp.foundation.errors import UserError
from dtinterp.model.config import ModelConfig
from dtinterp.model.network.transformer import DecisionTransformer

FEWEST = 8
"""Weights of attention, which every layer has."""
LARGEST = 2**24
"""Of any size in a config; larger ones are larger than any memory."""
FIRST = "blocks.0."


def weight_shapes(config: ModelConfig, path: object, *, n_weights: int) -> Mapping[str, tuple[int, ...]]:
    """Return the shape of each weight that a model of this config has, by name.

    Nothing is allocated, and no more than one block is built, however large the config says that the model is. Raises
    `UserError` where it says sizes larger than any memory, or more layers than `n_weights` weights can be; `path` is
    where it stands.
    """
    if config.n_layers > n_weights // FEWEST:
        raise UserError(
            f"{path} has {n_weights} weights, too few for the {config.n_layers} layers it says: make or fetch it again."
        )
    if max(size for size in astuple(config) if isinstance(size, int)) > LARGEST:
        raise UserError(f"{path} says that it has weights larger than any memory: make or fetch it again.")
    with torch.device("meta"):
        one = DecisionTransformer(replace(config, n_layers=1), torch.Generator()).state_dict()
    shapes = {name: tuple(weight.shape) for name, weight in one.items()}
    block = {name.removeprefix(FIRST): shape for name, shape in shapes.items() if name.startswith(FIRST)}
    others = {name: shape for name, shape in shapes.items() if not name.startswith(FIRST)}
    return others | {
        f"blocks.{layer}.{name}": shape for layer in range(config.n_layers) for name, shape in block.items()
    }
