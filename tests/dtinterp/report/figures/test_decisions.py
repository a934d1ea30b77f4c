import pytest
import torch

from dtinterp.equivalence.explain.decisions import Decided
from dtinterp.report.figures.decisions import decision_figure


@pytest.fixture
def rows() -> tuple[Decided, ...]:
    certain, undecided = torch.eye(7)[:2], torch.full((2, 7), 1 / 7)
    nothing = torch.zeros(2, dtype=torch.float64)
    return Decided("as it is", certain, nothing), Decided("swapped", undecided, nothing + 0.25)


def test_every_row_shows_its_probabilities_at_the_decision_that_was_asked_for(rows):
    drawn = decision_figure(rows, 1).data[0]
    torch.testing.assert_close(torch.tensor(drawn.z), torch.stack([row.probability[1] for row in rows]))
    assert tuple(drawn.x[:3]) == ("left", "right", "forward")


def test_probabilities_are_written_out_but_those_that_round_to_nothing(rows):
    written = [each.text for each in decision_figure(rows, 0).layout.annotations]
    assert written == ["1.00"] + 7 * ["0.14"]


def test_a_row_says_how_far_its_decisions_moved(rows):
    names = decision_figure(rows, 0).layout.yaxis.ticktext
    assert "nothing moved" in names[0]
    assert "0.250 bits" in names[1]
