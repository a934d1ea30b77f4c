from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from dtinterp.interventions.replacements.dictionary_comparison import DictionaryComparison
from dtinterp.report.figures.token_errors import SPREAD, token_error_figure
from dtinterp.report.results import StudyResults
from tests.dtinterp.report.conftest import only


def _comparison(results: StudyResults) -> DictionaryComparison:
    return only(results, DictionaryComparison)


def _time(results: StudyResults) -> Int64[Tensor, " step"]:
    return results.demonstrations.value.time


def test_each_dictionary_has_a_panel_on_axes_that_all_share(results: StudyResults) -> None:
    comparison = _comparison(results)
    figure = token_error_figure(comparison, _time(results))
    assert len(figure.data) == 2 * len(comparison.name)
    assert figure.layout.xaxis2.matches == "x"
    assert figure.layout.yaxis2.matches == "y"


def test_points_stand_at_the_error_and_near_the_l0_of_their_row(results: StudyResults) -> None:
    comparison = _comparison(results)
    few = replace(
        comparison,
        error=torch.tensor([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]),
        l0=torch.tensor([[1, 2, 4], [8, 8, 8]], dtype=torch.int32),
        step=torch.arange(3),
        slot=torch.arange(3),
        last_step=torch.arange(3),
    )
    figure = token_error_figure(few, torch.tensor([0, 0, 5]))
    np.testing.assert_allclose(figure.data[0].y, [0.1, 0.2, 0.3], rtol=1e-6)
    assert np.abs(np.log10(np.array(figure.data[0].x) / [1, 2, 4])).max() <= SPREAD + 1e-9
    named = [text.partition("<br>")[2] for text in figure.data[0].text]
    assert named == [
        "step 0, slot 1 (t = 0, 0 pads)",
        "step 1, slot 2 (t = 0, 1 pad)",
        "step 2, slot 3 (t = 5, 0 pads)",
    ]
