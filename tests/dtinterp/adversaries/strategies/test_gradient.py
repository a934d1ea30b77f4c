import pytest
import torch

from dtinterp.adversaries.problem import Tally
from dtinterp.adversaries.strategies.exhaustive import exhaustive
from dtinterp.adversaries.strategies.gradient import gradient

RNG = torch.Generator()


def test_where_the_objective_is_linear_the_first_batch_holds_the_optimum(problem, linear):
    made = problem(linear, edits="frame")
    tally, everything = Tally(made, left=64), Tally(made, left=10**6)
    gradient(made, tally, RNG)
    exhaustive(made, everything, RNG)
    assert tally.lowest == pytest.approx(everything.lowest, abs=1e-4)


def test_it_goes_on_until_all_is_tried_or_the_budget_spent(problem):
    made = problem()
    tally = Tally(made, left=10**6)
    assert gradient(made, tally, RNG) == "exhaustion"
    assert tally.n_evaluated == {1: 40, 2: 638}
    short = Tally(made, left=100)
    assert gradient(made, short, RNG) == "none"
    assert short.total == 100
