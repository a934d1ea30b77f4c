import pytest
import torch

from dtinterp.adversaries.problem import Tally
from dtinterp.adversaries.strategies.exhaustive import exhaustive
from dtinterp.foundation.errors import UserError

RNG = torch.Generator()


def test_it_evaluates_every_set_that_is_allowed_once(problem):
    made = problem()
    tally = Tally(made, left=10_000)
    assert exhaustive(made, tally, RNG) == "exhaustion"
    apart = [
        not (made.table.is_changed[left] & made.table.is_changed[right]).any()
        for left in range(40)
        for right in range(left)
    ]
    assert tally.n_evaluated == {1: 40, 2: sum(apart)}


def test_where_the_budget_ends_first_nothing_is_proved(problem):
    made = problem()
    tally = Tally(made, left=100)
    assert exhaustive(made, tally, RNG) == "none"
    assert tally.total == 100


def test_more_than_two_edits_are_refused(problem):
    made = problem(n_edits=3)
    with pytest.raises(UserError, match="n_edits is 3, exhaustive search goes up to 2"):
        exhaustive(made, Tally(made, left=10), RNG)
