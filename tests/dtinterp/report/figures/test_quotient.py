from dataclasses import replace

from dtinterp.equivalence.report import EquivalenceReport
from dtinterp.report.figures.quotient import quotient_figure


def test_every_cut_of_both_dendrograms_and_every_named_partition_is_a_point(report: EquivalenceReport) -> None:
    behaviour = report.behaviour
    _, untrained, trained, named = quotient_figure(behaviour).data
    for trace, quotients in (
        (untrained, behaviour.untrained_coarsening),
        (trained, behaviour.coarsening),
        (named, behaviour.named),
    ):
        points = list(zip(trace.x, trace.y, strict=True))
        assert points == [(each.n_classes, each.earned.expected_return) for each in quotients]


def test_random_classes_are_a_band_from_low_to_high(report: EquivalenceReport) -> None:
    band = quotient_figure(report.behaviour).data[0]
    n = len(report.behaviour.coarsening)
    assert list(band.y[:n]) == [each.random_return.high for each in report.behaviour.coarsening]
    assert list(band.y[n:]) == [each.random_return.low for each in reversed(report.behaviour.coarsening)]
    assert list(band.x[:n]) == list(reversed(band.x[n:]))


def test_the_intact_return_is_a_line_within_the_axis(report: EquivalenceReport) -> None:
    figure = quotient_figure(report.behaviour)
    (line,) = figure.layout.shapes
    assert line.y0 == line.y1 == report.behaviour.intact.expected_return
    assert figure.layout.yaxis.range[0] <= line.y0 < figure.layout.yaxis.range[1]


def test_labels_of_two_partitions_in_one_place_stand_below_each_other(report: EquivalenceReport) -> None:
    behaviour = report.behaviour
    good = replace(behaviour.classes, earned=replace(behaviour.classes.earned, expected_return=0.9))
    bad = replace(behaviour.classes, earned=replace(behaviour.classes.earned, expected_return=0.5))
    together = quotient_figure(replace(behaviour, classes=good, untrained_classes=good))
    apart = quotient_figure(replace(behaviour, classes=good, untrained_classes=bad))
    assert together.data[-1].text[1] == "<br>an untrained model’s"
    assert apart.data[-1].text[1] == "an untrained model’s"
