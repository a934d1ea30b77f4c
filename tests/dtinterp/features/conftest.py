from dataclasses import replace

import pytest
import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.activations.harvest import Activations, harvest
from dtinterp.dataset.windows import Windows
from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.fit import fit
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.model.network.transformer import DecisionTransformer

SITE = "hook_obs_embed"


@pytest.fixture
def activations(model: DecisionTransformer, windows: Windows, items: Float32[Tensor, "frame item"]) -> Activations:
    return harvest(model, windows, items, SITE)


@pytest.fixture
def dictionary(activations: Activations) -> Dictionary:
    config = FitConfig(TopK(4), width=24, n_steps=60, batch_rows=128)
    return fit(activations.value, config, generator=torch.Generator().manual_seed(0), site=SITE)


@pytest.fixture
def dead(dictionary: Dictionary) -> Dictionary:
    """The same dictionary with a feature that never fires."""
    b_enc = dictionary.b_enc.clone()
    b_enc[5] = -1e6
    return replace(dictionary, b_enc=b_enc)
