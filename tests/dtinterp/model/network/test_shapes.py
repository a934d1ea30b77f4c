from dataclasses import replace

import pytest
import torch

from dtinterp.model.config import ModelConfig
from dtinterp.model.network.shapes import weight_shapes
from dtinterp.model.network.transformer import DecisionTransformer

SMALL = ModelConfig(d_model=8, n_heads=2, d_mlp=6, n_layers=3, n_items=147)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"gated_mlp": True, "normalization_type": "none"},
        {"normalization_type": "RMSPre", "position_embedding": True},
        {"time_embedding": False, "return_to_go": False, "n_layers": 1},
    ],
    ids=str,
)
def test_shapes_are_those_of_the_model_that_is_built(options):
    config = replace(SMALL, **options)
    built = {
        name: tuple(weight.shape)
        for name, weight in DecisionTransformer(config, torch.Generator()).state_dict().items()
    }
    assert weight_shapes(config, "a file", n_weights=len(built)) == built
