import numpy as np
import plotly.graph_objects as go
import pytest

from dtinterp.interventions.instruction_flip.report import InterventionReport
from dtinterp.report.figures.flip import dose_figure, endings_figure
from dtinterp.report.results import StudyResults
from tests.dtinterp.report.conftest import only


@pytest.fixture(scope="module")
def flip(results: StudyResults) -> InterventionReport:
    return only(results, InterventionReport)


@pytest.fixture(scope="module")
def doses(flip: InterventionReport) -> go.Figure:
    return dose_figure(flip.dose, dict(zip(flip.configurations, flip.flipped.tolist(), strict=True)))


def test_each_configuration_has_its_dose_curve(flip: InterventionReport, doses: go.Figure) -> None:
    curves = [trace for trace in doses.data if trace.name == "instruction direction"]
    assert len(curves) == 4
    for place, curve in enumerate(curves):
        assert np.allclose(curve.x, flip.dose.coefficient)
        assert np.allclose(curve.y, flip.dose.instruction[place])


def test_the_band_holds_the_central_95_percent_of_random_directions(flip: InterventionReport, doses: go.Figure) -> None:
    lower = next(trace for trace in doses.data if trace.fill == "tonexty")
    upper = doses.data[list(doses.data).index(lower) - 1]
    draws = flip.dose.controls[:, 0].numpy()
    assert np.allclose(lower.y, np.quantile(draws, 0.025, axis=0), atol=1e-5)
    assert np.allclose(upper.y, np.quantile(draws, 0.975, axis=0), atol=1e-5)
    assert lower.name == "3 random directions moved as far, 95%"


def test_untouched_and_flipped_are_levels(flip: InterventionReport, doses: go.Figure) -> None:
    levels = {
        name: [trace.y[0] for trace in doses.data if trace.name == name]
        for name in ("untouched", "other instruction shown")
    }
    assert np.allclose(levels["untouched"], flip.dose.original)
    assert np.allclose(levels["other instruction shown"], flip.flipped)


def test_endings_of_every_arm_stack_to_one(flip: InterventionReport) -> None:
    bars = endings_figure(flip.closed_loop).data
    assert [bar.name for bar in bars] == ["matching target", "other target", "out of time"]
    assert bars[0].y == ("intact", "set to the instruction shown", "set to the other one", "random directions")
    for shares in zip(*(bar.x for bar in bars), strict=True):
        assert sum(shares) == pytest.approx(1)
