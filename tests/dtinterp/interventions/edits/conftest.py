from collections.abc import Callable, Mapping

import pytest
import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.interventions.bindings import Bindings
from dtinterp.interventions.controls.drawn import random_directions
from dtinterp.interventions.edits import edit_of
from dtinterp.interventions.edits.edit import Edit
from dtinterp.interventions.edits.specification import Dosed

D_MODEL, N_ROWS = 8, 5
SITE = "blocks.0.hook_resid_pre"


@pytest.fixture
def rows() -> Float32[Tensor, "row d_model"]:
    return torch.randn(N_ROWS, D_MODEL, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def directions() -> Float32[Tensor, "draw d_model"]:
    return random_directions(2, D_MODEL, torch.Generator().manual_seed(1))


@pytest.fixture
def bound(names: Bindings) -> Callable[[Mapping[str, object]], Dosed]:
    """Returns what an edit's words come to."""
    return lambda words: edit_of(words).bound(names)


@pytest.fixture
def applied(bound: Callable[[Mapping[str, object]], Dosed], there: Tensor) -> Callable[..., Tensor]:
    """Returns what the newest frames become under an edit's words, at its first dose."""

    def apply(words: Mapping[str, object], rows: Tensor = there) -> Tensor:
        edit: Edit = bound({"at": SITE, **words}).edit(slice(0, 1), len(rows))
        return edit.apply(rows)

    return apply
