from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.cluster import hierarchy

from dtinterp.equivalence.levels import level_at
from dtinterp.equivalence.partition import classes, dendrogram, partition_of
from dtinterp.equivalence.report import EquivalenceReport
from dtinterp.report.figures.dendrogram import ABOVE, BROKEN, ClassTree, dendrogram_figure, joins_of
from dtinterp.report.style import class_colours
from dtinterp.report.tables import class_tree


@pytest.fixture(scope="module")
def spread(report: EquivalenceReport) -> EquivalenceReport:
    """The report with divergences of 0.03 inside four trios, and of 0.1 to 0.9 between them."""
    trio = torch.arange(12) // 3
    between = 0.1 + 0.2 * torch.maximum(trio[:, None], trio)
    maximum = torch.where(trio[:, None] == trio, 0.03, between.float()).fill_diagonal_(0)
    return replace(
        report,
        swaps=replace(report.swaps, maximum=maximum, mean=maximum / 2),
        partition=partition_of(trio, "planted"),
        config=replace(report.config, epsilon=0.05),
    )


def tree_at(report: EquivalenceReport, epsilon: float) -> ClassTree:
    return class_tree(report, level_at(report, epsilon))


def lines(figure) -> dict:
    return {trace.name: trace for trace in figure.data if trace.mode == "lines"}


def test_every_observation_is_a_leaf_and_every_join_is_drawn(spread):
    figure = dendrogram_figure(tree_at(spread, 0.05))
    assert sorted(figure.data[-1].customdata) == sorted(spread.chosen.frame_id.tolist())
    drawn = [value for trace in lines(figure).values() for value in trace.x]
    assert sum(value is None for value in drawn) == 11
    heights = [value for trace in lines(figure).values() for value in trace.y if value is not None]
    assert max(heights) == pytest.approx(float(spread.relation.maximum.max()) ** 0.5, rel=1e-6)


def test_joins_are_those_that_scipy_draws(spread):
    tree = dendrogram(spread.relation)
    theirs = hierarchy.dendrogram(tree, no_plot=True)
    ours = joins_of(tree, theirs["leaves"])
    drawn = np.array([(*(10 * place + 5 for place in each.across), *each.along) for each in ours])
    corners = zip(theirs["icoord"], theirs["dcoord"], strict=True)
    expected = np.array([(x[0], x[2], y[0], y[1], y[3]) for x, y in corners])
    np.testing.assert_allclose(_in_order(drawn), _in_order(expected))


def _in_order(rows: np.ndarray) -> np.ndarray:
    return rows[np.lexsort(rows.T)]


def test_joins_inside_a_class_have_its_colour_and_the_others_none(spread):
    tree = tree_at(spread, 0.05)
    found = lines(dendrogram_figure(tree))
    assert set(found) == {"0", "1", "2", "3", ABOVE}
    for label, colour in enumerate(class_colours(tree.partition)):
        assert found[str(label)].line.color == colour
    assert sum(value is None for value in found[ABOVE].x) == 3


def test_a_class_that_a_counterexample_broke_shows_where(spread):
    refined = partition_of(torch.tensor([0, 0, 4, 1, 1, 1, 2, 2, 2, 3, 3, 3]), "refined")
    broken = lines(dendrogram_figure(replace(tree_at(spread, 0.05), partition=refined)))[BROKEN]
    assert sum(value is None for value in broken.x) >= 1
    assert broken.showlegend


def test_the_line_says_how_many_classes_there_are_and_the_certified_one_is_marked(spread):
    (own,) = dendrogram_figure(tree_at(spread, 0.05)).layout.annotations
    assert own.text == "ε = 0.05: 4 classes"
    there, certified = dendrogram_figure(tree_at(spread, 0.6)).layout.annotations
    assert there.text == f"ε = 0.6: {classes(spread.relation, 0.6).n_classes} classes"
    assert certified.text == "certified: 0.05"


def test_the_chosen_observation_is_ringed(spread):
    leaves = dendrogram_figure(tree_at(spread, 0.05), chosen=4).data[-1]
    (ringed,) = [frame for frame, width in zip(leaves.customdata, leaves.marker.line.width, strict=True) if width]
    assert ringed == int(spread.chosen.frame_id[4])
