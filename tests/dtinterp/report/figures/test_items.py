import pytest
import torch

from dtinterp.interventions.studies.item_geometry import Clustergram, ItemMaps2D, NormStrip
from dtinterp.report.figures.items import LABELLED, clustergram_figure, item_maps_figure, norm_strip_figure


def test_a_picture_stands_for_each_component_and_thing_with_y_downwards() -> None:
    score = torch.arange(2 * 2 * 49, dtype=torch.float32).view(2, 2, 7, 7)
    figure = item_maps_figure(ItemMaps2D(("key", "ball"), torch.tensor([0.7, 0.3]), score))
    assert [each.text for each in figure.layout.annotations] == [
        "key, component 1",
        "ball, component 1",
        "key, component 2",
        "ball, component 2",
    ]
    assert figure.data[1].z[5][2] == score[0, 1, 2, 5]  # a heat map has y first
    assert figure.layout.yaxis.autorange == "reversed"


def test_both_things_of_a_component_share_a_scale_about_zero() -> None:
    score = torch.zeros(1, 2, 7, 7)
    score[0, 1, 0, 0] = -3.0
    key, ball = item_maps_figure(ItemMaps2D(("key", "ball"), torch.ones(1), score)).data
    assert (key.zmin, key.zmax) == (ball.zmin, ball.zmax) == (-3, 3)


@pytest.mark.parametrize("n", [3, LABELLED + 1])
def test_items_have_their_names_where_there_is_room(n: int) -> None:
    names = tuple(f"key ({place},0)" for place in range(n))
    figure = clustergram_figure(Clustergram(names, torch.eye(n)))
    assert tuple(figure.data[0].x) == tuple(figure.data[0].y) == names
    assert figure.layout.xaxis.showticklabels == (n <= LABELLED)


def test_items_that_the_world_never_shows_are_open_circles() -> None:
    strip = NormStrip("key", torch.tensor([1.0, 2.0, 0.2]), torch.tensor([True, True, False]))
    shown, never = norm_strip_figure([strip]).data
    assert list(shown.y) == [1, 2]
    assert list(never.y) == pytest.approx([0.2])
    assert never.marker.symbol == "circle-open"
