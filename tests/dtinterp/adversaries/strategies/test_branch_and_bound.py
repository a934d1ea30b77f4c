import pytest
import torch

from dtinterp.adversaries.problem import Tally
from dtinterp.adversaries.strategies.branch_and_bound import branch_and_bound
from dtinterp.adversaries.strategies.exhaustive import exhaustive

RNG = torch.Generator()


@pytest.mark.parametrize("reach", ["any", "shown", "possible"])
def test_where_the_objective_is_linear_it_proves_the_optimum_with_fewer_candidates(problem, linear, reach):
    made = problem(linear, edits="frame", reach=reach)
    bounded, everything = Tally(made, left=10**6), Tally(made, left=10**6)
    assert branch_and_bound(made, bounded, RNG) == "linear bound"
    exhaustive(made, everything, RNG)
    assert bounded.lowest == pytest.approx(everything.lowest, abs=1e-4)
    assert bounded.total < max(everything.total / 20, len(made.table) + 10)


def test_elsewhere_its_bound_is_called_heuristic(problem):
    made = problem()
    bounded, everything = Tally(made, left=10**6), Tally(made, left=10**6)
    assert branch_and_bound(made, bounded, RNG) == "heuristic bound"
    exhaustive(made, everything, RNG)
    assert everything.lowest <= bounded.lowest < made.original
    assert bounded.total < everything.total
    assert bounded.n_evaluated[1] == 40
    assert bounded.smallest() == everything.smallest() == 1


def test_nothing_is_proved_where_the_budget_ends_first(problem):
    made = problem()
    tally = Tally(made, left=40)
    assert branch_and_bound(made, tally, RNG) == "none"
    assert tally.total == 40
