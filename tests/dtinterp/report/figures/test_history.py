from dtinterp.equivalence.over_training import HistoryPoint
from dtinterp.model.validation import Validation
from dtinterp.report.figures.history import history_figure
from environments.graph.evaluation import Expectation


def moment(step, n_merged, n_split):
    earned = Expectation(0.5, 0.5, 0.5, 10.0)
    worlds = {"same image": 0.0, "bisimulation": 0.4}
    return HistoryPoint(step, Validation(1.5, 0.3, 100), earned, earned, 2, 3, n_merged, n_split, None, 0.5, worlds)


def test_every_curve_has_a_point_per_moment_and_the_untrained_model_stands_left_of_the_first_step():
    figure = history_figure((moment(0, 0, 0), moment(1, 2, 1), moment(10, 0, 3)))
    curves = {curve.name: curve for curve in figure.data}
    assert all(list(curve.x) == [0.5, 1, 10] for curve in curves.values())
    assert list(curves["split since"].y) == [0, 1, 3]
    assert list(curves["merged since the moment before"].y) == [0, 2, 0]
    assert "bisimulation" in curves
    assert "same image" not in curves  # it agrees with nothing at any moment
