"""Branch and bound: sets of edits in order of a bound on their value, until nothing left can be better.

The bound of a set is the original's value plus what each of its edits adds alone. Where the objective is linear in the
embeddings, and those are linear in the items shown, that is the value itself: the first set that is allowed is the best
there is, and this is a proof. Elsewhere edits interact, and a set may be lower than its bound by as much as was seen so
far, and no more: that is a heuristic, and named so.
"""

import torch

from dtinterp.adversaries.problem import Problem, Tally
from dtinterp.adversaries.strategies.ranking import ascending, batched
from dtinterp.adversaries.strategies.strategy import Proof

AT_ONCE = 64
"""Sets between two looks at the bound where it is heuristic."""


def branch_and_bound(problem: Problem, tally: Tally, generator: torch.Generator) -> Proof:
    """Ask what each edit does alone, then evaluate sets in order of their bound, until it is above the lowest found."""
    del generator
    gains, size, slack = tally.probe(), problem.budget.n_edits, 0.0
    is_linear = problem.linear() is not None
    for sums, sets in batched(ascending(gains, size), 1 if is_linear else AT_ONCE, size):
        if tally.left == 0:
            return "none"
        if problem.original + sums[0] - slack >= tally.lowest:
            return "linear bound" if is_linear else "heuristic bound"
        is_allowed = problem.naturalness.allows(sets, problem.budget) & (sets >= 0).sum(1).gt(1)
        values = tally.evaluate(sets[is_allowed])
        if not is_linear and len(values):
            bounds = problem.original + torch.tensor(sums)[is_allowed][: len(values)]
            slack = max(slack, float((bounds - values).max()))
    return "exhaustion"
