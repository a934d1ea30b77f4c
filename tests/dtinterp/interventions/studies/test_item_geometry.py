import pytest
import torch

from dtinterp.interventions.directions.items import items_at
from dtinterp.interventions.studies.item_geometry import EVERYWHERE, clustergram, feature_maps, norm_strips
from dtinterp.interventions.studies.published import INSTRUCTION_CELLS, TARGET_CELLS, THINGS
from dtinterp.model.network.transformer import DecisionTransformer
from environments.graph.state_graph import StateGraph
from environments.vocabulary import one_hot


@pytest.mark.parametrize(
    ("cells", "shares"),
    [(INSTRUCTION_CELLS, [0.7561, 0.0834, 0.0675, 0.0450]), (TARGET_CELLS, [0.4538, 0.3738])],
)
def test_published_items_have_the_published_components(published: DecisionTransformer, cells, shares) -> None:
    found = feature_maps(published, items_at(THINGS, cells), things=THINGS)
    assert found.share[: len(shares)].tolist() == pytest.approx(shares, abs=1e-4)


def test_the_first_component_parts_keys_from_balls(published: DecisionTransformer) -> None:
    score = feature_maps(published, items_at(THINGS, INSTRUCTION_CELLS), things=THINGS).score[0]
    keys, balls = (torch.stack([score[place, x, y] for x, y in INSTRUCTION_CELLS]) for place in (0, 1))
    assert float(keys.min()) > float(balls.max())


def test_published_norms_are_the_published_ones(published: DecisionTransformer, graph: StateGraph) -> None:
    shown = one_hot(torch.tensor(graph.frames)).amax(dim=0) > 0
    key, ball = norm_strips(published, shown, THINGS)
    assert (float(key.norm.median()), float(ball.norm.median())) == pytest.approx((0.771, 0.737), abs=1e-3)
    assert float(published.W_obs.detach()[~shown].norm(dim=1).median()) == pytest.approx(0.225, abs=5e-3)
    assert float(key.norm[~key.is_shown].mean()) < float(key.norm[key.is_shown].mean())


def test_maps_have_every_item_in_its_cell(planted_model: DecisionTransformer) -> None:
    found = feature_maps(planted_model, items_at(THINGS, INSTRUCTION_CELLS), things=THINGS, n=1, scaled=False)
    assert found.score.shape == (1, 2, 7, 7)
    largest = found.score[0].abs().flatten(1).topk(4, dim=1).indices
    expected = sorted(7 * x + y for x, y in INSTRUCTION_CELLS)
    assert [sorted(row) for row in largest.tolist()] == [expected, expected]


def test_items_that_point_alike_stand_together(planted_model: DecisionTransformer) -> None:
    names = [name for pair in zip(*(items_at((t,), INSTRUCTION_CELLS) for t in THINGS), strict=True) for name in pair]
    found = clustergram(planted_model, names)
    assert {*found.names} == {*names}
    kinds = [name.split()[0] for name in found.names]
    assert kinds in (["key"] * 4 + ["ball"] * 4, ["ball"] * 4 + ["key"] * 4)
    torch.testing.assert_close(found.cosine.diagonal(), torch.ones(8))
    assert float(found.cosine[:4, :4].min()) > 0.9 > -0.9 > float(found.cosine[:4, 4:].max())
    assert len(EVERYWHERE) == 49
