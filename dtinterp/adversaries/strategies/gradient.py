"""First-order scores of edits, as HotFlip ranks swaps of characters (Ebrahimi et al. 2018, arXiv:1712.06751).

An edit adds a difference of item rows to an embedding; the gradient of the objective along that difference, taken once
at the window as it is, says what it does to first order. Sets are evaluated in the order of the sums of these.
"""

import torch

from dtinterp.adversaries.problem import Problem, Tally
from dtinterp.adversaries.strategies.ranking import ascending, batched
from dtinterp.adversaries.strategies.strategy import Proof

AT_ONCE = 64


def gradient(problem: Problem, tally: Tally, generator: torch.Generator) -> Proof:
    """Evaluate sets by what the gradient promises, until the budget is spent."""
    del generator
    size = problem.budget.n_edits
    for _, sets in batched(ascending(problem.first_order(), size), AT_ONCE, size):
        if tally.left == 0:
            return "none"
        tally.evaluate(problem.allowed(sets))
    return "exhaustion"
