import pytest
import torch

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.directions.items import components, item_embeddings, items_at, telling_items
from environments.vocabulary import item_index


def test_embeddings_are_rows_of_the_embedding_scaled_where_asked_for(planted_model):
    index = torch.tensor([item_index("key (2,6)"), item_index("wall (0,0)")])
    raw, scaled = (item_embeddings(planted_model, index, scaled=scaled) for scaled in (False, True))
    assert torch.equal(raw, planted_model.W_obs.detach()[index])
    torch.testing.assert_close(scaled, raw / raw.norm(dim=1, keepdim=True))


def test_components_of_a_planted_plane_are_found_in_order_of_variance():
    basis = torch.linalg.qr(torch.randn(12, 12, generator=torch.Generator().manual_seed(0))).Q
    rows = torch.tensor([[3.0, 0], [-3, 0], [0, 1], [0, -1]]) @ basis[:2] + basis[2]
    found = components(rows)
    assert found.share[:2].tolist() == pytest.approx([0.9, 0.1])
    assert abs(float(found.vectors[0] @ basis[0])) == pytest.approx(1, abs=1e-5)
    assert abs(float(found.vectors[1] @ basis[1])) == pytest.approx(1, abs=1e-5)


def test_equal_embeddings_have_no_component():
    with pytest.raises(UserError, match="the items' embeddings are all equal"):
        components(torch.ones(3, 4))


def test_the_instruction_is_told_by_the_items_at_its_cell_alone(material):
    telling = telling_items(material.windows, "instruction", purity=0.95)
    assert telling.names == ("key (2,6)", "ball (2,6)")
    assert telling.is_first.tolist() == [True, False]


def test_the_left_target_is_told_by_targets_wherever_they_are_seen(material):
    names = telling_items(material.windows, "top_target", purity=0.95).names
    assert {"key (1,6)", "ball (1,6)", "key (1,2)", "ball (5,2)"} <= {*names}
    assert not {"key (2,6)", "ball (2,6)"} & {*names}


def test_a_fact_without_two_values_or_without_items_is_refused(material):
    with pytest.raises(UserError, match="the fact x has 1 values in the windows, expected 2"):
        telling_items(material.windows, "x", purity=0.95)
    last = material.windows.windows
    blind = material.windows.showing(material.windows.shown[:1].expand(len(last), -1, -1, -1, -1))
    with pytest.raises(UserError, match="no item tells instruction in these windows"):
        telling_items(blind, "instruction", purity=0.95)


def test_items_are_named_things_outside():
    assert items_at(("key", "ball"), ((0, 1), (2, 3))) == ("key (0,1)", "key (2,3)", "ball (0,1)", "ball (2,3)")
