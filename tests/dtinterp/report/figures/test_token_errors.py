import numpy as np
import torch

from dtinterp.features.single_rows import TokenErrors
from dtinterp.report.figures.token_errors import SPREAD, ErrorPanel, RowPlaces, token_error_figure

PLACES = RowPlaces(step=torch.arange(3), slot=torch.arange(3), time=torch.tensor([0, 0, 5]))
PANELS = [
    ErrorPanel("few", "here", TokenErrors(torch.tensor([0.1, 0.2, 0.3]), torch.tensor([1, 2, 4]))),
    ErrorPanel("many", "there", TokenErrors(torch.tensor([0.4, 0.5, 0.6]), torch.tensor([8, 8, 8]))),
]


def test_each_dictionary_has_a_panel_on_axes_that_all_share() -> None:
    figure = token_error_figure(PANELS, PLACES)
    assert len(figure.data) == 2 * len(PANELS)
    assert [each.text for each in figure.layout.annotations] == ["few<br><sub>here</sub>", "many<br><sub>there</sub>"]
    assert figure.layout.xaxis2.matches == "x"
    assert figure.layout.yaxis2.matches == "y"


def test_points_stand_at_the_error_and_near_the_l0_of_their_row() -> None:
    drawn = token_error_figure(PANELS, PLACES).data[0]
    np.testing.assert_allclose(drawn.y, [0.1, 0.2, 0.3], rtol=1e-6)
    assert np.abs(np.log10(np.array(drawn.x) / [1, 2, 4])).max() <= SPREAD + 1e-9
    named = [text.partition("<br>")[2] for text in drawn.text]
    assert named == [
        "step 0, slot 1 (t = 0, 0 pads)",
        "step 1, slot 2 (t = 0, 1 pad)",
        "step 2, slot 3 (t = 5, 0 pads)",
    ]
