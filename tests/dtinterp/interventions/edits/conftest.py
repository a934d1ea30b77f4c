import pytest
import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.interventions.controls import random_directions

D_MODEL, N_ROWS = 8, 5


@pytest.fixture
def rows() -> Float32[Tensor, "row d_model"]:
    return torch.randn(N_ROWS, D_MODEL, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def directions() -> Float32[Tensor, "draw d_model"]:
    return random_directions(2, D_MODEL, torch.Generator().manual_seed(1))
