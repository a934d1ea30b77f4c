"""Random sets of edits: what any search has to beat."""

import torch

from dtinterp.adversaries.problem import Problem, Sets, Tally
from dtinterp.adversaries.strategies.strategy import Proof

AT_ONCE = 1024
FUTILE = 30
"""Rounds of draws without anything allowed among them after which no more are made."""


def random_sets(problem: Problem, tally: Tally, generator: torch.Generator) -> Proof:
    """Evaluate random sets that are allowed, those of each size as often; a set may come again, and then counts."""
    sizes = range(1, problem.budget.n_edits + 1)
    found = True
    while tally.left and found:
        found = False
        for size in sizes:
            sets = drawn(problem, size, AT_ONCE // len(sizes), generator)
            tally.evaluate(sets)
            found |= len(sets) > 0
    return "none"


def drawn(problem: Problem, size: int, n: int, generator: torch.Generator) -> Sets:
    """Return `n` random sets of so many edits that are allowed; fewer where hardly any are."""
    kept, in_vain = [torch.zeros(0, size, dtype=torch.int64)], 0
    while sum(map(len, kept)) < n and in_vain < FUTILE and len(problem.table):
        found = problem.allowed(torch.randint(len(problem.table), (max(n, AT_ONCE), size), generator=generator))
        in_vain = 0 if len(found) else in_vain + 1
        kept.append(found)
    return torch.cat(kept)[:n]
