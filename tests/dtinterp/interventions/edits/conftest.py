from collections.abc import Callable, Mapping

import pytest
import torch
from jaxtyping import Float32
from torch import Tensor
from torch.nn.functional import normalize

from dtinterp.dataset.windows import Windows
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.kinds.baselines.pca import Pca
from dtinterp.interventions.bindings import Bindings
from dtinterp.interventions.controls import random_directions
from dtinterp.interventions.edits import edit_of
from dtinterp.interventions.edits.edit import Edit
from dtinterp.interventions.edits.specification import Dosed
from dtinterp.interventions.instruction_flip.scenarios import Scenarios, configuration_names
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.subject.subject import Subject

D_MODEL, N_ROWS = 8, 5
SITE = "blocks.0.hook_resid_pre"


@pytest.fixture
def rows() -> Float32[Tensor, "row d_model"]:
    return torch.randn(N_ROWS, D_MODEL, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def directions() -> Float32[Tensor, "draw d_model"]:
    return random_directions(2, D_MODEL, torch.Generator().manual_seed(1))


class Studied(Subject):
    """As much of a subject as edits ask for: a model, and its decision points as what it was trained on."""

    def __init__(self, model: DecisionTransformer, scenarios: Scenarios) -> None:
        vars(self).update(is_untrained=False, untrained=model, items=scenarios.items, shown=scenarios.windows)

    @property
    def model(self) -> DecisionTransformer:
        return self.untrained

    def train_windows(self, n: int, *, seed: int) -> Windows:  # noqa: ARG002
        return vars(self)["shown"]


@pytest.fixture
def names(random_model: DecisionTransformer, scenarios: Scenarios) -> Bindings:
    """The four decision points in a random model, with a dictionary and directions that are not orthogonal."""
    d_model = random_model.cfg.d_model
    drawn = random_directions(3, d_model, torch.Generator().manual_seed(1))
    rotation = torch.linalg.qr(torch.randn(d_model, d_model, generator=torch.Generator().manual_seed(2))).Q
    dictionary = Dictionary(
        W_enc=rotation,
        b_enc=torch.zeros(d_model),
        W_dec=rotation.T.contiguous(),
        b_dec=torch.zeros(d_model),
        kind=Pca(n_components=d_model),
        scale=torch.tensor(2.0),
        site=SITE,
        name="turned",
    )
    return Bindings(
        Studied(random_model, scenarios),
        scenarios.windows,
        scenarios.items,
        configuration_names(),
        {"turned": dictionary},
        {
            "one": (drawn[:1], SITE),
            "other": (normalize(drawn[1:2] + drawn[:1]), SITE),
            "plane": (torch.linalg.qr(drawn[1:].T).Q.T, SITE),
        },
    )


@pytest.fixture
def bound(names: Bindings) -> Callable[[Mapping[str, object]], Dosed]:
    """Returns what an edit's words come to."""
    return lambda words: edit_of(words).bound(names)


@pytest.fixture
def there(names: Bindings) -> Float32[Tensor, "window d_model"]:
    """What the newest frames of the decision points hold."""
    at = edit_of({"ablate": {"token": "whole"}, "at": SITE}).at
    return names.rows(at.site, at.slots, at.token).value


@pytest.fixture
def applied(bound: Callable[[Mapping[str, object]], Dosed], there: Tensor) -> Callable[..., Tensor]:
    """Returns what the newest frames become under an edit's words, at its first dose."""

    def apply(words: Mapping[str, object], rows: Tensor = there) -> Tensor:
        edit: Edit = bound({"at": SITE, **words}).edit(slice(0, 1), len(rows))
        return edit.apply(rows)

    return apply
