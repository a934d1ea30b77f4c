"""Every set of one or two edits: what it finds is the best there is."""

import torch

from dtinterp.adversaries.problem import Problem, Tally
from dtinterp.adversaries.strategies.strategy import Proof
from dtinterp.foundation.errors import UserError

MOST_EDITS = 2


def exhaustive(problem: Problem, tally: Tally, generator: torch.Generator) -> Proof:
    """Evaluate all sets that are allowed, smaller ones first. Raises `UserError` for more than two edits."""
    del generator
    if problem.budget.n_edits > MOST_EDITS:
        raise UserError(
            f"n_edits is {problem.budget.n_edits}, exhaustive search goes up to {MOST_EDITS}: "
            "give fewer, or another --strategy."
        )
    number = torch.arange(len(problem.table))
    for size in range(1, problem.budget.n_edits + 1):
        sets = problem.allowed(torch.combinations(number, size))
        tally.evaluate(sets)
        if tally.left == 0:
            return "none"
    return "exhaustion"
