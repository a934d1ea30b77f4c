import pytest

from dtinterp.equivalence.classes import classes
from dtinterp.report.figures.dendrogram import dendrogram_figure


def test_every_observation_is_a_leaf_and_every_join_is_drawn(report):
    figure = dendrogram_figure(report)
    lines, leaves = figure.data
    n = len(report.chosen.frame_id)
    assert len(leaves.x) == n
    assert len([value for value in lines.x if value is None]) == n - 1
    heights = [value for value in lines.y if value is not None]
    assert max(heights) == pytest.approx(float(report.relation.maximum.max()) ** 0.5, rel=1e-6)


def test_the_line_says_how_many_classes_there_are(report):
    (annotation,) = dendrogram_figure(report).layout.annotations
    n_classes = classes(report.relation, report.config.epsilon).n_classes
    assert annotation.text == f"ε = {report.config.epsilon:g}: {n_classes} classes"
