from dataclasses import replace

import pytest

from dtinterp.equivalence.truth.disagreements import Contrasts
from dtinterp.report.costs import distractions_ranked, loss, shown_of

FOUND = Contrasts(9, 4, (), 7, 5, (), n_costly_confusions=2, n_costly_distractions=0)
BEFORE = replace(FOUND, n_costly_confusions=None, n_costly_distractions=None)


@pytest.mark.parametrize(
    ("lost", "said"), [(0.0, "nothing"), (1e-5, "less than 0.001"), (5e-4, "0.001"), (0.4461, "0.446")]
)
def test_a_loss_is_nothing_only_where_nothing_is_lost(lost, said):
    assert loss(lost) == said


def test_a_ranking_says_how_many_cost_something_and_what_it_goes_by():
    assert distractions_ranked(FOUND) == (
        "All were priced: by none of them the model loses return. Those that cost it most come first, then those that "
        "it tells apart most."
    )


def test_a_comparison_of_before_priced_only_what_it_shows():
    assert distractions_ranked(BEFORE).startswith("Only those that it tells apart most were priced")


def test_what_is_shown_is_counted_against_what_there_is():
    assert shown_of(6, 41) == "the first 6 of 41 pairs"
    assert (shown_of(3, 3), shown_of(1, 1)) == ("all 3 pairs", "all 1 pair")
