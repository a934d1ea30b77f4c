import pytest
import torch
from pydantic import ValidationError

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.directions.items import items_at
from environments.vocabulary import item_index

CELLS = ((4, 2), (4, 3), (0, 5), (2, 6))


def test_the_planted_direction_is_found_in_the_published_items(find, planted_direction):
    found = find("component", items=list(items_at(("key", "ball"), CELLS)))
    assert float(found.vectors[0] @ planted_direction) > 0.999
    assert found.found_at == "hook_obs_embed"
    assert found.explains["separates"] == 1
    assert found.explains["variance share 1"] > 0.95


def test_the_first_items_value_is_the_positive_end(find, planted_direction):
    found = find("component", items=list(items_at(("ball", "key"), CELLS)))
    assert float(found.vectors[0] @ planted_direction) < -0.999


def test_nobody_needs_to_type_cells(find, planted_direction):
    found = find("component", tell="instruction")
    assert found.explains["items"] == 2
    assert float(found.vectors[0] @ planted_direction) > 0.99


def test_several_components_are_an_orthonormal_basis(find):
    found = find("component", items=list(items_at(("key", "ball"), CELLS)), n=3)
    torch.testing.assert_close(found.vectors @ found.vectors.T, torch.eye(3), atol=1e-5, rtol=0)
    assert found.names == ("component 1", "component 2", "component 3")


def test_scaling_weighs_items_alike(find, material):
    """With one item's embedding ten times as long, the raw component is its own; the scaled one stays."""
    model = material.subject.model
    names = list(items_at(("key", "ball"), CELLS))
    before = model.W_obs.detach().clone()
    long = item_index("wall (0,0)")
    try:
        with torch.no_grad():
            model.W_obs[long] *= 1000
        raw, scaled = (find("component", items=[*names, "wall (0,0)"], scaled=scaled) for scaled in (False, True))
    finally:
        with torch.no_grad():
            model.W_obs.copy_(before)
    along = before[long] / before[long].norm()
    assert abs(float(raw.vectors[0] @ along)) > 0.9
    assert abs(float(scaled.vectors[0] @ along)) < 0.5


def test_more_components_than_items_are_refused(find):
    with pytest.raises(UserError, match="2 items have 1 components, 2 are asked for"):
        find("component", tell="instruction", n=2)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"items": ["key (2,6)", "ball (2,6)"], "tell": "instruction"},
        {"items": ["key (2,6)"]},
        {"items": ["key (2,6)", "lamp (2,6)"]},
        {"tell": "instruction", "purity": 0.4},
    ],
)
def test_items_that_are_not_there_or_said_twice_are_refused(find, fields):
    with pytest.raises(ValidationError):
        find("component", **fields)
