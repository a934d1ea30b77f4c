from dataclasses import replace

import numpy as np
import pytest
import torch

from dtinterp.equivalence.classes.certificates import certificates
from dtinterp.equivalence.levels import frame_order, level_at
from dtinterp.equivalence.partition import partition_of
from dtinterp.equivalence.report import EquivalenceReport
from dtinterp.report.figures.equivalence import (
    agreement_figure,
    divergence_figure,
    neighbours_figure,
)
from dtinterp.report.style import TRAINED
from dtinterp.report.tables import divergence_map, neighbours


@pytest.fixture(scope="module")
def mixed(report: EquivalenceReport) -> EquivalenceReport:
    """The report with planted classes: five of three, two, two, four and one observations."""
    partition = partition_of(torch.tensor([0, 1, 0, 2, 1, 3, 3, 3, 0, 2, 4, 3]), "planted")
    return replace(report, partition=partition, certificates=certificates(report.swaps, partition))


def test_the_heat_map_holds_every_divergence_in_that_order(mixed: EquivalenceReport) -> None:
    order = frame_order(mixed.partition, mixed.chosen)
    drawn = np.array(divergence_figure(divergence_map(mixed)).data[0].z)
    expected = mixed.relation.maximum[order][:, order].numpy()
    assert np.allclose(drawn, expected, atol=1e-4)
    assert not np.diagonal(drawn).any()


def test_every_class_of_more_than_one_is_boxed_and_no_other(mixed: EquivalenceReport) -> None:
    boxes = divergence_figure(divergence_map(mixed)).layout.shapes
    assert [box.x1 - box.x0 for box in boxes] == [4, 3, 2, 2]
    assert all((box.x0, box.x1) == (box.y0, box.y1) for box in boxes)


def test_a_pair_is_named_where_it_is_pointed_at(mixed: EquivalenceReport) -> None:
    names = divergence_figure(divergence_map(mixed)).data[0].customdata
    ids = mixed.chosen.frame_id[frame_order(mixed.partition, mixed.chosen)].tolist()
    assert names[0][3] == f"frame {ids[0]} and frame {ids[3]}"


def test_agreement_shows_the_model_beside_two_untrained_ones_and_chance(report: EquivalenceReport) -> None:
    figure = agreement_figure(report.comparisons)
    arms = {trace.name: list(trace.x) for trace in figure.data if trace.mode == "markers"}
    assert arms == {
        "trained model": [each.trained.ari.estimate for each in report.comparisons],
        "untrained model, as many classes": [each.untrained.ari.estimate for each in report.comparisons],
        "untrained model, same ε": [each.untrained_at_epsilon.ari.estimate for each in report.comparisons],
    }
    bands = [list(trace.x) for trace in figure.data if trace.mode == "lines"]
    assert bands == [[each.trained.random.low, each.trained.random.high] for each in report.comparisons]


def test_no_interval_is_cut_off(report: EquivalenceReport) -> None:
    low, high = agreement_figure(report.comparisons).layout.xaxis.range
    assert low < min(each.trained.ari.low for each in report.comparisons)
    assert high > 1


def test_neighbours_come_nearest_first_and_class_mates_are_dark(mixed: EquivalenceReport) -> None:
    bars = neighbours_figure(neighbours(mixed, level_at(mixed, mixed.config.epsilon), 0)).data[0]
    assert list(bars.y) == sorted(float(mixed.relation.maximum[0, each]) for each in range(1, 12))
    mates = {f"frame {int(mixed.chosen.frame_id[place])}" for place in (2, 8)}
    assert {name for name, colour in zip(bars.x, bars.marker.color, strict=True) if colour == TRAINED} == mates


def test_epsilon_is_a_line_among_the_neighbours(mixed: EquivalenceReport) -> None:
    level = level_at(mixed, mixed.config.epsilon)
    figure = neighbours_figure(neighbours(mixed, level, 0))
    assert figure.layout.shapes[0].y0 == mixed.config.epsilon
    assert len(neighbours_figure(neighbours(mixed, level, 0, n_most=3)).data[0].x) == 3
